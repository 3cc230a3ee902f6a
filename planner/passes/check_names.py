"""The pass that refuses names of files which no folder can hold together, once every name is known.

Selections and placeholders make names that the workflow file does not show: from metadata, and from the names that
files were registered under. A name that leads out of a job's folder, one file in two roles, and a file that lies
inside another one (which then would have to be a folder) are refused here, before anything is moved or replaced.
"""

from __future__ import annotations

from collections.abc import Mapping

from planner.errors import FileError
from planner.job_file import lfn_problem
from planner.planned import Plan, PlannedJob, PlannedUse

_WRITTEN = ("output", "inout", "checkpoint")


def check_names(plan: Plan) -> Plan:
    """The plan as it is. Raises FileError, at the job's place, for the first name that cannot be."""
    staged: dict[str, PlannedJob] = {}
    checkpoints: dict[str, PlannedJob] = {}
    for job in plan.jobs:
        roles: dict[str, str] = {}
        for use in job.uses:
            _check_use(job, use, roles.setdefault(use.name, use.role))
            if use.role == "checkpoint":
                _refuse_two(job, use.name, checkpoints.setdefault(use.name, job))
            if use.role in _WRITTEN and use.stage_out:
                staged.setdefault(use.name, job)
        _refuse_nested(dict.fromkeys(roles, job))
    for name, job in checkpoints.items():
        _refuse_two(job, name, staged.get(name, job))
    _refuse_nested(staged)
    return plan


def _check_use(job: PlannedJob, use: PlannedUse, role: str) -> None:
    problem = lfn_problem(use.name)
    if problem is not None:
        raise FileError(
            job.job.place,
            f"job {job.job.id} uses a file called {use.name!r}, which {problem}",
            hint="A file of a job is a plain relative path; `pirene files add --name` registers it under such a name.",
        )
    if use.role != role:
        raise FileError(
            job.job.place,
            f"job {job.job.id} uses {use.name!r} as {role} and as {use.role}",
            hint="Declare it once, as inout, if the job changes it in place.",
        )


def _refuse_two(job: PlannedJob, name: str, other: PlannedJob) -> None:
    if other is not job:
        raise FileError(
            job.job.place,
            f"jobs {other.job.id} and {job.job.id} both write {name!r}, for one of them a checkpoint",
            hint="A checkpoint is one job's own: give it a name of its own.",
        )


def _refuse_nested(owners: Mapping[str, PlannedJob]) -> None:
    """Refuse a name that lies inside another; ``owners`` are the jobs that use them."""
    for name, job in owners.items():
        end = name.rfind("/")
        while end > 0:
            outer = owners.get(name[:end])
            if outer is not None:
                whose = "" if outer is job else f" of job {outer.job.id}"
                raise FileError(
                    job.job.place,
                    f"job {job.job.id}: {name!r} lies inside {name[:end]!r}, which is a file{whose} itself",
                    hint="Give one of them another name, or use the folder alone.",
                )
            end = name.rfind("/", 0, end)
