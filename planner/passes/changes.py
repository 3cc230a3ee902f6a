"""Why a job runs or not, in the user's terms: what changed since the nearest earlier success, old value and new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planner.passes.history import PastJob
from planner.planned import PlannedJob
from provenance.storable import storable

_SHOWN_TEXT = 200
_SHOWN_ARGUMENTS = 5
_SHOWN_DIGITS = 12
_SHOWN_CHANGES = 3


def short(digest: bytes | None) -> str:
    """A digest for people: its first digits."""
    return f"{digest.hex()[:_SHOWN_DIGITS]}…" if digest is not None else "unknown"


def sentence(changes: Iterable[str]) -> str:
    """Changes as one sentence; the first few, the rest counted."""
    listed = list(changes)
    more = len(listed) - _SHOWN_CHANGES
    return "; ".join(listed[:_SHOWN_CHANGES]) + (f"; and {more} more" if more > 0 else "")


def changes_since(past: PastJob, job: PlannedJob, inputs: Mapping[str, bytes]) -> list[str]:
    """What differs between an earlier success and a job that is planned, one entry a thing.

    ``inputs`` are the digests that are known of what the job will read; others are not compared.
    """
    return [
        *_arguments(past.arguments, [storable(argument) for argument in job.arguments]),
        *_executable(past, job),
        *_environment(past, job),
        *_inputs(past, job, inputs),
        *_outputs(past, job),
    ]


def _arguments(old: tuple[str, ...], new: list[str]) -> list[str]:
    if len(old) != len(new):
        return [f"arguments {_quoted(' '.join(old))} → {_quoted(' '.join(new))}"]
    changed = [
        f"argument {number} {_quoted(before)} → {_quoted(after)}"
        for number, (before, after) in enumerate(zip(old, new, strict=True), start=1)
        if before != after
    ]
    more = len(changed) - _SHOWN_ARGUMENTS
    return changed[:_SHOWN_ARGUMENTS] + ([f"{more} more arguments"] if more > 0 else [])


def _executable(past: PastJob, job: PlannedJob) -> list[str]:
    if past.executable_sha256 == job.executable_sha256 or past.executable_sha256 is None:
        return []
    name = job.executable.rpartition("/")[2]
    return [f"executable {name} sha256 {short(past.executable_sha256)} → {short(job.executable_sha256)}"]


def _environment(past: PastJob, job: PlannedJob) -> list[str]:
    old = dict(entry.partition("=")[::2] for entry in past.environment)
    new = {storable(name): storable(value) for name, value in job.environment.items()}
    return [
        f"environment {name} {_value(old.get(name))} → {_value(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _inputs(past: PastJob, job: PlannedJob, inputs: Mapping[str, bytes]) -> list[str]:
    declared = {storable(use.name) for use in job.uses if use.role in ("input", "inout")}
    found = []
    for name, digest in inputs.items():
        old = past.inputs.get(storable(name))
        if old is None:
            found.append(f"input {name} is new (sha256 {short(digest)})")
        elif old != digest:
            found.append(f"input {name} sha256 {short(old)} → {short(digest)}")
    found.extend(f"input {name} is read no more" for name in sorted(past.inputs.keys() - declared))
    return found


def _outputs(past: PastJob, job: PlannedJob) -> list[str]:
    new = {storable(use.name): use for use in job.uses if use.role in ("output", "inout")}
    added = [f"output {name} is new" for name, use in new.items() if name not in past.outputs and not use.optional]
    return added + [f"output {name} is written no more" for name in sorted(past.outputs - new.keys())]


def _value(text: str | None) -> str:
    return "unset" if text is None else _quoted(text)


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}…"
    return f'"{shown}"'
