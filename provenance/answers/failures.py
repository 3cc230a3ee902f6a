"""Why jobs of a run failed: the last attempt of each, the checks that it did not pass, and what did not run because
of it; and what was done, with or without success, so that jobs do not fail.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.reading.views import fetch
from provenance.store import Store


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A file that was not what it must be. Digests are hex, None where unknown."""

    name: str
    url: str | None
    stage: str
    verdict: str
    finding: str | None
    expected_sha256: str | None
    actual_sha256: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A job whose last attempt failed. ``command`` starts with the executable; tails are the end of what it printed."""

    job: int
    id: str
    status: str
    failure: str | None
    attempts: int
    command: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    host: str | None
    work_dir: str | None
    stdout_tail: str
    stderr_tail: str
    checks: tuple[FailedCheck, ...]


@dataclass(frozen=True, slots=True)
class NotRun:
    """A job that did not run, and why."""

    id: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What befell a job on a pool: held | released | evicted | removed, when (UTC), and why in the pool's own words."""

    job: int
    state: str
    at: dt.datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done about an input that did not match, or about what followed from that. ``state`` is that of the job
    (docs/sql.md), ``attempt`` the one that it was about (None: the job is to run, after all or again).
    """

    id: str
    attempt: int | None
    state: str
    at: dt.datetime
    reason: str


def recoveries(store: Store, run: int) -> list[Recovery]:
    """All of that in ``run``, in order."""
    return [
        Recovery(id_, attempt, state, at.astimezone(dt.UTC), reason)
        for id_, attempt, state, at, reason in store.rows(_RECOVERIES, [run], tables=["jobs", "job_states_in_order"])
    ]


def failures(store: Store, run: int) -> list[Failure]:
    """Jobs of ``run`` whose last attempt failed, in the order of the plan."""
    checks: dict[tuple[int, int], list[FailedCheck]] = defaultdict(list)
    for job, attempt, *rest in store.rows(_CHECKS, [run], tables=["checks"]):
        name, url, stage, verdict, finding, expected, actual = rest
        checks[job, attempt].append(FailedCheck(name, url, stage, verdict, finding, _hex(expected), _hex(actual)))
    return [_failure(row, checks) for row in fetch(store, _FAILURES, [run])]


def job_events(store: Store, run: int) -> list[JobEvent]:
    """What is recorded of that for the jobs of ``run``, by job and time."""
    return [
        JobEvent(job, state, at.astimezone(dt.UTC), reason)
        for job, state, at, reason in store.rows(_JOB_EVENTS, [run], tables=["job_states"])
    ]


def _failure(row: tuple[Any, ...], checks: Mapping[tuple[int, int], list[FailedCheck]]) -> Failure:
    job, id_, status, failure, attempt, command, exit_code, signal, host, work_dir, stdout, stderr = row
    return Failure(
        job=job,
        id=id_,
        status=status,
        failure=failure,
        attempts=attempt,
        command=tuple(command or ()),
        exit_code=exit_code,
        signal=signal,
        host=host,
        work_dir=work_dir,
        stdout_tail=stdout,
        stderr_tail=stderr,
        checks=tuple(checks.get((job, attempt), ())),
    )


def not_run(store: Store, run: int) -> list[NotRun]:
    """Jobs of ``run`` that did not run because of a failure, in the order of the plan."""
    return [NotRun(*row) for row in store.rows(_NOT_RUN, [run, run], tables=["jobs", "job_states", "invocations"])]


_FAILURES = """
    SELECT j.job, j.id, s.status, coalesce(i.failure, e.reason), s.attempts, i.command, i.exit_code, i.signal, i.host,
           i.work_dir, coalesce(i.stdout_tail, ''), coalesce(i.stderr_tail, '')
    FROM jobs j
    JOIN job_statuses s ON s.run = j.run AND s.job = j.job AND s.status IN ('failed', 'integrity_failed')
    LEFT JOIN last_attempts i ON i.run = j.run AND i.job = j.job AND i.attempt = s.attempts
    LEFT JOIN (
        SELECT run, job, attempt, arg_max(reason, (commit_order, "at")) AS reason
        FROM job_states_in_order WHERE state = 'failed' GROUP BY run, job, attempt
    ) e ON e.run = j.run AND e.job = j.job AND e.attempt = s.attempts
    WHERE j.run = ?
    ORDER BY j.job
"""
_CHECKS = """
    SELECT job, attempt, name, url, stage, verdict, finding, expected_sha256, actual_sha256
    FROM checks
    WHERE run = ? AND verdict <> 'ok' AND job IS NOT NULL
      AND NOT (verdict = 'missing' AND finding IS NULL AND stage <> 'output')  -- an input that was allowed to be
    ORDER BY number
"""
_JOB_EVENTS = """
    SELECT DISTINCT job, state, "at", reason FROM job_states
    WHERE run = ? AND state IN ('held', 'released', 'evicted', 'removed')
    ORDER BY job, "at", state
"""
_RECOVERIES = """
    SELECT j.id, s.attempt, s.state, s."at", s.reason
    FROM job_states_in_order s JOIN jobs j ON j.run = s.run AND j.job = s.job
    WHERE s.run = ? AND (s.state IN ('recovering', 'unrecoverable', 'nondeterministic')
                         OR (s.state = 'submitted' AND s.reason IS NOT NULL))
    ORDER BY s.commit_order, s."at", s.job
"""
_NOT_RUN = """
    SELECT j.id, arg_max(s.reason, s."at")
    FROM jobs j JOIN job_states s ON s.run = j.run AND s.job = j.job AND s.state = 'not_run'
    WHERE j.run = ? AND j.job NOT IN (SELECT job FROM invocations WHERE run = ? AND status = 'succeeded')
    GROUP BY j.job, j.id ORDER BY j.job
"""


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else bytes(digest).hex()
