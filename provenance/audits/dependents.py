"""Which job made a file and which read it, in both directions: what was made with a file, and what it takes to make it
again. The edges are read once, when first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.reading.views import Reading

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

FileKey = tuple[int, int]
"""(source, file)."""
JobKey = tuple[int, int]
"""(run, job)."""


@dataclass(frozen=True, slots=True)
class JobName:
    """What people call a job: its id in the workflow, the workflow's name, the id and the folder of the run."""

    id: str
    workflow: str
    run_id: str
    submit_dir: str


@dataclass(frozen=True, slots=True)
class _Edges:
    readers: Mapping[FileKey, list[JobKey]]
    read: Mapping[JobKey, list[FileKey]]
    written: Mapping[JobKey, list[FileKey]]
    makers: Mapping[FileKey, JobKey]
    file_names: Mapping[FileKey, str]
    jobs: Mapping[JobKey, JobName]


class Dependents:
    """Looks up what depends on what, in one state of a store."""

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self._store = store
        self._snapshot = snapshot
        self._found: _Edges | None = None

    @property
    def _edges(self) -> _Edges:
        if self._found is None:
            with Reading(self._store, self._snapshot) as reading:
                self._found = _read(reading)
        return self._found

    def of(self, source: int | None, file: int | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(names of files, ids of jobs) that were made with a file, each sorted and once."""
        if source is None or file is None:
            return (), ()
        edges = self._edges
        files: set[FileKey] = set()
        jobs: set[JobKey] = set()
        waiting: list[FileKey] = [(source, file)]
        while waiting:
            for job in edges.readers.get(waiting.pop(), ()):
                if job not in jobs:
                    jobs.add(job)
                    new = set(edges.written.get(job, ())) - files
                    files |= new
                    waiting.extend(new)
        files.discard((source, file))
        names = {edges.file_names[key] for key in files}
        ids = {edges.jobs[key].id for key in jobs if key in edges.jobs}
        return tuple(sorted(names)), tuple(sorted(ids))

    def maker(self, file: FileKey) -> JobKey | None:
        """The job that made a file; None: no job did, or it is not known."""
        return self._edges.makers.get(file)

    def inputs(self, job: JobKey) -> list[FileKey]:
        """The files that a job read."""
        return self._edges.read.get(job, [])

    def outputs(self, job: JobKey) -> list[FileKey]:
        """The files that a job wrote."""
        return self._edges.written.get(job, [])

    def file_name(self, file: FileKey) -> str:
        """The name of a file that a job made."""
        return self._edges.file_names[file]

    def job_name(self, job: JobKey) -> JobName | None:
        """What a job is called; None where nobody planned it here."""
        return self._edges.jobs.get(job)


def _read(reading: Reading) -> _Edges:
    readers: dict[FileKey, list[JobKey]] = {}
    read: dict[JobKey, list[FileKey]] = {}
    written: dict[JobKey, list[FileKey]] = {}
    makers: dict[FileKey, JobKey] = {}
    names: dict[FileKey, str] = {}
    for source, file, run, job in reading.rows("SELECT file_source, file, run, job FROM reads ORDER BY ALL"):
        readers.setdefault((source, file), []).append((run, job))
        read.setdefault((run, job), []).append((source, file))
    made = "SELECT source, file, job, name FROM files WHERE job IS NOT NULL ORDER BY source, file"
    for source, file, job, name in reading.rows(made):
        written.setdefault((source, job), []).append((source, file))
        makers[source, file] = (source, job)
        names[source, file] = str(name)
    planned = "SELECT j.run, j.job, j.id, w.name, w.run_id, w.submit_dir FROM jobs j JOIN workflows w ON w.run = j.run"
    jobs = {(run, job): JobName(str(id_), *map(str, rest)) for run, job, id_, *rest in reading.rows(planned)}
    return _Edges(readers, read, written, makers, names, jobs)
