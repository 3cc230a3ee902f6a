"""Looking forward along the graph: what each job would make if it were reused, as far as that is known.

A job has an outlook if its reuse key is known and a past success has it: then its outputs' digests are those that the
store recorded, and the keys of the jobs below follow. Without one it runs, and nothing is known of what it will make.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from planner.engine_plan import READS, WRITES
from planner.passes.changes import short
from planner.passes.copies import Checked
from planner.passes.history import History, PastSuccess
from planner.planned import PlannedFile, PlannedJob
from planner.reuse_key import reuse_key
from provenance.storable import storable

NOBODY = 0
"""In place of the number of a job: the file is there, and nobody has ever hashed it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of one job before it is known which of its outputs are needed.

    ``ground`` None: it runs, because of ``why`` (empty: what changed is still to be found out). ``inputs`` are the
    digests that are known of what it reads; ``unknown`` are (lfn, job) of inputs that a job which runs will make.
    ``candidates`` are past successes with its key, newest first; ``outputs`` the digests of what it writes;
    ``asserted`` copies of outputs that the user's replica catalog lists.
    """

    ground: str | None
    why: str = ""
    key: bytes | None = None
    inputs: Mapping[str, bytes] = field(default_factory=dict)
    unknown: tuple[tuple[str, int], ...] = ()
    candidates: tuple[PastSuccess, ...] = ()
    outputs: Mapping[str, bytes] = field(default_factory=dict)
    asserted: Mapping[str, PlannedFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be reused at all.

    ``allowed`` are past jobs that the policy selects (None: all); ``force`` are jobs that run in any case; ``check``
    tells whether a raw input still has the bytes that the plan expects.
    """

    enabled: bool
    trust: frozenset[str]
    force: frozenset[int]
    allowed: frozenset[tuple[int, int]] | None
    check: Callable[[PlannedFile], Checked]


def outlook_of(
    job: PlannedJob, files: Mapping[str, PlannedFile], before: Mapping[int, Outlook], history: History, rules: Rules
) -> Outlook:
    """The outlook of one job, given those of all jobs that it depends on."""
    inputs, unknown = _inputs(job, files, before)
    key = None if unknown else key_of(job, inputs)
    run = Outlook(None, key=key, inputs=inputs, unknown=unknown)
    why = must_run(job, rules)
    if why or key is None:
        return _because(run, why or _unknown_executable(job))
    past = history.of(key)
    if not past:
        return run
    conflict = history.disagreement(key)
    if conflict is not None:
        one, other = conflict
        return _because(
            run,
            f"it is not deterministic: two successes of exactly this job made different {one.name} "
            f"(sha256 {short(one.sha256)} and {short(other.sha256)})",
        )
    candidates = tuple(success for success in past if rules.allowed is None or success.owner in rules.allowed)
    if not candidates:
        return _because(run, "the reuse policy does not select the past job that made its outputs")
    assert job.executable_ground is not None
    if job.executable_ground not in rules.trust:
        return _because(
            run, f"its outputs could only be reused as {job.executable_ground}, which reuse.trust does not list"
        )
    damage = _damaged_input(job, files, rules)
    if damage:
        return _because(run, damage)
    outputs = {name: output.sha256 for success in reversed(candidates) for name, output in success.outputs.items()}
    return Outlook(job.executable_ground, "", key, inputs, (), candidates, outputs)


def key_of(job: PlannedJob, inputs: Mapping[str, bytes]) -> bytes | None:
    """The reuse key of a job that reads files with these digests; None where it can have none."""
    if job.executable_sha256 is None or job.executable_ground is None or not job.deterministic:
        return None
    return reuse_key(
        executable_sha256=job.executable_sha256,
        container_sha256=job.container_sha256,
        arguments=job.arguments,
        streams=(job.job.stdin, job.job.stdout, job.job.stderr),
        environment=job.environment,
        inputs=inputs,
        outputs=[use.name for use in job.uses if use.role in WRITES],
        salt=job.salt,
    )


def _because(run: Outlook, why: str) -> Outlook:
    return Outlook(None, why, run.key, run.inputs, run.unknown)


def _damaged_input(job: PlannedJob, files: Mapping[str, PlannedFile], rules: Rules) -> str:
    """Which raw input is not what is expected: running would fail, so nothing says what it would give."""
    for use in job.uses:
        if use.role in READS and use.producer is None and use.name in files:
            checked = rules.check(files[use.name])
            if checked.finding is not None:
                found = f", found {short(checked.actual_sha256)}" if checked.actual_sha256 else ""
                expected = short(files[use.name].sha256)
                return (
                    f"input {use.name} is not as expected ({checked.finding.value}): expected sha256 {expected}{found}"
                )
    return ""


def must_run(job: PlannedJob, rules: Rules) -> str:
    """Why the job runs whatever anybody knows; empty if nothing says so."""
    if job.number in rules.force:
        return "it was forced to run"
    if not rules.enabled:
        return "reuse is turned off"
    if not job.deterministic:
        return "it is declared not deterministic"
    if not any(use.role in WRITES for use in job.uses):
        return "it declares no outputs, so nothing would show that it was done"
    return ""


def _unknown_executable(job: PlannedJob) -> str:
    """Why the job can have no key although its inputs are known; empty if it has one."""
    if job.executable_sha256 is None:
        return f"the digest of its executable {job.executable} is not known"
    if job.executable_ground is None:
        return f"its executable {job.executable} could not be hashed or does not have the declared digest"
    return ""


def _inputs(
    job: PlannedJob, files: Mapping[str, PlannedFile], before: Mapping[int, Outlook]
) -> tuple[dict[str, bytes], tuple[tuple[str, int], ...]]:
    """The known digests of what the job reads, and the inputs that jobs which run will make.

    An optional input that is not there, or that its producer did not make, is not read.
    """
    known: dict[str, bytes] = {}
    unknown: list[tuple[str, int]] = []
    for use in job.uses:
        if use.role not in READS:
            continue
        if use.producer is None:
            file = files.get(use.name)
            if file is not None and file.sha256 is not None:
                known[use.name] = file.sha256
            elif file is not None:
                unknown.append((use.name, NOBODY))
            continue
        producer = before[use.producer]
        digest = producer.outputs.get(storable(use.name))
        if digest is not None:
            known[use.name] = digest
        elif producer.ground is None or not use.optional or _is_retired(use.name, producer):
            unknown.append((use.name, use.producer))
    return known, tuple(unknown)


def _is_retired(name: str, producer: Outlook) -> bool:
    """Whether an output is missing from what a job made before only because it was retired since."""
    return any(storable(name) in success.retired for success in producer.candidates)
