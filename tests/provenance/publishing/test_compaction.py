"""Compaction merges segments and changes no answer, whoever else is at work."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provenance.errors import WriteFailedError
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.publishing import compaction
from provenance.schema import BY_NAME, TABLES
from provenance.segments.batch import Batch
from provenance.store import Store


def states(run: int) -> Batch:
    batch = Batch()
    batch.add("workflows", run=run)
    batch.add("job_edges", run=run, parent=1, child=run)
    return batch


def answers(store: Store, snapshot: Snapshot) -> dict[tuple[str, int], list[str]]:
    """Every row of every table, as of every commit up to ``snapshot``."""
    return {
        (table.name, number): sorted(
            repr(row)
            for row in store.rows(f"SELECT * FROM {table.name}", tables=[table.name], snapshot=snapshot.at(number))
        )
        for table in TABLES
        for number in range(snapshot.number + 1)
    }


def test_every_answer_stays_as_of_every_commit(store: Store, full_batch: Callable[..., Batch]) -> None:
    for part in range(4):
        store.commit(CommitKind.INGEST, full_batch(part * 3, part * 3 + 2))
    before = store.snapshot()
    expected = answers(store, before)

    made = store.compact()

    assert made is not None
    assert (made.kind, made.number, made.records) == (CommitKind.COMPACT, 5, 0)
    after = store.snapshot()
    found = answers(store, after)
    assert {key: rows for key, rows in found.items() if key[1] <= 4} == expected
    assert all(found[table.name, 5] == expected[table.name, 4] for table in TABLES)
    assert all(len(after.segments(table.name)) == 1 for table in TABLES)
    # Who still follows the older snapshot reads on: what was merged stays on disk.
    assert answers(store, before) == expected
    assert answers(Store.open(store.root), Store.open(store.root).snapshot()) == found


def test_what_only_a_newer_version_knows_is_not_merged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged by this one it would lose its columns."""
    for run in (1, 2):
        store.commit(CommitKind.PLAN, states(run))
    edges = BY_NAME["job_edges"]
    known = dict(BY_NAME)  # a copy: what is put back into a dictionary comes last there
    monkeypatch.setattr("provenance.publishing.compaction.BY_NAME", known)
    known[edges.name] = replace(edges, columns=edges.columns[1:])
    made = store.compact()
    assert made is not None and [segment.table for segment in made.segments] == ["workflows"]
    del known[edges.name]
    assert store.compact() is None
    assert len(store.snapshot().segments(edges.name)) == 2


def test_there_is_nothing_to_merge_twice(store: Store) -> None:
    assert store.compact() is None
    store.commit(CommitKind.PLAN, states(1))
    assert store.compact() is None
    store.commit(CommitKind.PLAN, states(2))
    assert store.compact() is not None
    assert store.compact() is None


def test_the_end_of_a_run_merges_what_came_since_it_was_planned(store: Store) -> None:
    for run in range(1, 6):
        store.commit(CommitKind.PLAN, states(run))
    made = store.compact(run=4)
    assert made is not None
    assert sorted(path.split("/")[2][:12] for path in made.replaces) == ["000000000004"] * 2 + ["000000000005"] * 2
    assert len(store.snapshot().segments("job_edges")) == 4
    assert store.compact(run=999) is None  # a run that the store does not know


def test_ends_of_runs_keep_segments_few(store: Store) -> None:
    """However many runs: with eight of a size made one, a table of n runs has fewer than 8 log8(n) segments."""
    counts = []
    for run in range(1, 41):
        store.commit(CommitKind.PLAN, states(run))
        store.commit(CommitKind.INGEST, states(run))
        store.compact(run=run)
        counts.append(len(store.snapshot().segments("job_edges")))
    assert counts[:9] == [1, 2, 3, 4, 5, 6, 7, 1, 2]
    assert max(counts) < 16
    assert store.rows("SELECT count(*), count(DISTINCT run) FROM job_edges", tables=["job_edges"]) == [(80, 40)]


def test_a_run_does_not_write_what_is_much_larger_again(store: Store) -> None:
    large = Batch()
    for child in range(100_000):
        large.add("job_edges", run=0, parent=zlib.crc32(b"%d" % child), child=child)
    store.commit(CommitKind.PLAN, large)
    (segment,) = store.snapshot().segments("job_edges")
    for run in range(1, 20):
        store.commit(CommitKind.PLAN, states(run))
        store.compact(run=run)
    assert store.snapshot().is_live(segment)
    assert len(store.snapshot().segments("job_edges")) < 10


