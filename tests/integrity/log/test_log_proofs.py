"""Proofs: every one up to 256 leaves, the RFC's own definitions as a second opinion, published vectors, and no other."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from integrity.log.proofs import (
    consistency_holds,
    consistency_proof,
    inclusion_holds,
    inclusion_proof,
    of_leaves,
    of_tiles,
)
from integrity.log.tiles import Tile, TiledTree
from integrity.merkle import leaf_hash, root_hash
from tests.integrity.log import rfc6962
from tests.integrity.test_merkle_root import LEAVES, ROOTS

MOST = 256


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


@pytest.fixture(scope="module")
def roots() -> list[bytes]:
    return [root_hash(leaves_of(size)) for size in range(MOST + 1)]


def test_every_inclusion_proof_holds(roots: list[bytes]) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves_of(MOST)]
    for size in range(1, MOST + 1):
        hashed = memory(of_leaves(hashes))
        for index in range(size):
            path = inclusion_proof(index, size, hashed)
            assert inclusion_holds(index, size, hashes[index], path, roots[size])
            # Nor for another place, another leaf or another tree.
            assert not inclusion_holds((index + 1) % size, size, hashes[index], path, roots[size]) or size == 1
            assert not inclusion_holds(index, size, hashes[index - 1], path, roots[size]) or size == 1
            assert not inclusion_holds(index, size, hashes[index], path, roots[size - 1])


def test_every_consistency_proof_holds(roots: list[bytes]) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves_of(MOST)]
    for size in range(1, MOST + 1):
        hashed = memory(of_leaves(hashes))
        for old in range(1, size + 1):
            path = consistency_proof(old, size, hashed)
            assert consistency_holds(old, size, path, roots[old], roots[size])
            if old < size:
                assert not consistency_holds(old, size, path, roots[old - 1], roots[size])
                assert not consistency_holds(old, size, path, roots[old], roots[size - 1])


def test_each_is_that_of_the_rfc() -> None:
    leaves = leaves_of(MOST)
    hashed = memory(of_leaves([leaf_hash(leaf) for leaf in leaves]))
    for size in range(1, MOST + 1):
        tree = tuple(leaves[:size])
        for index in range(size):
            path = inclusion_proof(index, size, hashed)
            assert path == rfc6962.path(index, tree)
            assert rfc6962.root_by_path(index, size, leaves[index], path) == rfc6962.mth(tree)
        for old in range(1, size + 1):
            assert consistency_proof(old, size, hashed) == rfc6962.proof(old, tree)


# Of the reference implementation of Certificate Transparency: (leaf, size, path) and (old, size, path).
PATHS = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
GROWTHS = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def test_published_proofs() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    for index, size, published in PATHS:
        path = [bytes.fromhex(one) for one in published]
        assert inclusion_proof(index, size, of_leaves(hashes)) == path
        assert inclusion_holds(index, size, hashes[index], path, bytes.fromhex(ROOTS[size]))
    for old, size, published in GROWTHS:
        path = [bytes.fromhex(one) for one in published]
        assert consistency_proof(old, size, of_leaves(hashes)) == path
        assert consistency_holds(old, size, path, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize("size", [1, 5, 8, 13])
def test_a_proof_with_one_bit_flipped_holds_for_nothing(size: int, roots: list[bytes]) -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves_of(size)]
    for index in range(size):
        path = inclusion_proof(index, size, of_leaves(hashes))
        for mutated in mutations(path):
            assert not inclusion_holds(index, size, hashes[index], mutated, roots[size])
    for old in range(1, size):
        path = consistency_proof(old, size, of_leaves(hashes))
        for mutated in mutations(path):
            assert not consistency_holds(old, size, mutated, roots[old], roots[size])


def mutations(path: list[bytes]) -> list[list[bytes]]:
    """Every single bit flipped; a hash dropped, doubled or added; two that change places."""
    found = [[*path[:at], flipped(path[at], bit), *path[at + 1 :]] for at in range(len(path)) for bit in range(8 * 32)]
    found += [[*path[:at], *path[at + 1 :]] for at in range(len(path))]
    found += [[*path[:at], path[at], *path[at:]] for at in range(len(path))]
    found += [[*path, bytes(32)], [bytes(32), *path]]
    if len(path) > 1 and path[0] != path[1]:
        found.append([path[1], path[0], *path[2:]])
    return found


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_what_there_cannot_be_is_refused() -> None:
    hashed = of_leaves([])
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(index, size, hashed)
        assert not inclusion_holds(index, size, bytes(32), [], bytes(32))
    for old, size in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no proof"):
            consistency_proof(old, size, hashed)
        assert not consistency_holds(old, size, [], bytes(32), bytes(32))


def test_proofs_from_tiles_are_those_from_leaves() -> None:
    size = 70_000
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    tree = TiledTree()
    for hashed in hashes:
        tree.append(hashed)
    fetched: list[Tile] = []

    def fetch(tile: Tile) -> bytes:
        fetched.append(tile)
        return tree.made()[tile]

    root = tree.root()
    chosen = random.Random(6)
    for index in (0, 255, 256, 65_535, 65_536, size - 1, *(chosen.randrange(size) for _ in range(3))):
        fetched.clear()
        path = inclusion_proof(index, size, of_tiles(size, fetch))
        assert inclusion_holds(index, size, hashes[index], path, root)
        assert len(fetched) <= 6  # of 276: a path needs the tiles above the leaf, and those at the edge
    for old in (1, 256, 300, 65_536, size - 1):
        path = consistency_proof(old, size, of_tiles(size, fetch))
        assert path == consistency_proof(old, size, of_leaves(hashes))
        assert consistency_holds(old, size, path, of_leaves(hashes)(0, old), root)


def memory(hashed: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    known: dict[tuple[int, int], bytes] = {}
    return lambda first, end: known.setdefault((first, end), known.get((first, end)) or hashed(first, end))
