"""The Merkle tree hash of RFC 6962 (section 2.1; kept by RFC 9162): one digest for an ordered list of leaves.

Leaves and inner nodes are hashed with different first bytes, so that no leaf can pass for a node. The tree of n leaves
splits at the largest power of two below n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """The hash (32 bytes) of one leaf."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash (32 bytes) of a node over the hashes of its two children."""
    return hashlib.sha256(_NODE + left + right).digest()


class Tree:
    """A tree that grows at its end and knows its root at every size; it keeps one hash for each bit of its size."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        """How many leaves it has."""
        # Full subtrees from left to right, each (height, hash) and smaller than the one before.
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, hashed: bytes, height: int = 0) -> None:
        """Add a leaf, given its hash; or the full subtree of ``height`` with that hash, of 2**height leaves.

        ValueError: the size is no multiple of that, so that the subtree cannot stand there.
        """
        if self.size & ((1 << height) - 1):
            raise ValueError(f"a subtree of height {height} cannot follow {self.size} leaves")
        self.size += 1 << height
        while self._peaks and self._peaks[-1][0] == height:
            hashed = node_hash(self._peaks.pop()[1], hashed)
            height += 1
        self._peaks.append((height, hashed))

    def root(self) -> bytes:
        """The root (32 bytes) over all leaves; of none it is SHA-256 of nothing."""
        if not self._peaks:
            return hashlib.sha256().digest()
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """The root (32 bytes) over ``leaves`` in their order; of no leaves it is SHA-256 of nothing."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return tree.root()
