"""The summary of a run: one JSON shape for `run` and `status`, one block of text for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.run_folder import RunFolder
from provenance.checked_json import MalformedError
from provenance.records import read_record
from provenance.runs import Run, run_state
from provenance.store import Store
from query.terminal_text import harmless

EXIT_CODES = {"succeeded": 0, "failed": 1, "incomplete": 3}


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a run is. ``status`` succeeded | failed | incomplete (planned, running or interrupted); seconds so far."""

    run: Run
    store: str
    status: str
    state: str
    reason: str | None
    jobs: Mapping[str, int]
    duration_seconds: float

    def as_json(self) -> dict[str, object]:
        """The document that `run` and `status` print."""
        return {
            "run": self.run.run_id,
            "workflow": self.run.name,
            "status": self.status,
            "run_dir": str(self.run.submit_dir),
            "output_dir": str(self.run.output_dir),
            "store": self.store,
            "jobs": dict(self.jobs),
            "duration_seconds": round(self.duration_seconds, 6),
        }

    def as_text(self) -> str:
        """The same for a person."""
        jobs = self.jobs
        parts = [f"{jobs['succeeded']} succeeded"] + [
            f"{jobs[key]} {word}"
            for key, word in (
                ("reused", "reused"),
                ("failed", "failed"),
                ("integrity_failed", "refused (integrity)"),
                ("not_run", "not run"),
            )
            if jobs[key]
        ]
        why = f" ({self.reason})" if self.reason else ""
        return "\n".join(
            [
                harmless(f"{self.run.name}: {self.state}{why} in {self.duration_seconds:.1f} s"),
                f"  jobs     {jobs['total']}: {', '.join(parts)}",
                f"  outputs  {harmless(str(self.run.output_dir))}",
                f"  run      {harmless(str(self.run.submit_dir))}",
            ]
        )


def summarize(store: Store, run: Run, now_seconds: float) -> Summary:
    """Where ``run`` is: what the store knows, and the records in its folder that are still to be ingested.

    ``now_seconds`` is the time of day, for a run that goes on.
    """
    state = run_state(store, run.run)
    known = {(job.job, attempt) for job in state.jobs for attempt in range(1, job.attempts + 1)}
    later = sorted(
        (record.job, record.attempt, record.path)
        for record in RunFolder(run.submit_dir).spooled()
        if (record.job, record.attempt) not in known
    )
    statuses = [(job, status) for job, _, path in later if (status := _status(path)) is not None]
    started = state.started.timestamp() if state.started else now_seconds
    ended = state.ended.timestamp() if state.ended else now_seconds
    return Summary(
        run=run,
        store=str(store.root),
        status=state.state if state.state in ("succeeded", "failed") else "incomplete",
        state=state.state,
        reason=state.reason,
        jobs=state.counts(statuses),
        duration_seconds=max(0.0, ended - started),
    )


def _status(record: Path) -> str | None:
    """How an attempt ended, by its record; None if that cannot be believed: ingest says so, nobody counts it."""
    try:
        return read_record(record.read_bytes()).status
    except MalformedError:
        return None
