"""What was made with a file: names of files and ids of jobs below it. The edges are read once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from provenance.views import fetch

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
    from provenance.store import Store

_Key = tuple[object, object]


class Dependents:
    """Looks up what depends on files, in one state of a store."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._edges: tuple[Mapping[_Key, list[_Key]], Mapping[_Key, list[_Key]]] | None = None

    def of(self, source: int | None, file: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(names of files, ids of jobs) that were made with a file, each sorted and once."""
        if source is None or file is None:
            return (), ()
        readers, written = self._all()
        files: set[_Key] = set()
        jobs: set[_Key] = set()
        waiting: list[_Key] = [(source, file)]
        while waiting:
            for job in readers.get(waiting.pop(), ()):
                if job not in jobs:
                    jobs.add(job)
                    new = set(written.get(job, ())) - files
                    files |= new
                    waiting.extend(new)
        files.discard((source, file))
        return self._names("files", "source", "file", "name", files), self._names("jobs", "run", "job", "id", jobs)

    def _all(self) -> tuple[Mapping[_Key, list[_Key]], Mapping[_Key, list[_Key]]]:
        if self._edges is None:
            readers: dict[_Key, list[_Key]] = {}
            written: dict[_Key, list[_Key]] = {}
            sql = "SELECT file_source, file, run, job FROM reads"
            for source, file, run, job in fetch(self._store, sql, snapshot=self._snapshot):
                readers.setdefault((source, file), []).append((run, job))
            sql = "SELECT source, file, job FROM files WHERE job IS NOT NULL"
            for source, file, job in fetch(self._store, sql, snapshot=self._snapshot):
                written.setdefault((source, job), []).append((source, file))
            self._edges = readers, written
        return self._edges

    def _names(self, table: str, one: str, other: str, name: str, keys: set[_Key]) -> tuple[str, ...]:
        """Names by key; the identifiers are those of the calls above, never text from outside."""
        sql = (
            f"SELECT DISTINCT {name} FROM {table}"
            f" WHERE ({one}, {other}) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])) ORDER BY 1"
        )
        if not keys:
            return ()
        columns = [[key[0] for key in keys], [key[1] for key in keys]]
        return tuple(str(row[0]) for row in fetch(self._store, sql, columns, snapshot=self._snapshot))
