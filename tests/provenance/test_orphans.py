"""Orphans: what killed writers leave is named, what commits stand for is not."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from provenance.answers.facts import Thing
from provenance.check.findings import Kind
from provenance.check.whole import check_store
from provenance.erasure import erasure
from provenance.exchange import pull
from provenance.history import commits
from provenance.history.commits import Commit, CommitKind
from provenance.orphans import orphans, remove_orphans
from provenance.publishing import compaction, publication
from provenance.segments.batch import Batch
from provenance.storage.interface import Storage
from provenance.store import Store
from query.vocabulary import Entity

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


def _commit(store: Store, run: int) -> None:
    batch = Batch()
    batch.add("job_edges", run=run)
    store.commit(CommitKind.PLAN, batch)


def _leave_behind(store: Store) -> list[Path]:
    left = [
        store.root / "0a.tmp",
        store.root / "commits" / "0b.tmp",
        store.root / "segments" / "files" / "000000000001-aa.parquet",
        store.root / "segments" / "files" / "000000000009-bb.parquet.tmp",
    ]
    for path in left:
        path.write_bytes(b"123")
    return left


def test_what_killed_writers_left_is_named_and_nothing_else(store: Store) -> None:
    _commit(store, 1)
    _commit(store, 2)
    store.compact()  # superseded segments belong to the commits that brought them
    store.project()
    assert orphans(store) == []

    left = _leave_behind(store)
    assert [store.root / orphan.name for orphan in orphans(store)] == sorted(left)
    assert {orphan.size_bytes for orphan in orphans(store)} == {3}


def test_only_old_ones_are_removed(store: Store) -> None:
    _commit(store, 1)
    left = _leave_behind(store)
    two_days_ago = (dt.datetime.now(dt.UTC) - dt.timedelta(days=2)).timestamp()
    os.utime(left[0], (two_days_ago, two_days_ago))
    os.utime(left[2], (two_days_ago, two_days_ago))

    assert [store.root / orphan.name for orphan in remove_orphans(store)] == sorted([left[0], left[2]])
    assert [store.root / orphan.name for orphan in orphans(store)] == sorted([left[1], left[3]])
    assert len(remove_orphans(store, older_than=dt.timedelta(0))) == 2
    assert orphans(store) == []
    assert store.rows("SELECT run FROM job_edges", tables=["job_edges"]) == [(1,)]


# However long a writer was stopped


Writer = Callable[[Store, Store], object]
"""Makes a commit in the first store, which has two commits with job edges; the second is another one."""


def _compact(store: Store, other: Store) -> object:
    return store.compact()


def _pull(store: Store, other: Store) -> object:
    """What comes as it is, and what comes in part."""
    pull.pull(store, other)
    _commit(other, 7)
    other.compact()
    _commit(other, 8)
    return pull.pull(store, other)


def _erase(store: Store, other: Store) -> object:
    thing = Thing(Entity.JOBS, 1, 1, "1", "a job")
    return erasure.erase(store, erasure.Target((thing,), output=True), "asked to")


@pytest.mark.parametrize(("lost", "each_time"), [(0, True), (2, False), (1, True)])
@pytest.mark.parametrize(
    ("module", "write"),
    [
        pytest.param(publication, lambda store, other: _commit(store, 3), id="commit"),
        pytest.param(compaction, _compact, id="compact"),
        pytest.param(pull, _pull, id="pull"),
        pytest.param(erasure, _erase, id="erase"),
    ],
)
def test_no_commit_names_what_was_removed_while_its_writer_was_stopped(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    write: Writer,
    lost: int,
    each_time: bool,
) -> None:
    """A writer loses races, and before it publishes orphans are removed as if a day had passed; or also before that."""
    for run in (1, 2):
        batch = Batch()
        batch.add("job_edges", run=run)
        batch.add("invocations", run=run, job=1, attempt=1, status="succeeded", stdout_tail="secret")
        store.commit(CommitKind.PLAN, batch)
    other = Store.open(tmp_path / "other")
    for run in (5, 6):
        _commit(other, run)
    rival, publish, races = Store.open(store.root), commits.publish, [0]

    def stopped(storage: Storage, commit: Commit) -> bool:
        if storage is not store.storage:
            return publish(storage, commit)
        if is_lost := races[0] < lost:
            races[0] += 1
            batch = Batch()
            batch.add("workflow_states", run=races[0], state="planned", at=AT)
            with monkeypatch.context() as patch:
                patch.setattr(publication, "publish", publish)
                rival.commit(CommitKind.PLAN, batch)
        if each_time or not is_lost:
            remove_orphans(rival, older_than=dt.timedelta(0))
        return publish(storage, commit)

    before = store.snapshot().number
    monkeypatch.setattr(module, "publish", stopped)
    write(store, other)
    assert races == [lost]
    # A compaction that finds its work gone leaves it to the next.
    assert store.snapshot().number > before + lost or (module is compaction and lost == 1)
    found = {finding.kind for finding in check_store(store.storage).findings} - {Kind.DANGLING}
    assert found <= {Kind.ORPHAN}
    remove_orphans(rival, older_than=dt.timedelta(0))
    assert orphans(store) == []


def test_whose_turn_may_still_come_keeps_its_files(store: Store) -> None:
    """Neither the next commit's segments nor commits that were not pulled yet are nobody's, however old."""
    _commit(store, 1)
    names = [
        f"foreign/{uuid.UUID(int=1)}/000000000001-{'ab' * 32}.jsonl",
        "segments/files/000000000002-aa.parquet",
    ]
    for name in names:
        (store.root / name).parent.mkdir(parents=True, exist_ok=True)
        (store.root / name).write_bytes(b"1")
    assert remove_orphans(store, older_than=dt.timedelta(0)) == []
    assert [orphan.name for orphan in orphans(store)] == names
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    advice = {finding.path: finding.advice for finding in check_store(store.storage, now=later).findings}
    assert {advice[name] for name in names} == {
        "its writer may only have been stopped: `pirene store check --repair` removes it once a commit has taken its place"
    }
    _commit(store, 2)
    assert [orphan.name for orphan in remove_orphans(store, older_than=dt.timedelta(0))] == names[1:]
