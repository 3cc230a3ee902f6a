"""What the store knows of successful invocations that the jobs of a plan could be reused from, or compared with.

Everything is asked for once, for all jobs of a plan: one query by the names of outputs, one by the ids of jobs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from provenance.storable import storable
from provenance.store import Store

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class PastOutput:
    """A file that a past success wrote."""

    source: int
    file: int
    name: str
    sha256: bytes
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class PastSuccess:
    """A successful attempt: of job ``id`` of the run ``run_id``, with what it wrote, by name; ``retired`` are names of
    what it wrote that nobody is to use any more, which is not among the outputs.
    """

    run: int
    job: int
    run_id: str
    id: str
    key: bytes
    outputs: Mapping[str, PastOutput]
    retired: Collection[str] = ()

    @property
    def owner(self) -> tuple[int, int]:
        """The job, as the store names it."""
        return (self.run, self.job)


@dataclass(frozen=True, slots=True)
class PastJob:
    """A past success to compare a job with: what it was run with, as seen by the wrapper where that saw it."""

    run: int
    job: int
    attempt: int
    arguments: tuple[str, ...]
    environment: tuple[str, ...]
    executable: str | None
    key: bytes | None
    executable_sha256: bytes | None = None
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    outputs: frozenset[str] = frozenset()


class History:
    """Past successes by reuse key, newest first, and those that disagree about what a key gives."""

    def __init__(self, successes: Iterable[PastSuccess]) -> None:
        self._by_key: dict[bytes, list[PastSuccess]] = defaultdict(list)
        for success in successes:
            self._by_key[success.key].append(success)

    def of(self, key: bytes) -> list[PastSuccess]:
        """The successes with this key, newest first."""
        return self._by_key.get(key, [])

    def disagreement(self, key: bytes) -> tuple[PastOutput, PastOutput] | None:
        """Two outputs of one name and different bytes that one key gave; None if all agree."""
        first: dict[str, PastOutput] = {}
        for success in self.of(key):
            for name, output in success.outputs.items():
                other = first.setdefault(name, output)
                if other.sha256 != output.sha256:
                    return output, other
        return None


def load_history(store: Store, outputs: Collection[str]) -> History:
    """All successes with a reuse key that wrote a file called like one of ``outputs``.

    Files that were retired are left out: nobody wants them again, and what they held is no evidence any more.
    """
    if not outputs:
        return History(())
    rows: Rows = store.rows(
        _SUCCESSES,
        [sorted({storable(name) for name in outputs})],
        tables=["invocations", "uses", "jobs", "workflows", "replicas", "replicas_in_order"],
    )
    found: dict[tuple[int, int, int], PastSuccess] = {}
    written: dict[tuple[int, int, int], dict[str, PastOutput]] = defaultdict(dict)
    retired: dict[tuple[int, int, int], set[str]] = defaultdict(set)
    for run, job, attempt, run_id, job_id, key, source, file, name, sha256, size, is_retired in rows:
        this = (run, job, attempt)
        if this not in found:
            found[this] = PastSuccess(run, job, run_id, job_id, key, written[this], retired[this])
        if is_retired:
            retired[this].add(name)
        else:
            written[this][name] = PastOutput(source, file, name, sha256, size)
    return History(found.values())


_SUCCESSES = """
    WITH retired AS (  -- as the view file_states has it: some copy is, and no other one is good
        SELECT source, file FROM (
            SELECT source, file, arg_max(event, (commit_order, "at")) AS event
            FROM replicas_in_order SEMI JOIN (FROM replicas WHERE event = 'retired') AS ever USING (source, file)
            WHERE event <> 'verified'
            GROUP BY source, file, url
        )
        GROUP BY source, file
        HAVING bool_or(event = 'retired') AND NOT bool_or(event IN ('registered', 'reinstated'))
    ),
    wanted AS (
        SELECT DISTINCT run, job, attempt FROM uses
        WHERE direction = 'write' AND name IN (SELECT unnest(?))
    )
    SELECT i.run, i.job, i.attempt, coalesce(w.run_id, ''), coalesce(j.id, ''), i.reuse_key,
           u.source, u.file, u.name, u.sha256, u.size_bytes, r.source IS NOT NULL
    FROM wanted
    JOIN invocations i ON i.run = wanted.run AND i.job = wanted.job AND i.attempt = wanted.attempt
    JOIN uses u ON u.run = i.run AND u.job = i.job AND u.attempt = i.attempt AND u.direction = 'write'
    LEFT JOIN jobs j ON j.run = i.run AND j.job = i.job
    LEFT JOIN workflows w ON w.run = i.run
    LEFT JOIN retired r ON r.source = u.source AND r.file = u.file
    WHERE i.status = 'succeeded' AND i.reuse_key IS NOT NULL AND u.sha256 IS NOT NULL
      AND u.role IN ('output', 'inout')
    ORDER BY i.ended DESC, i.run, i.job, i.attempt DESC
