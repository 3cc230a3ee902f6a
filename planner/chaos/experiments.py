"""One fault at one point of the pipeline, and whether it was noticed before anything was made of it.

A fault is noticed if the job does not start, or fails and leaves no output in its place, or if the transfer or the
audit refuses the file. What it is called is what an audit would call it, which knows the contents of all files. Where
the protection level keeps a fault off, the job reads what was verified, and makes what it would have made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrity.audit import Expectation, audit, recognised
from integrity.digest import Stat
from integrity.faults import Surroundings
from integrity.findings import FindingClass
from planner.chaos.bench import INPUT, OUTPUT, Bench
from planner.chaos.points import Point
from planner.transfer import Expected, TransferError, publish
from provenance.urls import file_url

_SOURCE = "source"
_DAMAGE = "damage"
_STRIKE = ("sh", "-c", 'cp -- "$1" "$2" 2>/dev/null || true', "sh")
"""Sealed memory cannot be written to: then it is as if nobody had tried."""
_READ_THEN_DAMAGE = 'cat -- "$1" >/dev/null && { cp -- "$2" "$1" 2>/dev/null || true; } && cp -- "$1" "$3"'
"""The job reads good bytes, then they change under its hands, and it goes on to read the bad ones."""


@dataclass(frozen=True, slots=True)
class Specimen:
    """A copy of a file of the run: its ``name``, its bytes, and what else there is."""

    name: str
    data: bytes
    around: Surroundings


@dataclass(frozen=True, slots=True)
class Noticed:
    """Who noticed a fault: the ``stage`` of the pipeline, and the ``finding`` that it is."""

    stage: str
    finding: FindingClass


class KeptOff:
    """The fault never reached the job: it made of its input what it makes of good bytes."""


KEPT_OFF = KeptOff()
Result = Noticed | KeptOff | None
"""None: nobody noticed, and something was made of the bad bytes."""


class _Contents:
    """Who knows which content: the file itself, and the other one."""

    def __init__(self, specimen: Specimen) -> None:
        self._names = {_sha(specimen.around.other): [f"not {specimen.name}"], _sha(specimen.data): [specimen.name]}

    def names(self, sha256: bytes) -> Collection[str]:
        """The names of files with this content."""
        return self._names.get(sha256, [])


@dataclass(frozen=True, slots=True)
class _Trial:
    """All that one experiment has: ``damage`` is a file with the bytes that are to take the place of the good ones."""

    bench: Bench
    place: Path
    specimen: Specimen
    source: Path
    damage: Path
    level: str

    def attempt(self, name: str, source: Path, **how: Any) -> Mapping[str, Any]:
        data = self.specimen.data
        return self.bench.attempt(self.place / name, source, _sha(data), len(data), protection=self.level, **how)

    def strike(self, victim: Path) -> None:
        """Put the bad bytes in the place of the good ones, in the same file."""
        victim.write_bytes(self.damage.read_bytes())


def experiment(bench: Bench, point: Point, level: str, specimen: Specimen, bad: bytes) -> Result:
    """Let the bytes of a file become ``bad`` at one point, while jobs run at a protection level; what came of it."""
    place = bench.place()
    source, damage = place / _SOURCE, place / _DAMAGE
    source.write_bytes(specimen.data)
    damage.write_bytes(bad)
    try:
        return _EXPERIMENTS[point](_Trial(bench, place, specimen, source, damage, level))
    finally:
        bench.clear(place)


def _replica(trial: _Trial) -> Result:
    trial.strike(trial.source)
    return _by_wrapper(trial, trial.attempt("job", trial.source))


def _after_stage_in(trial: _Trial) -> Result:
    strike = [*_STRIKE, str(trial.damage), INPUT]
    return _by_wrapper(trial, trial.attempt("job", trial.source, steps={"setup": strike}))


def _before_exec(trial: _Trial) -> Result:
    strike = [*_STRIKE, str(trial.damage), INPUT]
    return _by_wrapper(trial, trial.attempt("job", trial.source, steps={"pre": strike}))


def _during_job(trial: _Trial) -> Result:
    argv = ["sh", "-c", _READ_THEN_DAMAGE, "sh", INPUT, str(trial.damage), OUTPUT]
    return _by_wrapper(trial, trial.attempt("job", trial.source, argv=argv))


def _between_jobs(trial: _Trial) -> Result:
    made = _made(trial)
    trial.strike(made)
    return _by_wrapper(trial, trial.attempt("next", made))


def _before_stage_out(trial: _Trial) -> Result:
    record = trial.attempt("job", trial.source)
    made = trial.place / "job" / OUTPUT
    trial.strike(made)
    try:
        _stage_out(trial, record, made)
    except TransferError:
        return _by_audit(trial, made, "stage-out")
    return None


def _staged_out(trial: _Trial) -> Result:
    record = trial.attempt("job", trial.source)
    there = _stage_out(trial, record, trial.place / "job" / OUTPUT)
    trial.strike(there)
    return _by_wrapper(trial, trial.attempt("next", there))


def _at_rest(trial: _Trial) -> Result:
    trial.strike(trial.source)
    return _by_audit(trial, trial.source, "audit")


_EXPERIMENTS: Mapping[Point, Callable[[_Trial], Result]] = {
    Point.REPLICA: _replica,
    Point.AFTER_STAGE_IN: _after_stage_in,
    Point.BEFORE_EXEC: _before_exec,
    Point.BETWEEN_JOBS: _between_jobs,
    Point.DURING_JOB: _during_job,
    Point.BEFORE_STAGE_OUT: _before_stage_out,
    Point.STAGED_OUT: _staged_out,
    Point.AT_REST: _at_rest,
}


def _made(trial: _Trial) -> Path:
    """The output of a first job, as the good file that it is."""
    record = trial.attempt("job", trial.source)
    if record["status"] != "succeeded":
        raise AssertionError(f"a job with good input failed: {record['failure']}")
    return trial.place / "job" / OUTPUT


def _stage_out(trial: _Trial, record: Mapping[str, Any], made: Path) -> Path:
    """Where the output is once it was staged out. Raises TransferError."""
    (output,) = record["outputs"]
    stat = Stat(output["size"], output["mtime_ns"], output["ctime_ns"], output["inode"], output["device"])
    there = trial.place / "outputs" / OUTPUT
    publish(made, there, Expected(bytes.fromhex(output["sha256"]), stat))
    return there


def _by_wrapper(trial: _Trial, record: Mapping[str, Any]) -> Result:
    """What the wrapper's record says of the input; if the attempt passed for a success, what it made says the rest."""
    if record["status"] == "succeeded":
        (output,) = record["outputs"]
        return KEPT_OFF if output["sha256"] == _sha(trial.specimen.data).hex() else None
    for seen in (*record["inputs"], *record["changed_inputs"]):
        if seen["finding"] is not None:
            actual = seen["actual_sha256"]
            known = None if actual is None else _known(trial.specimen, bytes.fromhex(actual))
            return Noticed(seen["stage"], known or FindingClass(seen["finding"]))
    return None


def _known(specimen: Specimen, sha256: bytes) -> FindingClass | None:
    return recognised(specimen.name, sha256, frozenset({_sha(specimen.around.earlier)}), _Contents(specimen))


def _by_audit(trial: _Trial, path: Path, stage: str) -> Noticed | None:
    specimen = trial.specimen
    expectation = Expectation(
        name=specimen.name,
        url=file_url(path),
        path=path,
        sha256=_sha(specimen.data),
        size=len(specimen.data),
        earlier_sha256s=frozenset({_sha(specimen.around.earlier)}),
    )
    (check,) = audit([expectation], _Contents(specimen), workers=1)
    return None if check.finding is None else Noticed(stage, check.finding)


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
