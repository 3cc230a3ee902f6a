"""Files of a run to try faults on: small enough to be held in memory, and good when they were looked at."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from integrity.faults import Surroundings
from planner.chaos.experiments import Specimen
from planner.errors import PlannerError
from provenance.reading.views import fetch
from provenance.urls import local_path

if TYPE_CHECKING:
    from provenance.answers.runs import Run
    from provenance.store import Store

LARGEST_BYTES = 64 << 20
_KEPT = 50
"""Of each kind: so many files are enough for any number of trials."""
_FILES = """
SELECT r.name, min(r.url), r.sha256, any_value(w.job IS NOT NULL) FROM replica_rows AS r
LEFT JOIN writes AS w ON w.file_source = r.source AND w.file = r.file AND w.run = $1
WHERE r.state = 'ok' AND r.here AND r.kind = 'file' AND r.sha256 IS NOT NULL AND r.size_bytes <= $2
  AND (r.source, r.file) IN (
      SELECT (file_source, file) FROM reads WHERE run = $1
      UNION ALL SELECT (file_source, file) FROM writes WHERE run = $1
  )
GROUP BY r.source, r.file, r.name, r.sha256 ORDER BY r.name, r.sha256
"""


class NoSpecimenError(PlannerError):
    """A run has no file on which faults could be tried."""


@dataclass(frozen=True, slots=True)
class Specimens:
    """Files that jobs of a run read, and files that they made; each kind stands in for the other where it has none."""

    inputs: Sequence[Specimen]
    outputs: Sequence[Specimen]


def specimens_of(store: Store, run: Run, chance: random.Random) -> Specimens:
    """Copies of files of a run, in memory; the files themselves are only read. Raises NoSpecimenError."""
    good: list[tuple[str, bytes, bool]] = []
    kept = {False: 0, True: 0}
    rows = fetch(store, _FILES, [run.run, LARGEST_BYTES])
    for name, url, sha256, is_output in chance.sample(rows, len(rows)):
        path = local_path(str(url))
        data = None if path is None or kept[is_output] == _KEPT else _good(path, sha256)
        if data is not None:
            good.append((str(name), data, is_output))
            kept[is_output] += 1
    if not good:
        raise NoSpecimenError(
            f"{run.name}: no file of this run is here, good, and at most {LARGEST_BYTES >> 20} MiB large",
            hint="`pirene audit` says how its files are.",
        )
    made = [(_specimen(name, data, good), is_output) for name, data, is_output in good]
    everything = [specimen for specimen, _ in made]
    return Specimens(
        [specimen for specimen, is_output in made if not is_output] or everything,
        [specimen for specimen, is_output in made if is_output] or everything,
    )


def _good(path: Path, sha256: bytes) -> bytes | None:
    """The bytes of a file; None if they are not those that were recorded, or cannot be read."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).digest() == sha256 else None


def _specimen(name: str, data: bytes, good: Sequence[tuple[str, bytes, bool]]) -> Specimen:
    """With another valid file of the run, which is made up only where it has none; and with an earlier version."""
    others = (other for _, other, _ in good if other not in (data, b""))
    other = next(others, b"another valid file, beside " + data)
    return Specimen(name, data, Surroundings(other, b"an earlier version of " + data))
