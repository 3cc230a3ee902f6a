"""One reason for every job: what made it run, old value and new, or what it was left out for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from planner.passes.changes import changes_since, sentence
from planner.passes.history import PastJob, load_past_jobs
from planner.passes.outlook import NOBODY, Outlook
from planner.planned import Plan, PlannedJob

FIRST_RUN = "first run: the store knows no success of this job"
_NOT_KEPT = "a setting that the store does not keep (salt, standard streams, container) or the definition of the key"


def with_reasons(
    plan: Plan,
    jobs: Sequence[PlannedJob],
    order: Sequence[int],
    outlooks: Mapping[int, Outlook],
    lost: Mapping[int, str],
) -> tuple[PlannedJob, ...]:
    """The jobs with ``reason`` and ``changed``. ``lost``: which output was not there, of jobs that make it again."""
    past = _past_jobs(plan, jobs, outlooks)
    changes: dict[int, tuple[str, ...]] = {}
    for number in order:
        job = jobs[number - 1]
        if job.decision == "run":
            outlook = outlooks[number]
            changes[number] = tuple(_changes(job, outlook, lost[number], past.get(job.job.id), jobs, changes))
    return tuple(
        replace(job, reason=sentence(changes[job.number]), changed=changes[job.number])
        if job.decision == "run"
        else replace(job, reason=_why_left_out(job))
        for job in jobs
    )


def _past_jobs(plan: Plan, jobs: Sequence[PlannedJob], outlooks: Mapping[int, Outlook]) -> Mapping[str, PastJob]:
    """The earlier successes that jobs without any other explanation are compared with."""
    wanted = {
        job.job.id: (job.transformation.namespace, job.transformation.name)
        for job in jobs
        if job.transformation is not None
        and job.decision == "run"
        and outlooks[job.number].ground is None
        and not outlooks[job.number].why
    }
    return load_past_jobs(plan.request.store, plan.workflow.name, wanted)


def _changes(
    job: PlannedJob,
    outlook: Outlook,
    lost: str,
    past: PastJob | None,
    jobs: Sequence[PlannedJob],
    changes: Mapping[int, tuple[str, ...]],
) -> list[str]:
    """What made a job run, one entry a thing; what is below a job that runs names what made that one run, too."""
    if outlook.why:
        return [outlook.why]
    if outlook.ground is not None:
        return [lost]
    if past is None:
        return [FIRST_RUN]
    found = changes_since(past, job, outlook.inputs)
    for name, producer in outlook.unknown:
        if producer == NOBODY:
            found.append(f"input {name} has no digest in the store")
        elif producer in changes:
            found.append(
                f"input {name} comes from {jobs[producer - 1].job.id}, which runs ({_root(changes[producer])})"
            )
        else:
            found.append(f"input {name} comes from {jobs[producer - 1].job.id}, of whose output nothing is known")
    return found or [_NOT_KEPT]


def _root(changes: tuple[str, ...]) -> str:
    """The first cause at the end of a chain: that of a job below is what its parent names, without the way to it."""
    first = changes[0]
    marker = ", which runs ("
    return first[first.index(marker) + len(marker) : -1] if marker in first and first.endswith(")") else first


def _why_left_out(job: PlannedJob) -> str:
    if job.reused_from_names is not None:
        run_id, job_id = job.reused_from_names
        return f"nothing changed since job {job_id} of run {run_id} succeeded"
    if job.reused:
        return "the replica catalog lists its outputs, and the store has nothing against it"
    return "no job that runs reads its outputs, and the replica catalog lists what was made from them"
