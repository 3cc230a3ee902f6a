"""The chain: each commit says the root of the log over all commits before it, and its author signs that.

So an altered, removed, inserted or moved commit is contradicted by all that came later, with nothing else at hand. The
root comes from the tiles and the commits since; that of the newest commit shows whether the tiles are to be believed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from integrity.errors import EvidenceError
from integrity.log.proofs import of_tiles
from integrity.log.tiles import TiledTree
from integrity.merkle import Tree, leaf_hash
from provenance.errors import NOT_THERE, DamagedStoreError, ReadFailedError, lost
from provenance.history.commits import Commit, commit_name, document_of
from provenance.history.entry import entry
from provenance.log.files import fetching, stated
from provenance.log.keys import signed, warn

if TYPE_CHECKING:
    from integrity.log.checkpoint import Checkpoint
    from provenance.storage.interface import Storage


class Chain:
    """The tree over the commits of one store as far as this process has seen them. Safe to share between threads."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tree: Tree | None = None
        self._logged = 0
        self._made: tuple[Commit, bytes] | None = None
        self._lock = threading.Lock()

    def vouched(self, commit: Commit) -> Commit:
        """The commit with the root before it and its author's signature; without a root where commits before it are
        damaged, which is logged as a warning. Raises ReadFailedError for one that cannot be read.
        """
        with self._lock:
            try:
                root, logged = self._before(commit.number - 1)
            except DamagedStoreError as error:
                self._tree = None
                warn(f"commit {commit.number} does not say what the log was before it: {error}")
                return signed(replace(commit, logged=self._logged))
            made = signed(replace(commit, log_root=root.hex(), logged=logged))
            self._made = made, leaf_hash(entry(document_of(made)))
            return made

    def has_logged(self, size: int) -> None:
        """Know that there is a log of so many commits in files: later commits say so."""
        with self._lock:
            self._logged = max(self._logged, size)

    def follow(self, made: Commit) -> None:
        """Know a commit that was published just now without reading it back."""
        with self._lock:
            if self._made and self._made[0] is made and self._tree and self._tree.size == made.number - 1:
                self._tree.append(self._made[1])

    def _before(self, size: int) -> tuple[bytes, int]:
        if self._tree is None or self._tree.size > size:
            checkpoint = _stated(self._storage, size)
            self._logged = max(self._logged, checkpoint.size if checkpoint else 0)
            self._tree = _tree(self._storage, checkpoint, size)
        for _, hashed in read_leaves(self._storage, range(self._tree.size + 1, size + 1)):
            self._tree.append(hashed)
        return self._tree.root(), self._logged


def read_leaves(storage: Storage, numbers: Iterable[int]) -> Iterable[tuple[dict[str, Any], bytes]]:
    """The documents of commits and the hashes of their entries, in order. Raises DamagedStoreError, ReadFailedError."""
    return storage.together(partial(_read_leaf, storage), numbers)


def _read_leaf(storage: Storage, number: int) -> tuple[dict[str, Any], bytes]:
    name = commit_name(number)
    try:
        document: dict[str, Any] = json.loads(storage.read(name))
        return document, leaf_hash(entry(document))
    except NOT_THERE as error:
        raise lost(storage.where(name), error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(f"{storage.where(name)}: no commit: {error!r}") from None


def _stated(storage: Storage, size: int) -> Checkpoint | None:
    """The checkpoint, if it can be one of no more commits than ``size``, and of some."""
    try:
        checkpoint = stated(storage)
    except (EvidenceError, ReadFailedError):
        return None
    return checkpoint if checkpoint and 0 < checkpoint.size <= size else None


def _tree(storage: Storage, checkpoint: Checkpoint | None, size: int) -> Tree:
    """The tree over the first commits.

    If the files are not to be believed, all commits are read. Whose fault that is, is for `pirene log check` to say.
    """
    try:
        tree = _from_tiles(storage, checkpoint, size) if checkpoint else None
        if tree is not None:
            return tree
    except (DamagedStoreError, ReadFailedError, ValueError):
        pass  # the commits themselves are read, and say if they are what is wrong
    tree = Tree()
    for _, hashed in read_leaves(storage, range(1, size + 1)):
        tree.append(hashed)
    return tree


def _from_tiles(storage: Storage, checkpoint: Checkpoint, size: int) -> Tree | None:
    """The tree from tiles and later commits; None: one of the commits says that it continues another."""
    fetch = fetching(storage)
    tree = TiledTree(checkpoint.size, fetch).tree()
    if tree.root() != checkpoint.root:
        return None
    before = of_tiles(checkpoint.size, fetch)
    root, last = before(0, checkpoint.size - 1), before(checkpoint.size - 1, checkpoint.size)
    for number, (document, hashed) in enumerate(
        read_leaves(storage, range(checkpoint.size, size + 1)), start=checkpoint.size
    ):
        if document.get("log_root") not in (None, root.hex()):
            return None
        if number > checkpoint.size:
            tree.append(hashed)
        elif hashed != last:
            return None
        root = tree.root()
    return tree
