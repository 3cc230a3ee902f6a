"""What was made with a file: names of files and ids of jobs below it. The edges are read once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.reading.views import Row, fetch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_Key = tuple[object, object]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Who read each file, what each job wrote, and what files and jobs are called."""

    readers: Mapping[_Key, list[_Key]]
    written: Mapping[_Key, list[_Key]]
    file_names: Mapping[_Key, str]
    job_ids: Mapping[_Key, str]


class Dependents:
    """Looks up what depends on files, in one state of a store."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._edges: _Edges | None = None

    def of(self, source: int | None, file: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(names of files, ids of jobs) that were made with a file, each sorted and once."""
        if source is None or file is None:
            return (), ()
        edges = self._edges = self._edges or self._read()
        files: set[_Key] = set()
        jobs: set[_Key] = set()
        waiting: list[_Key] = [(source, file)]
        while waiting:
            for job in edges.readers.get(waiting.pop(), ()):
                if job not in jobs:
                    jobs.add(job)
                    new = set(edges.written.get(job, ())) - files
                    files |= new
                    waiting.extend(new)
        files.discard((source, file))
        names = {edges.file_names[key] for key in files}
        ids = {edges.job_ids[key] for key in jobs if key in edges.job_ids}
        return tuple(sorted(names)), tuple(sorted(ids))

    def _read(self) -> _Edges:
        readers: dict[_Key, list[_Key]] = {}
        written: dict[_Key, list[_Key]] = {}
        names: dict[_Key, str] = {}
        for source, file, run, job in self._rows("SELECT file_source, file, run, job FROM reads"):
            readers.setdefault((source, file), []).append((run, job))
        for source, file, job, name in self._rows("SELECT source, file, job, name FROM files WHERE job IS NOT NULL"):
            written.setdefault((source, job), []).append((source, file))
            names[source, file] = str(name)
        ids = {(run, job): str(id_) for run, job, id_ in self._rows("SELECT run, job, id FROM jobs")}
        return _Edges(readers, written, names, ids)

    def _rows(self, sql: str) -> list[Row]:
        return fetch(self._store, sql, snapshot=self._snapshot)
