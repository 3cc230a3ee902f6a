"""Commits: one form of bytes, exclusive publication, and nothing that is no commit is taken for one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance import commits
from provenance.canonical import sealed
from provenance.commits import Commit, CommitKind, Segment
from provenance.errors import DamagedStoreError, UnsupportedStoreError
from provenance.foreign import Pulled, PulledCommit, path_of, pulled_document
from provenance.storage.local import LocalStorage

SEGMENT = Segment(
    table="files",
    path="segments/files/000000000001-0011223344556677.parquet",
    rows=2,
    size=1000,
    footer_size=300,
    sha256="ab" * 32,
    columns={"commit_number": {"min": "1", "max": "1", "size": 56}, "name": {"min": "a", "max": "é", "size": 60}},
)
COMMIT = Commit(
    store="3ff81fcb-1cbe-4b43-a7e6-25c84bdfb7ca",
    number=1,
    time=dt.datetime(2026, 11, 23, 5, 20, 0, 7, tzinfo=dt.UTC),
    kind=CommitKind.INGEST,
    nonce="0011223344556677",
    segments=(SEGMENT,),
    records=1,
    records_root="cd" * 32,
)

PULLED = pulled_document(
    Pulled(
        COMMIT.store,
        1,
        path_of(COMMIT.store, 1, "ef" * 32),
        700,
        "ef" * 32,
        (PulledCommit("2026-11-23T05:20:00.000007Z", 0),),
    )
)
TABLED = commits.segment_document(SEGMENT)

texts = st.text(max_size=20)
counts = st.integers(0, 1 << 62)
statistics = st.dictionaries(st.sampled_from(["min", "max"]), texts) | st.dictionaries(
    st.sampled_from(["nulls", "nan", "size", "values"]), counts
)
segments = st.builds(
    lambda table, name, **others: Segment(table=table, path=f"segments/{table}/{name}.parquet", **others),
    table=st.sampled_from(["files", "job_edges"]),
    name=st.from_regex(r"[0-9a-z-]{1,9}", fullmatch=True),
    rows=counts,
    size=counts,
    footer_size=counts,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    columns=st.dictionaries(texts, statistics, max_size=3),
    origin=st.none() | st.uuids().map(str),
)


@st.composite
def pulled(draw: st.DrawFn) -> Pulled:
    """Commits of another store, as a pull lists them."""
    store, first = str(draw(st.uuids())), draw(st.integers(1, 999_999_999_999))
    digest = draw(st.binary(min_size=32, max_size=32)).hex()
    times = draw(st.lists(st.datetimes(min_value=dt.datetime(1970, 1, 1)), min_size=1, max_size=3))  # noqa: DTZ001
    listed = tuple(PulledCommit(time.isoformat(timespec="microseconds") + "Z", draw(counts)) for time in times)
    twice = tuple(draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=2)))
    return Pulled(store, first, path_of(store, first, digest), draw(counts), digest, listed, twice)


all_commits = st.builds(
    Commit,
    store=st.uuids().map(str),
    number=st.integers(1, 999_999_999_999),
    time=st.datetimes(min_value=dt.datetime(1970, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    kind=st.sampled_from(CommitKind),
    nonce=texts,
    segments=st.lists(segments, max_size=3).map(tuple),
    records=counts,
    records_root=texts,
    author=st.none() | texts,
    replaces=st.lists(texts, max_size=3).map(tuple),
    log_root=st.none() | texts,
    signature=st.none() | texts,
    pulled=st.lists(pulled(), max_size=2).map(tuple),
)


@given(all_commits)
def test_a_commit_comes_back_and_has_one_form(commit: Commit) -> None:
    data = commits.encode(commit)
    assert commits.decode(data, "x") == commit
    # A second opinion on canonical form: what any JSON library reads, written back in that form, is the same bytes.
    document = json.loads(data)
    assert json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == data


def test_the_bytes_of_a_commit_are_pinned() -> None:
    data = commits.encode(COMMIT)
    assert data.startswith(
        b'{"author":null,"format":1,"kind":"ingest","log_root":null,"nonce":"0011223344556677","number":1'
    )
    assert data.endswith(b'"store":"3ff81fcb-1cbe-4b43-a7e6-25c84bdfb7ca","time":"2026-11-23T05:20:00.000007Z"}')
    assert hashlib.sha256(data).hexdigest() == "f50deb03d51b7cb87ba303abcabba02d73c2b6994b2ca9f817d92ecd34fc45fd"


def test_time_sorts_as_text_in_every_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=-5))
    assert commits.time_text(dt.datetime(2026, 1, 1, 0, 0, 0, tzinfo=zone)) == "2026-01-01T05:00:00.000000Z"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": None}, "number"),
        ({"kind": "party"}, "'party' is not a valid CommitKind"),
        ({"time": "yesterday"}, "yesterday"),
        ({"segments": [{"path": "segments/files/../../../etc/passwd"}]}, "expected segments/TABLE/NAME.parquet"),
        ({"segments": [{"path": "/etc/x.parquet"}]}, "expected segments/TABLE/NAME.parquet"),
        ({"segments": [{**TABLED, "table": "../../evil"}]}, "expected segments/TABLE/NAME.parquet"),
        ({"segments": [{**TABLED, "table": ["files"]}]}, "expected segments/TABLE/NAME.parquet"),
        ({"segments": [{**TABLED, "sha256": "../../evil"}]}, "expected 64 hexadecimal digits"),
        ({"segments": [{**TABLED, "sha256": 7}]}, "expected string"),
        ({"segments": [{**TABLED, "origin": "../../evil"}]}, "expected the id of a store"),
        ({"segments": 7}, "not iterable"),
        ({"pulled": [{**PULLED, "store": "../../evil"}]}, "expected foreign/STORE/NUMBER-DIGEST.jsonl"),
        ({"pulled": [{**PULLED, "sha256": "../../evil"}]}, "expected foreign/STORE/NUMBER-DIGEST.jsonl"),
        ({"pulled": [{**PULLED, "first": 2}]}, "expected foreign/STORE/NUMBER-DIGEST.jsonl"),
        ({"pulled": [{**PULLED, "path": "foreign/../../etc/passwd"}]}, "expected foreign/STORE/NUMBER-DIGEST.jsonl"),
        ({"pulled": [{**PULLED, "commits": []}]}, "expected at least one"),
        ({"pulled": [{**PULLED, "first": 0, "path": path_of(COMMIT.store, 0, "ef" * 32)}]}, "numbers from 1"),
        ({"pulled": [{**PULLED, "commits": [{"time": "now", "follows": 1}]}]}, "expected a time like"),
        ({"pulled": [{}]}, "'path' is missing"),
    ],
)
def test_what_is_no_commit_is_damage(change: dict[str, object], message: str) -> None:
    """However well it is sealed: commits also come from other people."""
    document = json.loads(commits.encode(COMMIT)) | change
    kept = {key: value for key, value in document.items() if key != "seal" and (key, value) != ("number", None)}
    with pytest.raises(DamagedStoreError, match="over there: no commit") as caught:
        commits.decode(sealed(kept), "over there")
    assert message in str(caught.value)


@given(
    st.binary(max_size=40)
    | st.recursive(st.none() | st.integers() | texts, st.lists).map(lambda x: json.dumps(x).encode())
)
def test_any_other_bytes_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedStoreError):
        commits.decode(data, "x")


def test_a_newer_format_is_refused_not_guessed() -> None:
    document = json.loads(commits.encode(COMMIT)) | {"format": 2, "kind": "of the future"}
    with pytest.raises(DamagedStoreError, match="not the bytes that were sealed"):  # a bit may have flipped
        commits.decode(json.dumps(document).encode(), "x")
    del document["seal"]
    with pytest.raises(UnsupportedStoreError, match="a commit of format 2; this version reads up to 1") as caught:
        commits.decode(sealed(document), "x")
    assert caught.value.hint == "install a newer pirene"


def test_a_truncated_or_flipped_commit_never_decodes_to_the_same() -> None:
    data = commits.encode(COMMIT)
    for position in range(len(data)):
        with pytest.raises(DamagedStoreError):
            commits.decode(data[:position], "x")


def _storage(folder: Path) -> LocalStorage:
    storage = LocalStorage(folder)
    storage.prepare("", [commits.FOLDER])
    return storage


def test_one_of_many_publishers_wins_a_number(tmp_path: Path) -> None:
    storage = _storage(tmp_path)
    contenders = [replace(COMMIT, nonce=f"{number:016x}") for number in range(8)]
    won: list[str] = []
    start = threading.Barrier(len(contenders))

    def contend(commit: Commit) -> None:
        start.wait()
        if commits.publish(storage, commit):
            won.append(commit.nonce)

    threads = [threading.Thread(target=contend, args=[commit]) for commit in contenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.name for path in (tmp_path / "commits").iterdir()] == ["000000000001.json"]
    published = commits.read(storage, 1)
    assert published is not None
    assert won == [published.nonce]


def test_a_commit_under_another_number_is_damage(tmp_path: Path) -> None:
    storage = _storage(tmp_path)
    assert commits.publish(storage, COMMIT)
    (tmp_path / "commits/000000000001.json").rename(tmp_path / "commits/000000000002.json")
    assert commits.read(storage, 1) is None
    with pytest.raises(DamagedStoreError, match="holds commit 1, expected 2"):
        commits.read(storage, 2)


def test_names_sort_as_numbers() -> None:
    numbers = [1, 9, 10, 99, 100, 999_999_999_999]
    names = [commits.file_name(number) for number in numbers]
    assert names == sorted(names)
    assert [commits.number_of(name) for name in names] == numbers
    assert [commits.number_of(name) for name in ("1.json", "000000000001.json.tmp", "x", "0000000000012.json")] == [
        None
    ] * 4