@pytest.mark.parametrize("bound", ["MERGE_BYTES", "MERGE_ROWS"])
def test_merges_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    for run in range(1, 8):
        store.commit(CommitKind.PLAN, states(run))
    paths = [segment.path for segment in store.snapshot().segments("job_edges")]
    sizes = [segment.size for segment in store.snapshot().segments("job_edges")]
    monkeypatch.setattr(compaction, bound, sum(sizes[:3]) if bound == "MERGE_BYTES" else 3)
    made = store.compact()
    assert made is not None
    assert [path for path in made.replaces if "job_edges" in path] == paths[:6]
    assert [segment.rows for segment in store.snapshot().segments("job_edges")] == [1, 3, 3]
    assert store.rows("SELECT count(DISTINCT run) FROM job_edges", tables=["job_edges"]) == [(7,)]


@pytest.mark.parametrize("bound", ["SMALL_BYTES", "SMALL_ROWS"])
def test_big_segments_are_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    for run in range(1, 4):
        store.commit(CommitKind.PLAN, states(run))
    monkeypatch.setattr(compaction, bound, 1)
    assert store.compact() is None


def test_the_store_compacts_itself_when_small_segments_pile_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY", 20)
    for run in range(1, 40):
        store.commit(CommitKind.PLAN, states(run))
    kinds = [commit.kind for commit in store.commits()]
    assert kinds.count(CommitKind.COMPACT) == 1
    assert kinds.index(CommitKind.COMPACT) == 32  # after commit 32, the first multiple of 16 with more than 20
    assert len(store.snapshot().segments("job_edges")) == 8
    assert store.rows("SELECT count(*), count(DISTINCT run) FROM job_edges", tables=["job_edges"]) == [(39, 39)]


