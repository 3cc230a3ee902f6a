"""The pass that turns the jobs of the workflow file into those of the plan, numbered in its order.

A `foreach` job becomes one job for each file of its selection (ids `isr-0001`, `isr-0002`, ...), `select` and
`outputs-of` become the files that they stand for, and the files of standard input, output and error count as used even
if `uses` leaves them out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace

from planner.errors import FileError
from planner.passes.placeholders import Placeholders
from planner.planned import Plan, PlannedFile, PlannedJob, PlannedUse
from planner.workflow import Job, Role, Use, UseKind

_LEAST_DIGITS = 4


def expand_jobs(plan: Plan) -> Plan:
    """Fill in ``jobs``: numbers, concrete jobs and their uses (producers come later)."""
    placeholders = Placeholders(plan.selections)
    made = [
        (job.id, instance, files)
        for job in plan.workflow.jobs
        for instance, files in _instances(job, plan, placeholders)
    ]
    _refuse_doubled_ids([instance for _, instance, _ in made])
    outputs = _outputs_by_job(made)
    jobs = tuple(
        PlannedJob(
            number=number,
            job=instance,
            made_by=made_by,
            arguments=instance.arguments,
            uses=_uses(instance, plan, files, outputs),
            metadata=instance.metadata,
        )
        for number, (made_by, instance, files) in enumerate(made, start=1)
    )
    return replace(plan, jobs=jobs)


def _instances(job: Job, plan: Plan, placeholders: Placeholders) -> Iterator[tuple[Job, Mapping[str, PlannedFile]]]:
    """The jobs that one job of the file stands for, each with the file that it is for."""
    if job.foreach is None:
        yield _filled(job, job.id, {}, placeholders), {}
        return
    if job.foreach not in plan.selections:
        raise FileError(
            job.place, f"foreach names no selection: {job.foreach!r}", hint=_close(job.foreach, plan.selections)
        )
    files = plan.selections[job.foreach].files
    digits = max(_LEAST_DIGITS, len(str(len(files))))
    for number, file in enumerate(files, start=1):
        here = {job.foreach: file}
        yield _filled(job, f"{job.id}-{number:0{digits}}", here, placeholders), here


def _filled(job: Job, new_id: str, files: Mapping[str, PlannedFile], placeholders: Placeholders) -> Job:
    """The job with every placeholder filled in."""
    if not placeholders.any:
        return job

    def fill(text: str | None) -> str | None:
        return None if text is None else placeholders.text(text, files, job.place)

    uses = tuple(
        replace(
            use,
            name=placeholders.text(use.name, files, use.place) if use.kind is UseKind.LFN else use.name,
            metadata=placeholders.metadata(use.metadata, files, use.place),
        )
        for use in job.uses
    )
    return replace(
        job,
        id=new_id,
        arguments=placeholders.arguments(job.arguments, files, job.place),
        uses=uses,
        stdin=fill(job.stdin),
        stdout=fill(job.stdout),
        stderr=fill(job.stderr),
        metadata=placeholders.metadata(job.metadata, files, job.place),
    )


def _refuse_doubled_ids(jobs: list[Job]) -> None:
    seen: dict[str, Job] = {}
    for job in jobs:
        if job.id in seen:
            raise FileError(job.place, f"job id {job.id!r} is already taken at {seen[job.id].place}")
        seen[job.id] = job


def _outputs_by_job(made: list[tuple[str, Job, Mapping[str, PlannedFile]]]) -> Mapping[str, list[str]]:
    """What the jobs that an id stands for write, in order; for a single job of a foreach also by its own id."""
    outputs: dict[str, list[str]] = {}
    for made_by, job, _ in made:
        written = [use.name for use in job.uses if use.kind is UseKind.LFN and use.role in (Role.OUTPUT, Role.INOUT)]
        written += [name for name in (job.stdout, job.stderr) if name is not None and name not in written]
        for name in dict.fromkeys((made_by, job.id)):
            outputs.setdefault(name, []).extend(written)
    return outputs


def _uses(
    job: Job, plan: Plan, files: Mapping[str, PlannedFile], outputs: Mapping[str, list[str]]
) -> tuple[PlannedUse, ...]:
    """The files that a job uses, each once for each way of using it, in the order in which they are declared."""
    found: dict[tuple[str, str], PlannedUse] = {}
    for use in job.uses:
        if use.role is Role.NONE:
            continue
        for name in _names(use, plan, files, outputs):
            found.setdefault((name, use.role.value), _planned(use, name))
    read = {name for name, role in found if role in ("input", "inout")}
    written = {name for name, role in found if role in ("output", "inout")}
    if job.stdin is not None and job.stdin not in read:
        found[job.stdin, "input"] = PlannedUse(job.stdin, "input")
    for stream in (job.stdout, job.stderr):
        if stream is not None and stream not in written:
            found[stream, "output"] = PlannedUse(stream, "output")
    return tuple(found.values())


def _names(use: Use, plan: Plan, files: Mapping[str, PlannedFile], outputs: Mapping[str, list[str]]) -> list[str]:
    """The logical names that one entry of `uses` stands for."""
    if use.kind is UseKind.LFN:
        return [use.name]
    if use.kind is UseKind.OUTPUTS_OF:
        if use.name not in outputs:
            raise FileError(use.place, f"outputs-of names no job: {use.name!r}", hint=_close(use.name, outputs))
        return list(dict.fromkeys(outputs[use.name]))
    if use.name not in plan.selections:
        raise FileError(use.place, f"select names no selection: {use.name!r}", hint=_close(use.name, plan.selections))
    return [files[use.name].name] if use.name in files else [file.name for file in plan.selections[use.name].files]


def _planned(use: Use, name: str) -> PlannedUse:
    return PlannedUse(
        name=name,
        role=use.role.value,
        stage_out=use.stage_out,
        register_replica=use.register_replica,
        optional=use.optional,
        metadata=use.metadata,
    )


def _close(name: str, known: Mapping[str, object]) -> str | None:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else None
