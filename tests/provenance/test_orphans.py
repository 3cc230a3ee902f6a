"""Orphans: what killed writers leave is named, what commits stand for is not."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from provenance.batch import Batch
from provenance.commits import CommitKind
from provenance.orphans import orphans, remove_orphans
from provenance.store import Store


def _commit(store: Store, run: int) -> None:
    batch = Batch()
    batch.add("job_edges", run=run)
    store.commit(CommitKind.PLAN, batch)


def _leave_behind(store: Store) -> list[Path]:
    left = [
        store.root / "0a.tmp",
        store.root / "commits" / "0b.tmp",
        store.root / "segments" / "files" / "000000000009-aa.parquet",
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
    assert store.rows("SELECT run FROM job_edges", tables=["job_edges"]) == [(1,)]
