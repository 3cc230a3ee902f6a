"""All faults at all points, as often as was asked for, on files that chance picks; and what came of it."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrity.faults import Fault, damaged
from integrity.findings import FindingClass
from planner.chaos.bench import Bench
from planner.chaos.experiments import KeptOff, Noticed, Result, Specimen, experiment
from planner.chaos.points import Point
from planner.chaos.specimens import Specimens

SCHEMA = "pirene.chaos/1"


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault in one file at one point, jobs being at a protection ``level``. ``bad`` are the bytes that it left,
    ``came`` is what came of it.
    """

    point: Point
    level: str
    fault: Fault
    specimen: Specimen
    bad: bytes
    came: Result


@dataclass(frozen=True, slots=True)
class Outcome:
    """All trials of one fault at one point and protection ``level``. ``findings`` counts what they were called,
    ``stages`` who noticed them; ``kept_off`` did not reach the job.

    ``missed`` are the names of files in which nobody noticed them. None was ``tried`` where no file had bytes that this
    can happen to.
    """

    point: Point
    level: str
    fault: Fault
    tried: int
    kept_off: int
    findings: tuple[tuple[FindingClass, int], ...]
    stages: tuple[tuple[str, int], ...]
    missed: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The outcome as `pirene.chaos/1` has it."""
        return {
            "point": self.point.value,
            "protection": self.level,
            "fault": self.fault.value,
            "tried": self.tried,
            "detected": self.tried - self.kept_off - len(self.missed),
            "kept_off": self.kept_off,
            "classes": {finding.value: count for finding, count in self.findings},
            "stages": dict(self.stages),
            "missed": list(self.missed),
        }


def trials(specimens: Specimens, count: int, chance: random.Random, folder: Path | None = None) -> Iterator[Trial]:
    """``count`` trials of each fault at each point and protection level, in copies below a folder that goes when they
    end (``folder``: below which; None: that of the system for temporary files).
    """
    with tempfile.TemporaryDirectory(prefix="pirene-chaos-", dir=folder) as scratch, Bench(Path(scratch)) as bench:
        for (point, level, fault), _ in itertools.product(kinds(), range(count)):
            files = specimens.outputs if point.is_of_outputs else specimens.inputs
            struck = _struck(fault, files, chance)
            if struck is not None:
                specimen, bad = struck
                yield Trial(point, level, fault, specimen, bad, experiment(bench, point, level, specimen, bad))


def kinds() -> Iterator[tuple[Point, str, Fault]]:
    """What a trial can be of, in the order of the pipeline."""
    return ((point, level, fault) for point in Point for level in point.levels for fault in Fault)


def _struck(fault: Fault, files: Sequence[Specimen], chance: random.Random) -> tuple[Specimen, bytes] | None:
    """A file, and its bytes with this fault; None: it can happen to none of them."""
    for specimen in chance.sample(files, len(files)):
        bad = damaged(fault, specimen.data, specimen.around, chance)
        if bad is not None:
            return specimen, bad
    return None


def summed_up(all_trials: Iterator[Trial], advance: Callable[[int], None] = lambda _: None) -> list[Outcome]:
    """The outcomes, by point, protection level and fault."""
    found: dict[tuple[Point, str, Fault], list[Trial]] = {kind: [] for kind in kinds()}
    for trial in all_trials:
        found[trial.point, trial.level, trial.fault].append(trial)
        advance(1)
    return [_outcome(*kind, some) for kind, some in found.items()]


def _outcome(point: Point, level: str, fault: Fault, some: list[Trial]) -> Outcome:
    noticed = [trial.came for trial in some if isinstance(trial.came, Noticed)]
    return Outcome(
        point,
        level,
        fault,
        len(some),
        sum(isinstance(trial.came, KeptOff) for trial in some),
        tuple(sorted(Counter(one.finding for one in noticed).items())),
        tuple(sorted(Counter(one.stage for one in noticed).items())),
        tuple(trial.specimen.name for trial in some if trial.came is None),
    )
