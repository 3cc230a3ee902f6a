"""Segments made again from others, in both directions; what cannot be proven is not put there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance.check.findings import Kind, Repair, Report, Verdict
from provenance.check.mending import check_and_mend
from provenance.history.commits import Commit, CommitKind
from provenance.schema import TABLES
from provenance.segments.batch import Batch
from provenance.store import Store


@pytest.fixture
def merged_twice(store: Store, full_batch: Callable[..., Batch]) -> list[Commit]:
    """Commits 1, 2, 3 = 1 + 2, 4, 5 = 3 + 4: each touches all tables, with every kind of value."""
    made = [store.commit(CommitKind.PLAN, full_batch(1, 9)), store.commit(CommitKind.PLAN, full_batch(10, 19))]
    made += [store.compact(), store.commit(CommitKind.PLAN, full_batch(20, 23)), store.compact()]
    commits = [commit for commit in made if commit is not None]
    assert [len(commit.segments) for commit in commits] == [len(TABLES)] * 5
    return commits


def damage(store: Store, commit: Commit, how: Callable[[Path], object]) -> dict[Path, str]:
    """Damage all segments of a commit; their digests."""
    for segment in commit.segments:
        path = store.root / segment.path
        path.chmod(0o644)
        how(path)
    return {store.root / segment.path: segment.sha256 for segment in commit.segments}


def spoil(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


def mend(store: Store) -> Report:
    return check_and_mend(store.storage, repair=True)


def of_segments(report: Report) -> list[Repair]:
    return [one for one in report.repairs if one.path.startswith("segments/")]


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("how", [spoil, Path.unlink])
def test_any_one_generation_is_made_again_from_the_others(
    store: Store, merged_twice: list[Commit], position: int, how: Callable[[Path], object]
) -> None:
    """Original, merged and merged again; live and superseded; byte for byte, as another program hashes it."""
    digests = damage(store, merged_twice[position], how)
    report = mend(store)
    damaged = [one.kind for one in report.findings if one.path.startswith("segments/")]
    assert damaged == []
    assert {store.root / one.path for one in report.repairs if one.done} >= digests.keys()
    for path, digest in digests.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_several_generations_at_once_are_made_again_as_long_as_the_rows_are_somewhere(
    store: Store, merged_twice: list[Commit]
) -> None:
    for position in (0, 1, 2, 3):
        damage(store, merged_twice[position], Path.unlink)
    assert {one.done for one in of_segments(mend(store))} == {True}
    damage(store, merged_twice[2], Path.unlink)
    damage(store, merged_twice[4], Path.unlink)
    assert {one.done for one in of_segments(mend(store))} == {True}


def test_what_is_nowhere_else_is_not_made_up(store: Store, merged_twice: list[Commit]) -> None:
    for position in (0, 2, 4):  # the rows of commit 1 are in these
        damage(store, merged_twice[position], Path.unlink)
    report = mend(store)
    assert report.verdict is Verdict.DAMAGED
    assert {one.done for one in of_segments(report)} == {False}
    assert {one.what for one in of_segments(report)} == {
        "no other intact segments hold its rows: restore it from a backup"
    }
    missing = [one for one in report.findings if one.kind is Kind.MISSING]
    assert len(missing) == 3 * len(TABLES)


def test_bytes_that_were_not_committed_are_not_put_there(
    store: Store, merged_twice: list[Commit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another version of pyarrow would make them."""
    digests = damage(store, merged_twice[4], spoil)
    monkeypatch.setattr("provenance.segments.encodings.ROW_GROUP_ROWS", 5)
    before = {path: path.read_bytes() for path in digests}
    report = mend(store)
    refused = [one for one in report.repairs if "not byte for byte what was committed" in one.what]
    assert len(refused) >= len(TABLES) - 2  # few tables have fewer than five rows to a group
    assert not any(one.done for one in refused)
    assert all((store.root / one.path).read_bytes() == before[store.root / one.path] for one in refused)


def test_repair_removes_what_is_a_day_old_and_makes_anew_what_is_made_from_commits(lived_in: Store) -> None:
    old, young = lived_in.root / "commits" / "a.tmp", lived_in.root / "segments" / "files" / "9-9.parquet"
    for path in (old, young):
        path.write_bytes(b"12345")
    os.utime(old, times=(time.time() - 90_000,) * 2)
    with (lived_in.root / "lake.sqlite").open("r+b") as file:
        file.truncate(5000)
    report = check_and_mend(lived_in.storage)
    assert report.verdict is Verdict.CLEAN
    found = {one.path: (one.kind, one.found, one.advice) for one in report.findings}
    assert found["commits/a.tmp"] == (Kind.ORPHAN, "5 bytes, 25 hours old", "`pirene store check --repair` removes it")
    assert found["segments/files/9-9.parquet"][0] is Kind.ORPHAN
    assert found["lake.sqlite"][0] is Kind.STALE
    assert report.repairs == ()

    report = mend(lived_in)
    assert [one.path for one in report.findings] == ["segments/files/9-9.parquet"]
    assert {one.path for one in report.repairs} == {"commits/a.tmp", "lake.sqlite"}
    assert not old.exists()
    assert young.exists()


def test_where_a_commit_is_missing_no_segment_is_taken_for_an_orphan(lived_in: Store) -> None:
    """Its segments are named by nobody else: they are what a backup of that commit would need."""
    (lived_in.root / "commits" / "000000000003.json").unlink()
    segments = sorted((lived_in.root / "segments").rglob("*.parquet"))
    for path in segments:
        os.utime(path, times=(time.time() - 90_000,) * 2)
    report = mend(lived_in)
    assert sorted((lived_in.root / "segments").rglob("*.parquet")) == segments
    assert report.verdict is Verdict.DAMAGED
    (repair,) = report.repairs
    assert (repair.path, repair.done) == ("commits/000000000003.json", False)
    assert "nothing else in the store holds it" in repair.what


def test_of_several_merges_of_a_table_in_one_commit_each_is_made_again(
    store: Store, full_batch: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenance.publishing.compaction.MERGE_ROWS", 12)
    for first in (1, 7, 13, 19):
        store.commit(CommitKind.PLAN, full_batch(first, first + 5))
    made = store.compact()
    assert made is not None
    assert len(made.segments) == 2 * len(TABLES)
    digests = damage(store, made, Path.unlink)
    assert {one.done for one in of_segments(mend(store))} == {True}
    assert {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in digests} == digests
