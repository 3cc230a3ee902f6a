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


def root_hash(leaves: Iterable[bytes]) -> bytes:
    """The root (32 bytes) over ``leaves`` in their order; of no leaves it is SHA-256 of nothing.

    Keeps one hash for each bit of the number of leaves so far, however many there are.
    """
    peaks: list[bytes] = []
    for count, leaf in enumerate(leaves):
        carried = leaf_hash(leaf)
        # Each trailing one bit of the count is a full subtree of that size, waiting for its right sibling.
        bits = count
        while bits & 1:
            carried = node_hash(peaks.pop(), carried)
            bits >>= 1
        peaks.append(carried)
    if not peaks:
        return hashlib.sha256().digest()
    root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop(), root)
    return root
