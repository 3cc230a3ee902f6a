"""Whether an earlier success stands for a single command: its outputs, still good somewhere, are put in their places.

The ground is always ``proven``: the executable and all inputs were hashed. Outputs are copied, never linked, because
`exec` works in the user's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from integrity.digest import hash_path
from planner.passes.history import PastOutput, PastSuccess, load_history
from planner.transfer import copy_verified
from provenance.replicas import by_file, local_path, unchanged
from provenance.store import Store


def reuse_outputs(store: Store, key: bytes, outputs: Sequence[str]) -> PastSuccess | None:
    """Put the outputs of an earlier success with this reuse key in their places; None if there is none to trust."""
    history = load_history(store, outputs)
    if history.disagreement(key) is not None:
        return None  # the command is not deterministic: no ground
    for success in history.of(key):
        copies = {name: _good_copy(store, success.outputs[name]) for name in outputs if name in success.outputs}
        if len(copies) == len(outputs) and all(copies.values()):
            for name, copy in copies.items():
                assert copy is not None
                target = Path(os.path.abspath(name))  # noqa: PTH100 - Path.resolve follows links
                if copy != target:
                    copy_verified(copy, target, success.outputs[name].sha256)
            return success
    return None


def _good_copy(store: Store, output: PastOutput) -> Path | None:
    """A local copy that has the recorded bytes: by stat, else by reading it."""
    for replica in by_file(store, [(output.source, output.file)]).get((output.source, output.file), []):
        path = local_path(replica.url)
        if replica.state != "ok" or path is None:
            continue
        try:
            if unchanged(replica) or hash_path(path).sha256 == output.sha256:
                return path
        except OSError:
            continue
    return None
