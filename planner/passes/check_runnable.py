"""The last pass: every job that will run has an executable that can be started, as far as this machine can tell."""

from __future__ import annotations

import os
from pathlib import Path

from planner.errors import FileError
from planner.planned import Plan, PlannedJob


def check_runnable(plan: Plan) -> Plan:
    """The plan as it is. Raises FileError for the first executable that is missing or may not be executed.

    Jobs that are reused need none: their executables may have gone long ago.
    """
    checked: set[str] = set()
    for job in plan.jobs:
        here = plan.request.engine == "local" or job.executable_type == "stageable"  # or brought from here
        if job.decision == "run" and here and job.executable not in checked:
            checked.add(job.executable)
            _check(job)
    return plan


def _check(job: PlannedJob) -> None:
    assert job.transformation is not None
    path, place = job.executable, job.transformation.place
    if not Path(path).exists():
        raise FileError(
            place,
            f"job {job.job.id}: there is no executable at {path}",
            hint="Correct the pfn in the transformation catalog.",
        )
    if Path(path).is_dir() or not os.access(path, os.X_OK):
        raise FileError(place, f"job {job.job.id}: {path} cannot be executed", hint=f"For a script: chmod +x {path}")
