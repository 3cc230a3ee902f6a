"""Why each job of a plan runs or not, as the plan folder or the store has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.plan_folder import read_plan
from provenance.answers.runs import find_run
from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Explanation:
    """One job. ``decision`` run | reuse; ``reused_from`` (run id, job id) of the job that really ran."""

    job: str
    decision: str
    ground: str | None
    reason: str
    changed: tuple[str, ...]
    reused_from: tuple[str, str] | None

    def as_json(self) -> dict[str, object]:
        """The object that `explain --format json` prints for a job."""
        origin = None if self.reused_from is None else {"run": self.reused_from[0], "job": self.reused_from[1]}
        return {
            "job": self.job,
            "decision": self.decision,
            "ground": self.ground,
            "reason": self.reason,
            "changed": list(self.changed),
            "reused_from": origin,
        }


def explain_folder(run_dir: Path) -> list[Explanation]:
    """All jobs of the plan in a run folder, in order."""
    return [
        Explanation(job.id, job.decision, job.ground, job.reason, job.changed, job.reused_from_names)
        for job in read_plan(run_dir).jobs
    ]


def explain_run(store: Store, given: str | None) -> list[Explanation]:
    """All jobs of a run that the store knows, in order. Raises NoSuchRunError."""
    rows: list[tuple[Any, ...]] = store.rows(_JOBS, [find_run(store, given).run], tables=["jobs", "workflows"])
    return [
        Explanation(
            job, decision, ground, reason or "", tuple(changed or ()), (run_id, origin) if run_id is not None else None
        )
        for job, decision, ground, reason, changed, run_id, origin in rows
    ]


_JOBS = """
    SELECT j.id, j.decision, j.ground, j.reason, j.changed, w.run_id, o.id
    FROM jobs j
    LEFT JOIN jobs o ON o.run = j.reused_run AND o.job = j.reused_job
    LEFT JOIN workflows w ON w.run = j.reused_run
    WHERE j.run = ?
    ORDER BY j.job
"""
