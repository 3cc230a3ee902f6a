"""Runs by whatever a person calls them, and what became of their jobs."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from provenance.errors import StoreError
from provenance.history.snapshot import Snapshot
from provenance.reading.views import fetch
from provenance.storable import storable
from provenance.store import Store

_RUNS = """
    SELECT run, run_id, name, submit_dir, output_dir, engine, planned, kind FROM workflows
    WHERE kind = 'workflow' OR ?
    ORDER BY planned DESC, run_id DESC
"""
_SHOWN_AT_MOST = 5
_FEWEST_DIGITS = 8


class NoSuchRunError(StoreError):
    """Nothing, or more than one thing, in the store answers to what was given for a run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A planned run, as the store has it. ``run`` is the source of its ids; folders are absolute.

    ``kind`` workflow | exec; the folder of the latter is where the command ran, and no run's own.
    """

    run: int
    run_id: str
    name: str
    submit_dir: Path
    output_dir: Path
    engine: str
    planned: dt.datetime
    kind: str


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What became of a job: its last attempt's ``status`` (None: no attempt is known), attempts so far."""

    job: int
    id: str
    decision: str
    status: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run is: its last state (planned, running, succeeded, failed, incomplete), its jobs, its times."""

    state: str
    reason: str | None
    jobs: tuple[JobOutcome, ...]
    started: dt.datetime | None
    ended: dt.datetime | None

    def counts(self, later: Iterable[tuple[int, str]] = ()) -> dict[str, int]:
        """How many jobs: total = run + reused + not_run; run = succeeded + failed + integrity_failed.

        ``later`` are (job, status) of attempts that ended and are not in the store yet.
        """
        newest = dict(later)
        statuses = [(job.decision, newest.get(job.job, job.status)) for job in self.jobs]
        counts = {
            name: sum(status == name for _, status in statuses) for name in ("succeeded", "failed", "integrity_failed")
        }
        reused = sum(decision == "reuse" and status is None for decision, status in statuses)
        ran = sum(counts.values())
        return {
            "total": len(statuses),
            "run": ran,
            "reused": reused,
            **counts,
            "not_run": len(statuses) - ran - reused,
        }


def find_run(store: Store, given: str | None) -> Run:
    """The run that ``given`` means: its folder, the folder's name, its id, a workflow's name, or at least eight digits
    of an id at its start or end.

    Of several runs of one workflow the newest is meant; None means the newest of all. Raises NoSuchRunError.
    """
    runs = [
        Run(run, run_id, name, Path(submit_dir), Path(output_dir or submit_dir), engine, planned, kind)
        for run, run_id, name, submit_dir, output_dir, engine, planned, kind in store.rows(
            _RUNS,
            [given is not None],
            tables=["workflows"],
        )
    ]
    if given is None:
        matches = runs[:1]
    else:
        named = [run for run in runs if run.run_id == given.lower()] or [run for run in runs if run.name == given]
        matches = _by_folder(runs, given) or named[:1] or _by_part_of_id(runs, given)
    if len(matches) == 1:
        return matches[0]
    if not runs:
        raise NoSuchRunError(
            f"there is no run in the store {store.storage.location}", hint="`pirene run WORKFLOW.yml` makes one."
        )
    if matches:
        shown = ", ".join(run.run_id for run in matches[:_SHOWN_AT_MOST])
        raise NoSuchRunError(f"{given!r} is the id of {len(matches)} runs: {shown}", hint="Give more of it.")
    raise NoSuchRunError(
        f"no run {given!r} in the store {store.storage.location}",
        hint="Give a run folder, a run id or the name of a workflow; `pirene query workflows` lists them.",
    )


def run_state(store: Store, run: int) -> RunState:
    """Where a run is, as far as the store knows."""
    states = store.rows(
        'SELECT state, "at", reason FROM workflow_states_in_order WHERE run = ? ORDER BY commit_order, "at"',
        [run],
        tables=["workflow_states_in_order"],
    )
    jobs = fetch(store, _JOB_OUTCOMES, [run])
    state, at, reason = states[-1] if states else ("planned", None, None)
    return RunState(
        state,
        reason,
        tuple(JobOutcome(*row) for row in jobs),
        next((when for name, when, _ in states if name == "running"), None),
        at if state in ("succeeded", "failed", "incomplete") else None,
    )


def job_ids(store: Store, run: int) -> dict[int, str]:
    """The ids of all jobs of a run, by number."""
    return dict(store.rows("SELECT job, id FROM jobs WHERE run = ?", [run], tables=["jobs"]))


def last_state(store: Store, run: int, *, snapshot: Snapshot | None = None) -> str | None:
    """The state that the store heard of last; None if there is none."""
    rows = store.rows(
        'SELECT state FROM workflow_states_in_order WHERE run = ? ORDER BY commit_order DESC, "at" DESC LIMIT 1',
        [run],
        tables=["workflow_states_in_order"],
        snapshot=snapshot,
    )
    return rows[0][0] if rows else None


def failed_attempts(store: Store, run: int) -> set[tuple[int, int]]:
    """(job, attempt) that an engine called failed, whatever their records say."""
    rows = store.rows(
        "SELECT DISTINCT job, attempt FROM job_states WHERE run = ? AND state = 'failed'", [run], tables=["job_states"]
    )
    return {(job, attempt) for job, attempt in rows}


_JOB_OUTCOMES = """
    SELECT j.job, j.id, j.decision,
           CASE WHEN s.status IN ('succeeded', 'failed', 'integrity_failed') THEN s.status END, s.attempts
    FROM jobs j JOIN job_statuses s ON s.run = j.run AND s.job = j.job
    WHERE j.run = ?
    ORDER BY j.job
"""


def _by_folder(runs: list[Run], given: str) -> list[Run]:
    # As the folder was given when it was planned, and as the store holds it.
    path = Path(storable(os.path.abspath(given)))  # noqa: PTH100
    own = [run for run in runs if run.kind == "workflow"]
    return [run for run in own if run.submit_dir == path or run.submit_dir.name == storable(given)][:1]


def _by_part_of_id(runs: list[Run], given: str) -> list[Run]:
    """Ids of one hour start alike (UUIDv7), so their ends name them too. A word that is shorter is hardly meant so."""
    text = given.lower()
    if len(text) < _FEWEST_DIGITS:
        return []
    return [run for run in runs if run.run_id.startswith(text) or run.run_id.endswith(text)]
