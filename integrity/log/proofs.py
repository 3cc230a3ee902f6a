"""Proofs about a Merkle tree: that a leaf is in it, and that it continues a smaller one (RFC 6962, section 2.1).

A proof is a list of hashes of subtrees; who has the root, or both, needs nothing else to check it. Whoever makes one
is asked for the hashes of ranges of leaves, and may take them from leaves or from tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from integrity.log.tiles import WIDTH, Fetch, Tile, split
from integrity.merkle import Tree, node_hash

_TILE_HEIGHT = 8
RangeHash = Callable[[int, int], bytes]
"""(first, end) -> the hash of the tree over the leaves ``first`` to ``end`` - 1."""


def inclusion_proof(index: int, size: int, hashed: RangeHash) -> list[bytes]:
    """The audit path of leaf ``index`` (from 0) in the tree of ``size`` leaves, from the leaf upward.

    ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append(hashed(middle, end))
            end = middle
        else:
            path.append(hashed(first, middle))
            first = middle
    return path[::-1]


def consistency_proof(old: int, size: int, hashed: RangeHash) -> list[bytes]:
    """What shows that the tree of ``size`` leaves begins with that of ``old``. ValueError: not 0 < old <= size."""
    if not 0 < old <= size:
        raise ValueError(f"no proof from a tree of {old} leaves to one of {size}")
    path: list[bytes] = []
    first, end = 0, size
    while end != old:
        middle = first + _split(end - first)
        if old <= middle:
            path.append(hashed(middle, end))
            end = middle
        else:
            path.append(hashed(first, middle))
            first = middle
    if first:  # else it is a full subtree from the first leaf on, whose hash is the old root
        path.append(hashed(first, end))
    return path[::-1]


def inclusion_holds(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` shows that leaf ``index`` of the tree of ``root`` has the hash ``leaf`` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    left, last, hashed = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if left & 1 or left == last:
            hashed = node_hash(step, hashed)
            while not left & 1 and left:
                left, last = left >> 1, last >> 1
        else:
            hashed = node_hash(hashed, step)
        left, last = left >> 1, last >> 1
    return last == 0 and hashed == root


def consistency_holds(old: int, size: int, path: Sequence[bytes], old_root: bytes, root: bytes) -> bool:
    """Whether ``path`` shows that the tree with ``root`` begins with that of ``old_root`` (RFC 9162, 2.1.4.2)."""
    if old == size:
        return not path and old_root == root
    if not 0 < old < size:
        return False
    steps = list(path) if old & (old - 1) else [old_root, *path]  # a power of two: the old tree is a subtree
    if not steps:
        return False
    left, last = old - 1, size - 1
    while left & 1:
        left, last = left >> 1, last >> 1
    old_hash = new_hash = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if left & 1 or left == last:
            old_hash, new_hash = node_hash(step, old_hash), node_hash(step, new_hash)
            while not left & 1 and left:
                left, last = left >> 1, last >> 1
        else:
            new_hash = node_hash(new_hash, step)
        left, last = left >> 1, last >> 1
    return last == 0 and (old_hash, new_hash) == (old_root, root)


def of_leaves(leaves: Sequence[bytes]) -> RangeHash:
    """Hashes of ranges, from the hashes of all leaves."""

    def hashed(first: int, end: int) -> bytes:
        tree = Tree()
        for leaf in leaves[first:end]:
            tree.append(leaf)
        return tree.root()

    return hashed


def of_tiles(size: int, fetch: Fetch) -> RangeHash:
    """Hashes of ranges of the tree of ``size`` leaves, from its tiles; each is fetched once."""
    fetched: dict[tuple[int, int], list[bytes]] = {}

    def in_tile(level: int, number: int) -> bytes:
        """The hash of the ``number``-th full subtree of 256**level leaves."""
        index = number // WIDTH
        if (level, index) not in fetched:
            tile = Tile(level, index, min(WIDTH, (size >> (_TILE_HEIGHT * level)) - index * WIDTH))
            fetched[level, index] = split(tile, fetch(tile))
        return fetched[level, index][number % WIDTH]

    def hashed(first: int, end: int) -> bytes:
        tree = Tree()
        while first < end:
            level = 0
            while first + (1 << _TILE_HEIGHT * (level + 1)) <= end and not first % (1 << _TILE_HEIGHT * (level + 1)):
                level += 1
            tree.append(in_tile(level, first >> (_TILE_HEIGHT * level)), _TILE_HEIGHT * level)
            first += 1 << (_TILE_HEIGHT * level)
        return tree.root()

    return hashed


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves, of which there are at least two."""
    return 1 << ((leaves - 1).bit_length() - 1)
