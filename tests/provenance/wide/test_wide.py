"""Wide tables: every answer is what it is without them, whatever came before and after they were made."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.answers.ask import answer, without_conditions
from provenance.answers.entities import ENTITIES, FILES, JOBS
from provenance.answers.vocabulary import StoreVocabulary
from provenance.check import wide_tables
from provenance.errors import DamagedStoreError, WideTableError
from provenance.history.commits import CommitKind, publish
from provenance.metadata import from_json
from provenance.metadata_rows import add_metadata
from provenance.orphans import orphans, remove_orphans
from provenance.publishing.publication import new_nonce, next_commit
from provenance.reading.views import Reading
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.wide import wide, wide_build
from provenance.wide.wide_reading import WideReading
from query.errors import QueryError
from query.vocabulary import Entity

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)
KEYS = ("site", "quality", "it's")
VALUES: tuple[object, ...] = (
    "a",
    "b",
    1,
    2.5,
    True,
    "2026-05-01",
    None,
    "",
    "007",
    1 << 62,
    "1e400",
    -0.0,
    ".nan",
    1 << 53,
)
LISTS: tuple[object, ...] = ([], ["a"], [1, 2])
QUERIES = (
    "files",
    "files show *",
    "files show name, site, quality, status, sites order by quality desc, name",
    "files where site = 'a'",
    "files where quality > 1 or site is missing show name, `it's`",
    "files where not site = 'a' show name",
    "files where quality in (1, 2.5, true) show name, quality",
    "files where quality = 0 or quality = 9007199254740993 or site != 9007199254740993",
    "files where quality >= 1 and quality < 9007199254740993 and not site > quality",
    "files summarize count(*), max(quality), avg(quality) by quality order by quality desc",
    "files where `it's` is present summarize count(*), min(quality) by site",
    "files where sha256 is present show name, sha256, size",
    "files outputs of (jobs where quality = 1)",
    "jobs show id, status, attempts, site, quality, host order by quality",
    "jobs where site has 'a' or status = 'succeeded'",
    "jobs where quality is missing summarize count(*) by status",
    "files where job.quality >= 1 show name, job.site, job.status",
    "replicas where file.site = 'a' show name, file.quality",
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide tables of every store, made three rows at a time."""
    monkeypatch.setattr(wide, "MIN_ROWS", 1)
    monkeypatch.setattr(wide_build, "_PIECE_ROWS", 3)
    monkeypatch.setattr(wide_build, "_FEWEST_THINGS", 1 << 40)


def add_thing(batch: Batch, source: int, number: int) -> None:
    """A file with a copy, and the job that made it."""
    name = f"{source}/{number}"
    batch.add(
        "files", source=source, file=number, name=name, origin="produced", job=number, created=AT, size_bytes=number
    )
    batch.add("replicas", source=source, file=number, site="here", url=f"file:///{name}", event="registered", at=AT)
    batch.add("jobs", run=source, job=number, id=name, name="t", decision="run")
    batch.add("job_states", run=source, job=number, attempt=1, state="started", at=AT)


def say(batch: Batch, entity: Any, source: int, number: int, key: str, value: object) -> None:
    withdrawn = value == "withdrawn"
    add_metadata(
        batch, entity, source, number, key, None if withdrawn else from_json(value), origin="set", author=None, at=AT,
        withdrawn=withdrawn,
    )  # fmt: skip


def befall(batch: Batch, source: int, number: int, what: str) -> None:
    """Something that changes the status of file or job."""
    if what == "hashed":
        batch.add("file_digests", source=source, file=number, sha256=bytes([number]) * 32, size_bytes=7, at=AT)
    elif what == "succeeded":
        batch.add("invocations", run=source, job=number, attempt=1, host="h", started=AT, status=what)
    else:
        batch.add(
            "replicas", source=source, file=number, site="here", url=f"file:///{source}/{number}", event=what, at=AT
        )


_sources, _numbers = st.integers(-2, 2), st.integers(0, 4)
_values = st.sampled_from([*VALUES, *LISTS, "withdrawn"])
_steps = st.one_of(
    st.tuples(st.just("thing"), _sources, _numbers),
    st.tuples(st.just("say"), st.sampled_from(["file", "job"]), _sources, _numbers, st.sampled_from(KEYS), _values),
    st.tuples(st.just("befall"), _sources, _numbers, st.sampled_from(["missing", "hashed", "succeeded"])),
    st.just(("commit",)),
)


