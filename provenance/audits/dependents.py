"""Which job made a file and which read it, in both directions: what was made with a file, and what it takes to make it
again. The edges are read once, when first asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.repair import Rerun
from provenance.audits.reproducing import command as command_line
from provenance.identity import FileId, JobId
from provenance.reading.views import Reading

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


_JOBS = """
SELECT j.run, j.job, j.id, w.name, w.run_id, w.submit_dir, w.kind FROM jobs AS j JOIN workflows AS w ON w.run = j.run
"""
_READS = """
SELECT r.file_source, r.file, r.run, r.job, coalesce(i.has_run, false) FROM reads AS r
LEFT JOIN (
    SELECT run, job, bool_or(duration_seconds IS NOT NULL) AS has_run FROM invocations GROUP BY run, job
) AS i ON i.run = r.run AND i.job = r.job
ORDER BY ALL
"""
_COMMANDS = """
SELECT run, job, arg_max(command, attempt) FROM invocations
WHERE (run, job) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])) AND command IS NOT NULL GROUP BY run, job
"""
_USES = """
SELECT DISTINCT run, job, CASE role WHEN 'input' THEN '--in' WHEN 'output' THEN '--out' ELSE '--inout' END AS option,
                name
FROM uses
WHERE (run, job) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])) AND role IN ('input', 'output', 'inout')
ORDER BY ALL
"""

_METADATA = """
SELECT source, number, key, written FROM metadata
WHERE entity = 'job' AND origin = 'static' AND NOT withdrawn AND written IS NOT NULL
      AND (source, number) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
ORDER BY source, number, key, position
"""


@dataclass(frozen=True, slots=True)
class Affected:
    """What was made with a file, each sorted and once: names of ``files`` and ids of ``jobs`` downstream; of these
    ``readers`` read the file itself.
    """

    files: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


NOTHING_AFFECTED = Affected()


@dataclass(frozen=True, slots=True)
class JobName:
    """What people call a job: its id in the workflow, the workflow's name, the id and the folder of the run; ``kind``
    of the run: workflow | exec.
    """

    id: str
    workflow: str
    run_id: str
    submit_dir: str
    kind: str


_UNPLANNED = JobName("?", "?", "?", "", "")
"""A job that nobody planned here."""


@dataclass(frozen=True, slots=True)
class _Edges:
    readers: Mapping[FileId, list[JobId]]
    """Jobs whose commands ran."""
    read: Mapping[JobId, list[FileId]]
    written: Mapping[JobId, list[FileId]]
    makers: Mapping[FileId, JobId]
    file_names: Mapping[FileId, str]
    jobs: Mapping[JobId, JobName]


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

    def of(self, source: int | None, file: int | None) -> Affected:
        """What was made with a file. A job whose command never ran has read nothing."""
        if source is None or file is None:
            return NOTHING_AFFECTED
        edges = self._edges
        files: set[FileId] = set()
        jobs: set[JobId] = set()
        waiting: list[FileId] = [(source, file)]
        while waiting:
            for job in edges.readers.get(waiting.pop(), ()):
                if job not in jobs:
                    jobs.add(job)
                    new = set(edges.written.get(job, ())) - files
                    files |= new
                    waiting.extend(new)
        files.discard((source, file))
        return Affected(
            tuple(sorted({edges.file_names[key] for key in files})),
            self._ids(jobs),
            self._ids(edges.readers.get((source, file), ())),
        )

    def _ids(self, jobs: Iterable[JobId]) -> tuple[str, ...]:
        return tuple(sorted({self._edges.jobs[key].id for key in jobs if key in self._edges.jobs}))

    def maker(self, file: FileId) -> JobId | None:
        """The job that made a file; None: no job did, or it is not known."""
        return self._edges.makers.get(file)

    def inputs(self, job: JobId) -> list[FileId]:
        """The files that a job read."""
        return self._edges.read.get(job, [])

    def reruns(self, jobs: Sequence[JobId]) -> tuple[Rerun, ...]:
        """The steps of a repair that run these jobs again, in their order."""
        named = {job: self._edges.jobs[job] for job in jobs if job in self._edges.jobs}
        commands = self._exec_commands({job: name for job, name in named.items() if name.kind == "exec"})
        steps = []
        for job in jobs:
            makes = tuple(sorted(self._edges.file_names[file] for file in self._edges.written.get(job, ())))
            name = named.get(job, _UNPLANNED)
            steps.append(Rerun(name.id, name.workflow, name.run_id, makes, name.submit_dir, commands.get(job)))
        return tuple(steps)

    def _exec_commands(self, jobs: Mapping[JobId, JobName]) -> dict[JobId, str]:
        """Each `pirene exec` as it was given, ready for a shell; what its standard streams were is not known."""
        if not jobs:
            return {}
        columns = [[run for run, _ in jobs], [job for _, job in jobs]]
        with Reading(self._store, self._snapshot) as reading:
            options: dict[JobId, list[str]] = {}
            for run, job, option, used in reading.rows(_USES, columns):
                options.setdefault((run, job), []).extend((option, str(used)))
            for run, job, key, written in reading.rows(_METADATA, columns):
                options.setdefault((run, job), []).extend(("-m", f"{key}={written}"))
            commands = {(run, job): command for run, job, command in reading.rows(_COMMANDS, columns)}
        given = {job: ["exec", *options.get(job, ()), "--", *command] for job, command in commands.items()}
        return {
            job: f"cd {shlex.quote(jobs[job].submit_dir)} && {command_line(self._store.storage, *words)}"
            for job, words in given.items()
        }


def _read(reading: Reading) -> _Edges:
    readers: dict[FileId, list[JobId]] = {}
    read: dict[JobId, list[FileId]] = {}
    written: dict[JobId, list[FileId]] = {}
    makers: dict[FileId, JobId] = {}
    names: dict[FileId, str] = {}
    for source, file, run, job, has_run in reading.rows(_READS):
        if has_run:
            readers.setdefault((source, file), []).append((run, job))
        read.setdefault((run, job), []).append((source, file))
    made = "SELECT source, file, job, name FROM files WHERE job IS NOT NULL ORDER BY source, file"
    for source, file, job, name in reading.rows(made):
        written.setdefault((source, job), []).append((source, file))
        makers[source, file] = (source, job)
        names[source, file] = str(name)
    jobs = {(run, job): JobName(str(id_), *map(str, rest)) for run, job, id_, *rest in reading.rows(_JOBS)}
    return _Edges(readers, read, written, makers, names, jobs)
