"""Whether an earlier success stands for a single command: its outputs, still good somewhere, are put in their places.

The ground is always ``proven``: the executable and all inputs were hashed. Outputs are copied, never linked, because
`exec` works in the user's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from planner.passes.copies import Copies, as_planned
from planner.passes.history import PastOutput, PastSuccess, load_history
from planner.transfer import copy_verified
from provenance.copies.replicas import Replica, by_file, file_url, local_path
from provenance.registration.placement import Placed
from provenance.storable import storable
from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Reused:
    """An earlier success that stands for a command, and where its outputs have appeared anew."""

    success: PastSuccess
    placed: tuple[Placed, ...]


def reuse_outputs(store: Store, key: bytes, outputs: Sequence[str]) -> Reused | None:
    """Put the outputs of an earlier success with this reuse key in their places; None if there is none to trust."""
    history = load_history(store, outputs)
    if history.disagreement(key) is not None:
        return None  # the command is not deterministic: no ground
    copies = Copies()
    for success in history.of(key):
        made = {name: success.outputs[storable(name)] for name in outputs if storable(name) in success.outputs}
        known = by_file(store, [(output.source, output.file) for output in made.values()], states=("ok",))
        found = {
            name: _good_copy(known.get((output.source, output.file), ()), output, copies)
            for name, output in made.items()
        }
        if len(found) == len(outputs) and all(found.values()):
            placed = [_place(found[name], name, output) for name, output in made.items()]
            return Reused(success, tuple(place for place in placed if place is not None))
    return None


def _place(copy: Path | None, name: str, output: PastOutput) -> Placed | None:
    """Copy an output to the place that its name means; None if it is there already."""
    target = Path(os.path.abspath(name))  # noqa: PTH100 - Path.resolve follows links
    if copy is None or copy == target:
        return None
    stat = copy_verified(copy, target, output.sha256)
    return Placed((output.source, output.file), file_url(target), "local", link=False, stat=stat)


def _good_copy(replicas: Iterable[Replica], output: PastOutput, copies: Copies) -> Path | None:
    """A local copy that has the recorded bytes: by stat, else by reading it."""
    for replica in replicas:
        path = local_path(replica.url)
        if path is not None:
            file = replace(as_planned(replica, str(path), output.name), sha256=output.sha256)
            if copies.check(file).finding is None:
                return path
    return None