def take(store: Store, steps: list[tuple[Any, ...]]) -> None:
    """Commit what steps say; a thing that is there already is not added again."""
    batch = Batch()
    there = set(store.rows("SELECT source, file FROM files", tables=["files"]))
    for step in steps:
        match step:
            case ("thing", source, number):
                if (source, number) not in there:
                    add_thing(batch, source, number)
                there.add((source, number))
            case ("say", *said):
                say(batch, *said)
            case ("befall", source, number, what):
                befall(batch, source, number, what)
            case _:
                store.commit(CommitKind.METADATA, batch)
                batch = Batch()
    store.commit(CommitKind.METADATA, batch)


def promote(store: Store) -> None:
    for table in (FILES, JOBS):
        wide_build.promote(store, table, eager=True)


def answers(store: Store, **options: Any) -> list[object]:
    """All that is said to each of the queries; an error counts as an answer."""
    said: list[object] = []
    for text in QUERIES:
        try:
            found = answer(store, text, now=AT, unknown_keys="no match", **options)
        except QueryError as error:
            said.append(str(error))
        else:
            rows = [str(row) for row in found.rows()]
            said.append((found.columns, found.notes, found.warnings, rows if "order by" in text else sorted(rows)))
    return said


def known(store: Store) -> list[object]:
    reading = Reading(store, store.snapshot())
    vocabulary = StoreVocabulary(reading.rows, "", WideReading(reading, ENTITIES))
    return [vocabulary.metadata_key(entity, key) for entity in (Entity.FILES, Entity.JOBS) for key in KEYS]


def is_used(store: Store, entity: Entity = Entity.FILES) -> bool:
    reading = Reading(store, store.snapshot())
    return WideReading(reading, ENTITIES).table(entity) is not None


def without(store: Store, ask: Callable[[Store], list[object]], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    with monkeypatch.context() as patch:
        patch.setattr(wide, "MIN_ROWS", 1 << 62)
        return ask(store)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=st.lists(_steps, min_size=6, max_size=30), after=st.lists(_steps, max_size=8))
def test_answers_are_the_same_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setattr("provenance.wide.wide_reading._MOST_CHANGED", 0)  # use it however much has changed
    shutil.rmtree(tmp_path / "s", ignore_errors=True)
    store = Store.open(tmp_path / "s")
    take(store, [("thing", 0, 0), *before])
    promote(store)
    take(store, after)
    assert is_used(store) and is_used(store, Entity.JOBS)
    assert answers(store) == without(store, answers, monkeypatch)
    assert known(store) == without(store, known, monkeypatch)
    assert list(wide_tables.examine(store, store.snapshot(), frozenset(), lambda _: None)) == []


def fill(store: Store) -> None:
    """Four files and four jobs with keys, and their wide tables."""
    steps: list[tuple[Any, ...]] = []
    for number in range(4):
        steps.append(("thing", 1, number))
        steps += [("say", entity, 1, number, "site", VALUES[number]) for entity in ("file", "job")]
    take(store, steps)
    promote(store)


@pytest.fixture
def promoted(store: Store) -> Store:
    """A store with what `fill` brings."""
    fill(store)
    return store


def test_a_folder_that_is_named_like_a_partition_says_nothing_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "name=of nobody" / "field_status=gone" / ".pirene")
    fill(store)
    assert is_used(store)
    assert answers(store) == without(store, answers, monkeypatch)