def test_a_writer_waits_for_so_much_only_and_segments_stay_few(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """16 commits bring more than is merged at once: then it is merged more often."""
    monkeypatch.setattr(compaction, "MANY", 8)
    monkeypatch.setattr(compaction, "CARE_ROWS", 12)
    counts = []
    for run in range(1, 200):
        store.commit(CommitKind.PLAN, states(run))
        counts.append(max(len(store.snapshot().segments(table)) for table in ("job_edges", "workflows")))
    merged = [commit for commit in store.commits() if commit.kind is CommitKind.COMPACT]
    assert merged
    assert all(sum(segment.rows for segment in commit.segments) <= 12 for commit in merged)
    # What is left grows to 12 / 4 rows at least, and what came since the last merge is not more than five times MANY.
    assert counts[-1] <= 199 / 3 + 5 * 8
    assert store.rows("SELECT count(*), count(DISTINCT run) FROM job_edges", tables=["job_edges"]) == [(199, 199)]


def test_a_few_rows_do_not_make_many_be_written_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many segments there are that are too large to be merged on the way."""
    monkeypatch.setattr(compaction, "MANY", 8)
    monkeypatch.setattr(compaction, "CARE_INTERVAL", 1)
    large = Batch()
    for child in range(600):
        large.add("job_edges", run=0, parent=child, child=child)
    for _ in range(3):
        store.commit(CommitKind.PLAN, large)
    before = store.snapshot().segments("job_edges")
    for run in range(1, 40):
        store.commit(CommitKind.PLAN, states(run))
    merged = [commit for commit in store.commits() if commit.kind is CommitKind.COMPACT]
    assert len(merged) > 4
    assert all(store.snapshot().is_live(segment) for segment in before)
    assert sum(segment.rows for commit in merged for segment in commit.segments) < 2 * 40 * 4


@pytest.mark.parametrize("bound", ["CARE_BYTES", "CARE_SEGMENTS"])
def test_bytes_and_segments_that_are_merged_at_once_are_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(compaction, "MANY", 8)
    monkeypatch.setattr(compaction, bound, 5 if bound == "CARE_SEGMENTS" else 7_000)
    for run in range(1, 17):
        store.commit(CommitKind.PLAN, states(run))
    newest = list(store.commits())[-1]
    sizes = {segment.path: segment.size for commit in store.commits() for segment in commit.segments}
    assert newest.kind is CommitKind.COMPACT
    assert compaction.CARE_FEWEST <= len(newest.replaces) <= 5 or bound == "CARE_BYTES"
    assert sum(sizes[path] for path in newest.replaces) <= 7_000 or bound == "CARE_SEGMENTS"


def test_a_commit_stands_when_tidying_up_after_it_fails(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WriteFailedError("no space left on device")

    monkeypatch.setattr(compaction, "MANY", 2)
    monkeypatch.setattr(compaction, "CARE_INTERVAL", 1)
    monkeypatch.setattr(compaction, "_merged", fail)
    made = [store.commit(CommitKind.PLAN, states(run)) for run in range(1, 5)]
    assert [commit.number for commit in made if commit] == [1, 2, 3, 4]
    assert "small segments were not merged: no space left on device" in caplog.text
    store.tidy()  # at the end of a run, too
    with pytest.raises(WriteFailedError):
        store.compact()  # where it is what was asked for, its failure is one


def test_of_two_compactions_one_wins_and_the_other_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(1, 4):
        store.commit(CommitKind.PLAN, states(run))
    rival = Store.open(store.root)
    first_link(monkeypatch, lambda: rival.compact())

    assert store.compact() is None

    assert [commit.kind for commit in store.commits()].count(CommitKind.COMPACT) == 1
    assert store.rows("SELECT run, commit_number FROM job_edges ORDER BY 1", tables=["job_edges"]) == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    named = {segment.path for commit in store.commits() for segment in commit.segments}
    assert {path.relative_to(store.root).as_posix() for path in store.root.glob("segments/*/*")} == named


def test_a_compaction_that_a_writer_overtakes_takes_the_next_number(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(1, 4):
        store.commit(CommitKind.PLAN, states(run))
    rival = Store.open(store.root)
    first_link(monkeypatch, lambda: rival.commit(CommitKind.PLAN, states(4)))

    made = store.compact()

    assert made is not None
    assert made.number == 5
    assert store.rows("SELECT run, commit_number FROM job_edges ORDER BY 1", tables=["job_edges"]) == [
        (run, run) for run in range(1, 5)
    ]


def test_tables_that_a_rival_compacted_are_dropped_and_the_others_merged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(1, 4):
        store.commit(CommitKind.PLAN, states(run))
    rival = Store.open(store.root)

    def compact_one_table() -> None:
        real = compaction._groups
        with monkeypatch.context() as patch:
            patch.setattr(compaction, "_groups", lambda old: real(old) if old[0].table == "job_edges" else [])
            assert rival.compact() is not None

    first_link(monkeypatch, compact_one_table)
    made = store.compact()

    assert made is not None
    assert {segment.table for segment in made.segments} == {"workflows"}
    assert all("workflows" in path for path in made.replaces)
    assert len(store.snapshot().segments("job_edges")) == len(store.snapshot().segments("workflows")) == 1
    assert store.rows("SELECT count(*) FROM job_edges", tables=["job_edges"]) == [(3,)]


def first_link(monkeypatch: pytest.MonkeyPatch, rival: Callable[[], object]) -> None:
    """Let a rival act right before the first attempt to take a number."""
    real_link = os.link
    acted: list[bool] = []

    def link(source: Path, target: Path) -> None:
        if not acted:
            acted.append(True)
            rival()
        real_link(source, target)

    monkeypatch.setattr("os.link", link)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_compaction_that_the_disk_refuses_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    for run in range(1, 4):
        store.commit(CommitKind.PLAN, states(run))
    before = sorted(path for path in store.root.rglob("*") if path.is_file())
    _refuse_temporary(monkeypatch, failing)
    with pytest.raises(WriteFailedError, match="No space left on device"):
        store.compact()
    assert sorted(path for path in store.root.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_commit_that_the_disk_refuses_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    before = sorted(path for path in store.root.rglob("*") if path.is_file())
    _refuse_temporary(monkeypatch, failing)
    with pytest.raises(WriteFailedError, match="No space left on device"):
        store.commit(CommitKind.PLAN, states(1))
    assert sorted(path for path in store.root.rglob("*") if path.is_file()) == before


def _refuse_temporary(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """Let the disk be full when the ``failing``-th temporary file is written: one for each table, one for the commit."""
    written: list[int] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        written.append(descriptor)
        if len(written) == failing:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
