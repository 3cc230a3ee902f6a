"""All faults at all points, as often as was asked for, on files that chance picks; and what came of it."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrity.faults import Fault, damaged
from integrity.findings import FindingClass
from planner.chaos.bench import Bench
from planner.chaos.experiments import Noticed, Specimen, experiment
from planner.chaos.points import Point
from planner.chaos.specimens import Specimens

SCHEMA = "pirene.chaos/1"


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault in one file at one point; ``noticed`` None: nobody did. ``bad`` are the bytes that it left."""

    point: Point
    fault: Fault
    specimen: Specimen
    bad: bytes
    noticed: Noticed | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """All trials of one fault at one point. ``findings`` counts what they were called, ``stages`` who noticed them.

    ``missed`` are the names of files in which nobody did. None was ``tried`` where no file had bytes that this can
    happen to.
    """

    point: Point
    fault: Fault
    tried: int
    findings: tuple[tuple[FindingClass, int], ...]
    stages: tuple[tuple[str, int], ...]
    missed: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The outcome as `pirene.chaos/1` has it."""
        return {
            "point": self.point.value,
            "fault": self.fault.value,
            "tried": self.tried,
            "detected": self.tried - len(self.missed),
            "classes": {finding.value: count for finding, count in self.findings},
            "stages": dict(self.stages),
            "missed": list(self.missed),
        }


def trials(specimens: Specimens, count: int, chance: random.Random, folder: Path | None = None) -> Iterator[Trial]:
    """``count`` trials of each fault at each point, in copies below a folder that goes when they end (``folder``:
    below which; None: that of the system for temporary files).
    """
    with tempfile.TemporaryDirectory(prefix="pirene-chaos-", dir=folder) as scratch, Bench(Path(scratch)) as bench:
        for point in Point:
            files = specimens.outputs if point.is_of_outputs else specimens.inputs
            for fault in Fault:
                for _ in range(count):
                    struck = _struck(fault, files, chance)
                    if struck is not None:
                        specimen, bad = struck
                        yield Trial(point, fault, specimen, bad, experiment(bench, point, specimen, bad))


def _struck(fault: Fault, files: Sequence[Specimen], chance: random.Random) -> tuple[Specimen, bytes] | None:
    """A file, and its bytes with this fault; None: it can happen to none of them."""
    for specimen in chance.sample(files, len(files)):
        bad = damaged(fault, specimen.data, specimen.around, chance)
        if bad is not None:
            return specimen, bad
    return None


def summed_up(all_trials: Iterator[Trial], advance: Callable[[int], None] = lambda _: None) -> list[Outcome]:
    """The outcomes, by point and fault."""
    found: dict[tuple[Point, Fault], list[Trial]] = {(point, fault): [] for point in Point for fault in Fault}
    for trial in all_trials:
        found[trial.point, trial.fault].append(trial)
        advance(1)
    return [_outcome(point, fault, some) for (point, fault), some in found.items()]


def _outcome(point: Point, fault: Fault, some: list[Trial]) -> Outcome:
    noticed = [trial.noticed for trial in some if trial.noticed is not None]
    return Outcome(
        point,
        fault,
        len(some),
        tuple(sorted(Counter(one.finding for one in noticed).items())),
        tuple(sorted(Counter(one.stage for one in noticed).items())),
        tuple(trial.specimen.name for trial in some if trial.noticed is None),
    )
