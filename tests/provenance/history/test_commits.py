"""Commits: one form of bytes, exclusive publication, and nothing that is no commit is taken for one."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.answers.facts import Thing
from provenance.erasure.erasure import Target, erase
from provenance.errors import DamagedStoreError, StoreError, UnsupportedStoreError
from provenance.exchange.pull import pull
from provenance.history import commits
from provenance.history.canonical import sealed
from provenance.history.commits import Commit, CommitKind, Segment
from provenance.history.erased import Erased, erased_document
from provenance.history.foreign import Pulled, PulledCommit, path_of, pulled_document
from provenance.history.snapshot import Snapshot
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage
from provenance.store import Store
from query.vocabulary import Entity

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
ERASED = erased_document(Erased("asked to", {(COMMIT.store, "files", 1): 2}, 0, (SEGMENT.path,), ((1, 2),)))


def _columns(**others: object) -> dict[str, object]:
    """A change of a document: one segment that says this of its columns."""
    return {"segments": [{**TABLED, "columns": {**SEGMENT.columns, **others}}]}


texts = st.text(max_size=20)
counts = st.integers(0, 1 << 62)
NUMBERS = {"min": "1", "max": "999999999999", "size": 7}
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
    columns=st.dictionaries(texts, statistics, max_size=3).map(lambda some: {**some, "commit_number": NUMBERS}),
    origin=st.none() | st.uuids().map(str),
)


@st.composite
def pulled(draw: st.DrawFn) -> Pulled:
    """Commits of another store, as a pull lists them."""
    store, first = str(draw(st.uuids())), draw(st.integers(1, 999_999_999))
    digest = draw(st.binary(min_size=32, max_size=32)).hex()
    times = draw(st.lists(st.datetimes(min_value=dt.datetime(1970, 1, 1)), min_size=1, max_size=3))  # noqa: DTZ001
    numbers = st.integers(0, 999_999_999_999)
    listed = tuple(PulledCommit(time.isoformat(timespec="microseconds") + "Z", draw(numbers)) for time in times)
    twice = tuple(draw(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=2)))
    unvouched = draw(st.integers(0, 9))
    name = path_of(store, first, digest)
    return Pulled(store, first, name, draw(counts), digest, listed, twice, unvouched=unvouched)


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
    replaces=st.lists(st.from_regex(r"segments/[a-z_]+/[0-9a-z-]+\.parquet", fullmatch=True), max_size=3).map(tuple),
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
        ({"number": None}, "number: expected an integer from 1 to 999999999999, found null"),
        ({"number": "1"}, 'number: expected an integer from 1 to 999999999999, found "1"'),
        ({"number": True}, "number: expected an integer"),
        ({"number": -1}, "number: expected an integer"),
        ({"number": 10**12}, "number: expected an integer"),
        ({"format": "1"}, "format: expected an integer"),
        (
            {"kind": "party"},
            'kind: expected plan | ingest | register | metadata | audit | compact | pull | erase, found "p',
        ),
        ({"time": "yesterday"}, 'time: expected a time like 2026-11-23T05:20:00.123456Z, found "yesterday"'),
        ({"time": "2026-11-23T05:20:00.000007"}, "time: expected a time like"),
        ({"time": "2026-13-23T05:20:00.000007Z"}, "time: expected a time that exists"),
        ({"records": 7}, "records: expected an object, found 7"),
        ({"records": {"count": 1.5, "root": ""}}, "records.count: expected an integer"),
        ({"author": ["x"]}, "author: expected text"),
        ({"replaces": ["nowhere"]}, "replaces: expected a list of segments/TABLE/NAME.parquet"),
        (
            {"segments": [{"path": "segments/files/../../../etc/passwd"}]},
            "segments[0].table: expected text, found nothing",
        ),
        (
            {"segments": [{**TABLED, "path": "/etc/x.parquet"}]},
            "segments[0].path: expected segments/TABLE/NAME.parquet",
        ),
        ({"segments": [{**TABLED, "table": "../../evil"}]}, "segments[0].path: expected segments/TABLE/NAME.parquet"),
        ({"segments": [TABLED, {**TABLED, "table": ["files"]}]}, 'segments[1].table: expected text, found ["files"]'),
        ({"segments": [{**TABLED, "sha256": "../../evil"}]}, "segments[0].sha256: expected 64 hexadecimal digits"),
        ({"segments": [{**TABLED, "sha256": 7}]}, "segments[0].sha256: expected 64 hexadecimal digits, found 7"),
        ({"segments": [{**TABLED, "origin": "../../evil"}]}, "segments[0].origin: expected the id of a store"),
        ({"segments": [{**TABLED, "rows": -1}]}, "segments[0].rows: expected an integer from 0"),
        ({"segments": [{**TABLED, "columns": []}]}, "segments[0].columns: expected an object, found []"),
        (
            {"segments": [{**TABLED, "columns": {}}]},
            "segments[0].columns.commit_number: expected an object, found nothing",
        ),
        (_columns(name=7), "segments[0].columns.name: expected an object, found 7"),
        (_columns(name={"min": 7}), "segments[0].columns.name.min: expected text, found 7"),
        (_columns(name={"nulls": "7"}), "segments[0].columns.name.nulls: expected an integer that is not negative"),
        (_columns(name={"nulls": -7}), "segments[0].columns.name.nulls: expected an integer that is not negative"),
        (_columns(name={"mood": []}), "segments[0].columns.name.mood: expected text or an integer"),
        (
            _columns(source={"min": "one", "max": "2"}),
            "segments[0].columns.source: expected min and max to be integers",
        ),
        (_columns(source={"min": "1"}), "segments[0].columns.source: expected min and max to be integers"),
        (_columns(commit_number={}), "segments[0].columns.commit_number.min: expected a commit number"),
        (_columns(commit_number={"min": "0", "max": "1"}), "segments[0].columns.commit_number.min: expected a commit"),
        ({"segments": 7}, "segments: expected a list, found 7"),
        ({"pulled": [{**PULLED, "store": "../../evil"}]}, "pulled[0].store: expected the id of a store"),
        ({"pulled": [{**PULLED, "sha256": "../../evil"}]}, "pulled[0].sha256: expected 64 hexadecimal digits"),
        ({"pulled": [{**PULLED, "first": 2}]}, "pulled[0].path: expected foreign/STORE/NUMBER-DIGEST.jsonl"),
        (
            {"pulled": [{**PULLED, "path": "foreign/../../etc/passwd"}]},
            "pulled[0].path: expected foreign/STORE/NUMBER-D",
        ),
        ({"pulled": [{**PULLED, "commits": []}]}, "pulled[0].commits: expected at least one"),
        (
            {"pulled": [{**PULLED, "first": 0, "path": path_of(COMMIT.store, 0, "ef" * 32)}]},
            "first: expected an integer from 1",
        ),
        ({"pulled": [{**PULLED, "commits": [{"time": "now", "follows": 1}]}]}, "commits[0].time: expected a time like"),
        ({"pulled": [{**PULLED, "twice": [1, "2"]}]}, "pulled[0].twice: expected a list of integers"),
        ({"pulled": [{}]}, "pulled[0].store: expected the id of a store, found nothing"),
        (
            {"erased": {**ERASED, "rows": [["x", "files", 1, -1]]}},
            "erased.rows: expected numbers of commits and rows from 1",
        ),
        (
            {"erased": {**ERASED, "rows": [["x", "files", 1]]}},
            "erased.rows: expected a list of lists of str, str, int, int",
        ),
        (
            {"erased": {**ERASED, "gone": ["commits/000000000001.json"]}},
            "erased.gone: expected a list of segments/TABLE",
        ),
        ({"erased": {**ERASED, "files": [[1, 1 << 64]]}}, "erased.files: expected integers of 64 bits"),
        ({"nonce": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_what_is_no_commit_is_damage(change: dict[str, object], message: str) -> None:
    """However well it is sealed: commits also come from other people."""
    document = json.loads(commits.encode(COMMIT))
    document.update(change)
    with pytest.raises(DamagedStoreError, match="over there: no commit") as caught:
        commits.decode(resealed(document), "over there")
    assert message in str(caught.value)


@pytest.mark.parametrize("key", sorted(json.loads(commits.encode(COMMIT)).keys() - {"seal"}))
def test_a_commit_has_all_of_its_keys_and_each_once(key: str) -> None:
    document = json.loads(commits.encode(COMMIT))
    value = document.pop(key)
    with pytest.raises(DamagedStoreError, match=f"{key}: expected .*, found nothing"):
        commits.decode(resealed(document), "x")
    twice = commits.encode(COMMIT)[:-1] + f',"{key}":{json.dumps(value)}}}'.encode()
    with pytest.raises(DamagedStoreError, match=f"key '{key}' appears twice"):
        commits.decode(twice, "x")


def test_keys_of_the_future_are_passed_over() -> None:
    document = json.loads(commits.encode(COMMIT)) | {"mood": {"x": [1.5, None]}}
    assert commits.decode(resealed(document), "x") == COMMIT


# What is in a document, changed in any way


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Those of commits of every form: with rows, merged, pulled, erased."""
    store, other = (Store.open(tmp_path_factory.mktemp("real") / name) for name in ("store", "other"))
    for one in (store, other):
        for run in (1, 2):
            batch = Batch()
            batch.add("invocations", run=run, job=1, attempt=1, stdout_tail="secret", duration_seconds=0.5)
            batch.add("jobs", run=run, job=1, arguments=["a"], executable_sha256=b"1" * 32)
            one.commit(CommitKind.INGEST, batch)
    pull(store, other)
    store.compact()
    erase(store, Target((Thing(Entity.JOBS, 1, 1, "1", "a job"),), output=True), "asked to")
    found = [path.read_bytes() for path in sorted((store.root / "commits").glob("*.json"))]
    assert {json.loads(data)["kind"] for data in found} == {"ingest", "pull", "compact", "erase"}
    return found


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([1 << 63, -(1 << 63), 10**40, 1.5, 1e300, "", "1", "\ud800", "9999-12-31T23:59:59.999999Z", "/"])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_changes_it_is_a_commit_or_damage(documents: list[bytes], data: st.DataObject) -> None:
    document = json.loads(data.draw(st.sampled_from(documents)))
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not (isinstance(inner, (dict, list)) and inner and data.draw(st.booleans())):
            break
        place = inner
    if data.draw(st.booleans()):
        place[key] = data.draw(anything)
    else:
        del place[key]
    try:
        commit = commits.decode(resealed(document), "x")
    except StoreError as error:
        assert str(error).startswith("x: ")
        return
    assert commits.decode(commits.encode(commit), "x") == commit
    for segment in commit.segments:
        assert 1 <= segment.first_commit <= segment.last_commit
    live = Snapshot.of(1, commit.time, commit.segments)
    live.holding("jobs", "run", [1])


def resealed(document: dict[str, Any]) -> bytes:
    """The document as somebody would write it who knows how."""
    unsealed = json.dumps({**document, "seal": ""}, sort_keys=True, separators=(",", ":"))
    seal = hashlib.sha256(unsealed.encode()).hexdigest()
    return unsealed.replace('"seal":""', f'"seal":"{seal}"').encode()


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


@pytest.mark.parametrize("key", ["root", "pulled_sha256"])
def test_what_was_pulled_has_both_digests_or_none(documents: list[bytes], key: str) -> None:
    (document,) = (each for each in map(json.loads, documents) if each["kind"] == "pull")
    del document["pulled"][0][key]
    with pytest.raises(DamagedStoreError, match="both root and pulled_sha256, or neither"):
        commits.decode(resealed(document), "x")
