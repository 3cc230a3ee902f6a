"""Tiles: the hashes of a Merkle tree in files of up to 256 that never change (C2SP tlog-tiles).

Tile n of level l holds the hashes of full subtrees of 256**l leaves: the first of them begins at leaf n * 256**(l + 1).
A tile that is not full yet has its width in its name; one that is wider says the same, and more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from integrity.merkle import Tree

WIDTH = 256
"""Hashes in a full tile."""
HASH_BYTES = 32
_HEIGHT = 8
"""The height of the subtree that a tile stands for."""
_MAX_LEVEL = 63
_PATH = re.compile(r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile: ``width`` hashes (1 to 256), the ``index``-th tile (from 0) of a ``level`` (from 0: of leaf hashes)."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its name below the log: ``tile/0/x001/x234/067``, ``tile/1/000.p/17``."""
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{'/'.join(groups)}{partial}"

    @property
    def last_leaf(self) -> int:
        """The number of leaves in the smallest tree that has this tile."""
        return (self.index * WIDTH + self.width) << (_HEIGHT * self.level)

    @classmethod
    def at(cls, path: str) -> Tile | None:
        """The tile of this name; None if no tile is called so."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        index = int(match[2].replace("/", "").replace("x", ""))
        tile = cls(int(match[1]), index, int(match[3]) if match[3] else WIDTH)
        return tile if tile.path == path and tile.level <= _MAX_LEVEL else None


Fetch = Callable[[Tile], bytes]
"""The bytes of a tile, `WIDTH` times `HASH_BYTES` of a full one. What it raises comes out of whoever calls it."""


def tiles_of(size: int, after: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of ``size`` leaves, level by level: those that the tree of ``after`` leaves does not have."""
    for level in range(_MAX_LEVEL + 1):
        hashes, had = size >> (_HEIGHT * level), after >> (_HEIGHT * level)
        if not hashes:
            return
        for index in range(had // WIDTH, hashes // WIDTH):
            yield Tile(level, index)
        if hashes % WIDTH and hashes != had:
            yield Tile(level, hashes // WIDTH, hashes % WIDTH)


class TiledTree:
    """A tree that is kept in tiles: it needs those at its right edge to grow, and gives those that growing makes."""

    def __init__(self, size: int = 0, fetch: Fetch | None = None) -> None:
        """The tree of ``size`` leaves, of which ``fetch`` gives the tiles that are not full.

        ValueError: a tile has not as many hashes as it has to have.
        """
        self._size = self._kept = size
        self._edge: list[list[bytes]] = []
        self._made: dict[Tile, bytes] = {}
        for level in range(_MAX_LEVEL + 1):
            hashes = size >> (_HEIGHT * level)
            if not hashes:
                break
            tile = Tile(level, hashes // WIDTH, hashes % WIDTH)
            self._edge.append(split(tile, fetch(tile)) if tile.width and fetch is not None else [])

    @property
    def size(self) -> int:
        """How many leaves it has."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add a leaf, given its hash."""
        self._size += 1
        self._append(0, leaf)

    def root(self) -> bytes:
        """The root (32 bytes) over all leaves."""
        return self.tree().root()

    def tree(self) -> Tree:
        """The same as a tree that knows its root at every size."""
        tree = Tree()
        for level in reversed(range(len(self._edge))):
            for hashed in self._edge[level]:
                tree.append(hashed, _HEIGHT * level)
        return tree

    def made(self) -> dict[Tile, bytes]:
        """The tiles that are not those that it was made of: full ones since, and what is at its edge now."""
        found = dict(self._made)
        for tile in tiles_of(self._size, self._kept):
            if tile.width < WIDTH:
                found[tile] = b"".join(self._edge[tile.level])
        return found

    def _append(self, level: int, hashed: bytes) -> None:
        if level == len(self._edge):
            self._edge.append([])
        edge = self._edge[level]
        edge.append(hashed)
        if len(edge) == WIDTH:
            index = (self._size >> (_HEIGHT * (level + 1))) - 1
            self._made[Tile(level, index)] = b"".join(edge)
            edge.clear()
            self._append(level + 1, _root(self._made[Tile(level, index)]))


def _root(tile: bytes) -> bytes:
    tree = Tree()
    for start in range(0, len(tile), HASH_BYTES):
        tree.append(tile[start : start + HASH_BYTES])
    return tree.root()


def split(tile: Tile, data: bytes) -> list[bytes]:
    """The hashes in a tile, or in a wider one of the same place. ValueError: they are not as many as it has to have."""
    wanted = tile.width * HASH_BYTES
    if len(data) < wanted or len(data) > WIDTH * HASH_BYTES or len(data) % HASH_BYTES:
        raise ValueError(f"{tile.path}: expected {wanted} bytes, found {len(data)}")
    return [data[start : start + HASH_BYTES] for start in range(0, wanted, HASH_BYTES)]
