"""The seed of a sample: the root of the log as of a commit, which nobody could choose and all can compute again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.log.tiles import TiledTree
from integrity.merkle import leaf_hash
from provenance.history.commits import commit_name
from provenance.history.entry import entry_of
from provenance.log.files import fetching, stated

if TYPE_CHECKING:
    from provenance.store import Store


def seed(store: Store, number: int) -> bytes:
    """The root (32 bytes) over the first ``number`` commits of a store: what a checkpoint made then says.

    Where the log has no more than those it is taken from there, else from the commits alone. Raises EvidenceError for a
    damaged log, DamagedStoreError, ReadFailedError.
    """
    checkpoint = stated(store.storage)
    is_of_use = checkpoint is not None and checkpoint.size <= number
    tree = TiledTree(checkpoint.size, fetching(store.storage)) if checkpoint and is_of_use else TiledTree()
    for later in range(tree.size + 1, number + 1):
        tree.append(leaf_hash(entry_of(store.storage.read(commit_name(later)))))
    return tree.root()
