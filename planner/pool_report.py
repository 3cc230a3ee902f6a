"""What HTCondor says of a run: where it is on the pool, what befell its jobs, where to look; as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.engines.pool.events import EventKind
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.pool_status import PoolStatus, history, look
from provenance.answers.failures import JobEvent, job_events
from provenance.answers.runs import Run, job_ids
from provenance.store import Store
from query.terminal_text import harmless

_SHOWN_AT_MOST = 5
_BEFELL = (EventKind.HELD, EventKind.RELEASED, EventKind.EVICTED, EventKind.REMOVED)


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A run on the pool. ``ids`` are the ids in the workflow of all jobs, by number."""

    run: Run
    status: PoolStatus
    ids: Mapping[int, str]

    @property
    def dagman_out(self) -> Path:
        """What DAGMan says it does."""
        dag = PoolFolder.of(self.run.submit_dir).dag
        return dag.with_name(f"{dag.name}.dagman.out")

    def folder_of(self, job: int) -> Path:
        """A job's folder on the submit host; what its wrapper printed is in `stdout` and `stderr` there."""
        return PoolFolder.of(self.run.submit_dir).node(job)

    def as_json(self) -> dict[str, object]:
        """The value of `pool` in what `status` prints."""
        status = self.status
        return {
            "dagman": {"cluster": status.dagman, "state": status.dagman_state, "reason": status.dagman_reason},
            "idle": status.idle,
            "running": status.running,
            "held": [{"job": self.ids[held.job], "reason": held.reason} for held in status.held],
            "evictions": status.evictions,
            "vanished": [self.ids[job] for job in status.vanished],
            "problem": status.problem,
        }

    def as_text(self) -> Iterator[str]:
        """The block of lines that a person gets."""
        status = self.status
        why = f" ({harmless(status.dagman_reason)})" if status.dagman_reason else ""
        dagman = f"DAGMan {status.dagman} {status.dagman_state}{why}" if status.dagman else "no DAGMan was submitted"
        counts = [(status.idle, "idle"), (status.running, "running"), (len(status.held), "held")]
        jobs = ", ".join(f"{count} {word}" for count, word in counts if count) or "none in the queue"
        yield f"  pool     {dagman}; jobs: {jobs}; evictions so far: {status.evictions}"
        if status.problem is not None:
            yield f"           as its event logs say, for HTCondor does not answer: {harmless(status.problem)}"
        for held in status.held[:_SHOWN_AT_MOST]:
            yield f"  held     {harmless(self.ids[held.job])}: {harmless(held.reason)}"
        if len(status.held) > _SHOWN_AT_MOST:
            yield f"           and {len(status.held) - _SHOWN_AT_MOST} more"
        if status.vanished:
            names = ", ".join(harmless(self.ids[job]) for job in status.vanished[:_SHOWN_AT_MOST])
            more = f" and {len(status.vanished) - _SHOWN_AT_MOST} more" if len(status.vanished) > _SHOWN_AT_MOST else ""
            yield f"  vanished {names}{more}: submitted, not ended, and not in HTCondor's queue"

    def next_step(self) -> str | None:
        """What to do now about a run that HTCondor is, or was, at work on; None where that is no matter of the pool."""
        folder = harmless(str(self.run.submit_dir))
        if self.status.at_work:
            anything_held = self.status.held or self.status.dagman_state == "held"
            held = "`condor_release` lets held jobs go on; " if anything_held else ""
            return f"{held}`pirene run {folder}` watches the run, `pirene remove {folder}` ends it."
        if self.status.problem is None and self.status.dagman is not None:
            return f"HTCondor is not at work on it: `pirene run {folder}` takes in what has come, and goes on."
        return None


def pool_report(store: Store, run: Run) -> PoolReport | None:
    """What HTCondor says of a run now; None for a run that is not HTCondor's. Raises OSError."""
    if run.engine != "htcondor":
        return None
    return PoolReport(run, look(run.submit_dir, run.run_id), job_ids(store, run.run))


def befell(store: Store, run: Run) -> dict[int, list[JobEvent]]:
    """What befell the jobs of a run on the pool, by number, each in order of time: as recorded, and as the logs have it
    that nobody has read yet. Raises OSError.
    """
    known = set(job_events(store, run.run))
    if run.engine == "htcondor":
        known |= {
            JobEvent(event.job, event.kind.value, event.at, event.reason)
            for event in history(run.submit_dir)
            if event.kind in _BEFELL
        }
    by_job: dict[int, list[JobEvent]] = {}
    for event in sorted(known, key=lambda event: (event.job, event.at, event.state)):
        by_job.setdefault(event.job, []).append(event)
    return by_job