"""


def keys_that_made(
    store: Store, contents: Collection[tuple[str, bytes]]
) -> Mapping[tuple[str, bytes], set[bytes | None]]:
    """The keys of the jobs that the store saw write a file of this name (as it is stored) and content; None for a job
    without a key.
    """
    found: dict[tuple[str, bytes], set[bytes | None]] = defaultdict(set)
    if not contents:
        return found
    pairs = sorted(contents)
    rows: Rows = store.rows(
        _MAKERS,
        [[name for name, _ in pairs], [digest for _, digest in pairs]],
        tables=["uses", "invocations"],
    )
    for name, sha256, key in rows:
        found[name, sha256].add(key)
    return found


_MAKERS = """
    SELECT DISTINCT u.name, u.sha256, i.reuse_key
    FROM (SELECT unnest(?) AS name, unnest(?) AS sha256) wanted
    JOIN uses u ON u.name = wanted.name AND u.sha256 = wanted.sha256
    JOIN invocations i ON i.run = u.run AND i.job = u.job AND i.attempt = u.attempt
    WHERE u.direction = 'write'
"""


def load_past_jobs(
    store: Store, workflow: str, wanted: Mapping[str, tuple[str | None, str | None]]
) -> Mapping[str, PastJob]:
    """The newest success of each job id with the same transformation (``wanted``: id -> namespace, name).

    Runs of a workflow of the same name are preferred to others. A reused job stands for the one that it was reused
    from.
    """
    if not wanted:
        return {}
    ids = list(wanted)
    parameters = [ids, [wanted[each][0] for each in ids], [wanted[each][1] for each in ids], workflow]
    rows: Rows = store.rows(_PAST_JOBS, parameters, tables=["jobs", "invocations", "workflows"])
    found = {
        job_id: PastJob(run, job, attempt, tuple(arguments or ()), tuple(environment or ()), executable, key)
        for job_id, run, job, attempt, arguments, environment, executable, key in rows
    }
    return _with_files(store, found)


_PAST_JOBS = """
    WITH wanted AS (SELECT unnest(?) AS id, unnest(?) AS namespace, unnest(?) AS name),
    candidates AS (
        SELECT j.id, coalesce(j.reused_run, j.run) AS run, coalesce(j.reused_job, j.job) AS job,
               w.name = ? AS same, w.planned
        FROM wanted
        JOIN jobs j ON j.id = wanted.id AND j.name = wanted.name AND j.namespace IS NOT DISTINCT FROM wanted.namespace
        LEFT JOIN workflows w ON w.run = j.run
    ),
    ranked AS (
        SELECT c.id, i.run, i.job, i.attempt, i.reuse_key,
               row_number() OVER (
                   PARTITION BY c.id ORDER BY c.same DESC NULLS LAST, c.planned DESC NULLS LAST, i.ended DESC, i.run
               ) AS place
        FROM candidates c
        JOIN invocations i ON i.run = c.run AND i.job = c.job AND i.status = 'succeeded'
    )
    SELECT r.id, r.run, r.job, r.attempt, j.arguments, j.environment, j.executable, r.reuse_key
    FROM ranked r
    JOIN jobs j ON j.run = r.run AND j.job = r.job
    WHERE r.place = 1
"""


def _with_files(store: Store, jobs: Mapping[str, PastJob]) -> Mapping[str, PastJob]:
    """The same jobs with what they read and wrote."""
    if not jobs:
        return {}
    by_attempt = {(job.run, job.job, job.attempt): job_id for job_id, job in jobs.items()}
    keys = list(by_attempt)
    rows: Rows = store.rows(_FILES, [[key[place] for key in keys] for place in range(3)], tables=["uses"])
    inputs: dict[str, dict[str, bytes]] = defaultdict(dict)
    outputs: dict[str, set[str]] = defaultdict(set)
    executables: dict[str, bytes] = {}
    for run, job, attempt, name, role, direction, sha256 in rows:
        job_id = by_attempt[run, job, attempt]
        if role == "executable":
            executables[job_id] = sha256
        elif direction == "write":
            outputs[job_id].add(name)
        elif role != "checkpoint":
            inputs[job_id][name] = sha256
    return {
        job_id: PastJob(
            job.run,
            job.job,
            job.attempt,
            job.arguments,
            job.environment,
            job.executable,
            job.key,
            executables.get(job_id),
            inputs[job_id],
            frozenset(outputs[job_id]),
        )
        for job_id, job in jobs.items()
    }


_FILES = """
    SELECT u.run, u.job, u.attempt, u.name, u.role, u.direction, u.sha256
    FROM (SELECT unnest(?) AS run, unnest(?) AS job, unnest(?) AS attempt) wanted
    JOIN uses u ON u.run = wanted.run AND u.job = wanted.job AND u.attempt = wanted.attempt
"""
