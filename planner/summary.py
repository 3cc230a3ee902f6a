"""The summary of a run: one JSON shape for `run` and `status`, one block of text for people."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.command_spool import Spool
from planner.run_folder import RunFolder
from provenance.answers.failures import recoveries
from provenance.answers.runs import Run, run_state
from provenance.checked_json import MalformedError
from provenance.ingest.quarantine import quarantined
from provenance.ingest.record_files import record_bytes
from provenance.ingest.record_reader import read_record
from provenance.ingest.records import Record
from provenance.store import Store
from query.context import amount
from query.terminal_text import harmless

EXIT_CODES = {"succeeded": 0, "failed": 1, "incomplete": 3}


@dataclass(frozen=True, slots=True)
class Summary:
    """Where a run is. ``status`` succeeded | failed | incomplete (planned, running or interrupted); seconds so far.

    ``quarantined``: how many of its records, or reports of its jobs, could not be taken in. ``recoveries``: what was
    done about inputs that did not match, in steps.
    """

    run: Run
    store: str
    status: str
    state: str
    reason: str | None
    jobs: Mapping[str, int]
    quarantined: int
    recoveries: int
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
            "quarantined": self.quarantined,
            "recoveries": self.recoveries,
            "duration_seconds": round(self.duration_seconds, 6),
        }

    def as_text(self) -> str:
        """The same for a person."""
        parts = [
            f"{self.jobs[key]} {word}"
            for key, word in (
                ("succeeded", "succeeded"),
                ("reused", "reused"),
                ("failed", "failed"),
                ("integrity_failed", "refused (integrity)"),
                ("not_run", "to go" if self.status == "incomplete" else "not run"),
            )
            if self.jobs[key]
        ]
        # How many jobs of a workflow failed is said by their counts, in which earlier attempts count too.
        counted = self.state == "failed" and self.run.kind == "workflow"
        why = f" ({self.reason})" if self.reason and not counted else ""
        # A plan has not begun, and an unfinished run has no end: only what ended took some time.
        how_long = {"planned": "", "running": " for", "incomplete": " after"}.get(self.state, " in")
        how_long += f" {self.duration_seconds:.1f} s" if how_long else ""
        lines = [
            harmless(f"{self.run.name}: {self.state}{why}{how_long}"),
            f"  jobs     {self.jobs['total']}: {', '.join(parts) or 'none'}",
            f"  outputs  {harmless(str(self.run.output_dir))}",
            f"  run      {harmless(str(self.run.submit_dir))}",
        ]
        if self.quarantined:
            what = "1 record or report" if self.quarantined == 1 else amount(self.quarantined, "records or reports")
            lines.append(f"  warning  {what} of its jobs could not be taken in; `pirene store info` says why")
        if self.recoveries:
            what = "1 step was" if self.recoveries == 1 else f"{amount(self.recoveries, 'steps')} were"
            lines.append(f"  warning  inputs did not match: {what} taken; `pirene analyze` tells them")
        return "\n".join(lines)

    def next_step(self) -> str | None:
        """What to do now, for a person; None if there is nothing."""
        folder = harmless(str(self.run.submit_dir))
        if self.run.kind != "workflow":
            return None
        match self.state:
            case "failed":
                return f"`pirene analyze {folder}` says why."
            case "planned":
                return f"`pirene run {folder}` runs it."
            case "running":
                return f"If nothing is at work on it any more, `pirene run {folder}` goes on."
            case "incomplete":
                return f"`pirene run {folder}` goes on from here."
            case _:
                return None


def summarize(store: Store, run: Run, now_seconds: float) -> Summary:
    """Where ``run`` is: what the store knows, and the records in its folder that are still to be ingested.

    ``now_seconds`` is the time of day, for a run that goes on.
    """
    state = run_state(store, run.run)
    known = {(job.job, attempt) for job in state.jobs for attempt in range(1, job.attempts + 1)}
    later = sorted(
        (spooled.job, spooled.attempt, spooled.path)
        for spooled in RunFolder(run.submit_dir).spooled()
        if (spooled.job, spooled.attempt) not in known
    )
    records = [(job, record) for job, _, path in later if (record := _record(path)) is not None]
    # The store hears that a run is at work with its first records.
    begun = state.started or min((record.started for _, record in records), default=None)
    current = "running" if state.state == "planned" and records else state.state
    started = begun.timestamp() if begun else now_seconds
    ended = state.ended.timestamp() if state.ended else now_seconds
    return Summary(
        run=run,
        store=store.storage.location,
        status=state.state if state.state in ("succeeded", "failed") else "incomplete",
        state=current,
        reason=state.reason,
        jobs=state.counts([(job, record.status) for job, record in records]),
        quarantined=len(quarantined(store, _spool(store, run))),
        recoveries=len(recoveries(store, run.run)),
        duration_seconds=max(0.0, ended - started),
    )


def _spool(store: Store, run: Run) -> Path:
    """The folder that records of a run come from."""
    if run.kind == "workflow":
        return RunFolder(run.submit_dir).records
    return Spool.of(store, uuid.UUID(run.run_id)).folder


def _record(path: Path) -> Record | None:
    """What an attempt left; None if that cannot be believed: ingest says so, nobody counts it."""
    try:
        return read_record(record_bytes(path))
    except MalformedError:
        return None
