"""Attempts whose records several stores have taken in: readers take their rows once, from who was first.

A pull names the runs that have such attempts. It is looked at again after each race that the pull lost: then only
what came since is read.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance.segments.damage import damage_named, intact

if TYPE_CHECKING:
    from provenance.history.commits import Segment
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_KEY = ("run", "job", "attempt")
"""Of an invocation record."""
_TABLE = "invocations"
_AMONG_SEGMENTS = (
    "SELECT DISTINCT run FROM new_attempts WHERE run IS NOT NULL GROUP BY run, job, attempt HAVING count(*) > 1"
)
_IN_STORE = f"""
SELECT DISTINCT new.run FROM new_attempts AS new JOIN {_TABLE} AS old ON new.run = old.run
    AND new.job IS NOT DISTINCT FROM old.job AND new.attempt IS NOT DISTINCT FROM old.attempt
WHERE old.commit_number > $1
"""


class TakenInTwice:
    """Runs of which new segments have attempts that another of them, or the store itself, has too."""

    def __init__(self, store: Store, segments: Iterable[Segment]) -> None:
        self._store = store
        parts = [_attempts(store, segment) for segment in segments if segment.table == _TABLE]
        self._new = pa.concat_tables(parts) if parts else None
        self._seen: int | None = None
        self._found: set[int] = set()

    def runs(self, snapshot: Snapshot) -> tuple[int, ...]:
        """As of a snapshot no older than the last one that was asked about; sorted."""
        if self._new is not None and snapshot.number != self._seen:
            self._look(self._new, snapshot, self._seen or 0)
            self._seen = snapshot.number
        return tuple(sorted(self._found))

    def _look(self, new: pa.Table, snapshot: Snapshot, seen: int) -> None:
        runs = pc.unique(pc.drop_null(new.column("run"))).to_pylist()
        holding = snapshot.holding(_TABLE, "run", runs)
        since = holding.since(_TABLE, seen) if seen else holding
        with self._store.connect() as connection, damage_named(self._store.storage, snapshot):
            connection.register("new_attempts", new)
            found = connection.execute(_AMONG_SEGMENTS).fetchall()
            if since is not None:
                self._store.define(connection, [_TABLE], since)
                found += connection.execute(_IN_STORE, [seen]).fetchall()
        self._found.update(run for (run,) in found)


def _attempts(store: Store, segment: Segment) -> pa.Table:
    """The keys of a segment's rows, each once."""
    data = pa.BufferReader(intact(store.storage, segment))
    return pq.read_table(data, columns=list(_KEY)).group_by(list(_KEY)).aggregate([])