def test_a_key_that_becomes_a_list_somewhere_is_read_from_the_tables(
    promoted: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(promoted, [("say", "file", 1, 0, "site", ["a", "b"])])
    with Reading(promoted, promoted.snapshot()) as reading:
        table = WideReading(reading, ENTITIES).table(Entity.FILES)
        assert table is not None and table.sql == "wide_files"
        assert table.columns == {}
    assert answers(promoted) == without(promoted, answers, monkeypatch)


def test_a_key_that_no_file_ever_had_is_known_without_reading(promoted: Store) -> None:
    def seen(key: str) -> tuple[bool, bool]:
        with Reading(promoted, promoted.snapshot()) as reading:
            asked: list[str] = []

            def rows(sql: str, parameters: Any) -> list[Any]:
                asked.append(sql)
                return reading.rows(sql, parameters)

            vocabulary = StoreVocabulary(rows, "", WideReading(reading, ENTITIES))
            return vocabulary.metadata_key(Entity.FILES, key) is not None, bool(asked)

    assert seen("site") == (True, False)
    assert seen("tags") == (False, False)
    take(promoted, [("say", "file", 1, 0, "tags", ["a"]), ("say", "job", 1, 1, "of jobs", 1)])
    assert seen("tags") == (True, True)
    assert seen("of jobs") == (False, False)
    promote(promoted)
    take(promoted, [("say", "file", 1, 0, "tags", "withdrawn")])
    assert seen("tags") == (True, True)


def test_of_many_keys_none_is_taken_for_unseen(promoted: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide_build, "_MOST_NAMED", -31)  # with the most that have columns: one
    take(promoted, [("say", "file", 1, 0, "tags", ["a"])])
    promote(promoted)
    with Reading(promoted, promoted.snapshot()) as reading:
        assert not WideReading(reading, ENTITIES).unseen(Entity.FILES, "never")


def test_it_is_not_used_for_the_past_nor_when_most_has_changed(promoted: Store) -> None:
    with Reading(promoted, promoted.snapshot().at(1)) as reading:
        assert WideReading(reading, ENTITIES).table(Entity.FILES) is None
    take(promoted, [("say", "file", 1, 0, "site", "new")])
    assert is_used(promoted)
    take(promoted, [("say", "file", 1, 1, "site", "new")])
    assert not is_used(promoted)


def test_erasure_and_everything_else_that_rewrites_rows_ends_it(promoted: Store) -> None:
    snapshot = promoted.snapshot()
    (segment,) = snapshot.segments("workflow_states") or snapshot.segments("job_states")
    erased = next_commit(promoted, snapshot, CommitKind.ERASE, new_nonce(), [], replaces=[segment.path])
    assert publish(promoted.storage, erased)
    assert not is_used(promoted)
    assert not is_used(Store.open(promoted.root))
    promote(promoted)
    assert is_used(promoted)


def test_compaction_does_not_end_it(promoted: Store) -> None:
    take(promoted, [("say", "job", 7, 7, "other", 1)])
    promoted.compact(run=7)
    assert is_used(promoted)


@pytest.mark.parametrize("damage", ["document", "lost", "short"])
def test_what_is_not_whole_is_passed_over(promoted: Store, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    (path,) = (promoted.root / "wide").glob("files-*.json" if damage == "document" else "files-*-0000.parquet")
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "document":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "short":
        path.write_bytes(data[:-1])
    assert not is_used(promoted)
    assert answers(promoted) == without(promoted, answers, monkeypatch)


def test_one_made_by_other_sql_is_passed_over(promoted: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = wide.view_sql
    monkeypatch.setattr(wide, "view_sql", lambda name: real(name) + " ")
    assert not is_used(promoted)


def damage(path: Path, how: str) -> None:
    """Change a file without changing its size: so that it cannot be opened, or so that its rows cannot be read."""
    data = bytearray(path.read_bytes())
    changed = range(len(data) - 4, len(data)) if how == "opened" else range(4, len(data) // 2)
    for position in changed:
        data[position] ^= 0x55
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["opened", "read"])
def test_a_damaged_part_is_left_aside_with_a_warning(
    promoted: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    (path,) = (promoted.root / "wide").glob("files-*-0000.parquet")
    before = answer(promoted, "files show name, site")
    damage(path, how)
    expected = [("1/0", "a"), ("1/1", "b"), ("1/2", 1), ("1/3", 2.5)]
    assert list(before.rows()) == expected
    promoted = Store.open(promoted.root)  # one that has not read the footer yet
    assert list(answer(promoted, "files show name, site").rows()) == expected
    assert "replica" not in before.plan() and list(before.rows()) == expected
    assert answers(promoted) == without(promoted, answers, monkeypatch)
    assert without_conditions(promoted, "files where site = 'x' and name = '1/0'")[0].rows == 1
    assert all(f"{path}: expected" in message and "store check --repair" in message for message in caplog.messages)
    assert len(caplog.messages) > 3


def test_a_damaged_segment_is_damage_all_the_same(promoted: Store) -> None:
    take(promoted, [("say", "file", 1, 0, "site", "new")])
    (path,) = (promoted.root / "segments" / "metadata").glob("000000000002-*")
    path.chmod(0o644)
    damage(path, "read")
    with pytest.raises(DamagedStoreError, match=path.name):
        list(answer(promoted, "files show name, site").rows())


@pytest.mark.parametrize("read_first", [False, True])
def test_a_reader_finishes_however_often_it_is_made_anew_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, read_first: bool
) -> None:
    monkeypatch.setattr(wide_build, "_PIECE_ROWS", 2000)
    numbers = range(9000)
    batch = Batch()
    for number in numbers:
        batch.add("files", source=1, file=number, name=f"{number:04d}", origin="raw", created=AT)
    store.commit(CommitKind.REGISTER, batch)
    promote(store)
    rows = answer(store, "files show name, size").rows()
    found = [next(rows)] if read_first else []
    for again in range(5):
        take(store, [("say", "file", 1, 0, "site", f"again {again}")])
        assert wide_build.promote(store, FILES, eager=True)
    found += rows
    assert found == [(f"{number:04d}", None) for number in numbers]
    assert caplog.messages == []


def test_what_comes_in_order_waits_for_no_other_row(promoted: Store) -> None:
    asked = {
        "files": False,
        "files where name like '1/*' and site is present show name, site": False,
        "files order by name": True,
        "files limit 2": True,
        "files where outputs of (jobs)": True,
        "files show job.id": True,
        "files where name in ('1/0', '1/1')": True,
        "files show *": True,
    }
    assert {text: "e.source ASC" in answer(promoted, text).sql for text in asked} == asked
    take(promoted, [("say", "file", 1, 0, "site", "new")])
    assert "e.source ASC" in answer(promoted, "files").sql


@pytest.mark.parametrize("come", [0, 1, 4096, 5000, 9000])
def test_rows_that_have_come_do_not_come_again(store: Store, monkeypatch: pytest.MonkeyPatch, come: int) -> None:
    monkeypatch.setattr(wide_build, "_PIECE_ROWS", 5000)
    numbers = range(9000)
    batch = Batch()
    for number in numbers:
        batch.add("files", source=1, file=number, name=f"{number:04d}", origin="raw", created=AT)
    store.commit(CommitKind.REGISTER, batch)
    promote(store)
    found = answer(store, "files show name")
    blocks = Reading.blocks

    def ends(reading: Reading, sql: str, parameters: Any) -> Any:
        monkeypatch.setattr(Reading, "blocks", blocks)
        rows = [row for block in blocks(reading, sql, parameters) for row in block]
        yield from (rows[start : min(start + 1000, come)] for start in range(0, come, 1000))
        raise WideTableError("gone")

    monkeypatch.setattr(Reading, "blocks", ends)
    assert [name for (name,) in found.rows()] == [f"{number:04d}" for number in numbers]


def test_pieces_hold_all_rows_once_in_order(promoted: Store) -> None:
    found = wide.newest(promoted.storage, promoted.store_id, FILES, promoted.snapshot())
    assert found is not None
    assert [part.rows for part in found.parts] == [2, 2]
    paths = [str(path) for path in promoted.storage.paths(found.parts)]
    rows = promoted.rows(f"SELECT source, file, key0_text_form FROM read_parquet({paths})", tables=[])
    assert rows == [(1, 0, "a"), (1, 1, "b"), (1, 2, "1"), (1, 3, "2.5")]


def test_one_before_the_newest_stays_for_its_readers_and_older_ones_go(promoted: Store) -> None:
    for number in range(3):
        take(promoted, [("say", "file", 1, 0, "site", f"again {number}")])
        assert wide_build.promote(promoted, FILES, eager=True)
        assert not wide_build.promote(promoted, FILES, eager=True)
    assert len(list((promoted.root / "wide").glob("files-*.json"))) == 2
    assert len(list((promoted.root / "wide").glob("files-*.parquet"))) == 4


def test_without_being_asked_it_is_made_anew_after_a_quarter_of_growth(promoted: Store) -> None:
    take(promoted, [("say", "file", 1, 0, "site", "x")])
    assert not wide_build.promote(promoted, FILES, eager=False)
    take(promoted, [("say", "file", 1, 0, "site", f"{number}") for number in range(8)])
    assert wide_build.promote(promoted, FILES, eager=False)


def test_what_keeps_it_from_being_made_is_a_warning(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    take(store, [("thing", 1, 1)])
    (store.root / "wide").write_text("in the way")
    store.compact()
    assert [message for message in caplog.messages if "no wide table of files was made" in message]


def test_files_of_one_that_was_not_finished_are_orphans(promoted: Store) -> None:
    left = promoted.root / "wide" / "files-000000000009-0123456789abcdef-0000.parquet"
    left.write_bytes(b"PAR1")
    assert [orphan.name for orphan in orphans(promoted)] == [f"wide/{left.name}"]


def test_files_of_one_that_cannot_be_read_stay(promoted: Store) -> None:
    parts = sorted((promoted.root / "wide").glob("*.parquet"))
    for path in parts:
        os.utime(path, (0, 0))
    (document,) = (promoted.root / "wide").glob("files-*.json")
    kept = document.rename(promoted.root / "kept")
    document.symlink_to("/proc/self/mem")  # its first page cannot be read: EIO
    assert (orphans(promoted), remove_orphans(promoted)) == ([], [])
    assert sorted((promoted.root / "wide").glob("*.parquet")) == parts
    document.unlink()
    gone = [f"wide/{path.name}" for path in parts if path.name.startswith("files-")]
    assert [orphan.name for orphan in orphans(promoted)] == gone
    kept.rename(document)
    assert orphans(promoted) == []


def test_a_commit_that_merges_small_segments_makes_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.publishing.compaction.MANY", 10)
    for number in range(16):
        take(store, [("thing", 1, number)])
    assert len(store.snapshot().segments("files")) == 1
    assert not (store.root / "wide").exists()
