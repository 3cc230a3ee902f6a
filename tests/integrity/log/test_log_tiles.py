"""Tiles: their names, which there are, what they hold, and that a tree grows from those at its edge."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.log.tiles import WIDTH, Tile, TiledTree, split, tiles_of
from integrity.merkle import Tree, leaf_hash
from tests.integrity.log import rfc6962


def test_names_are_those_of_the_specification() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(1, 0, 17).path == "tile/1/000.p/17"
    assert Tile(63, 999).path == "tile/63/999"
    assert Tile(0, 1000).path == "tile/0/x001/000"


@given(st.integers(0, 63), st.integers(0, 10**15), st.integers(1, WIDTH))
def test_a_name_gives_its_tile_back(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert Tile.at(tile.path) == tile


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/x001/x001",
        "tile/entries/000",
        "tile/0/000.p/",
        "tile/0/000\n",
    ],
)
def test_other_names_are_of_no_tile(name: str) -> None:
    assert Tile.at(name) is None


def test_which_tiles_there_are() -> None:
    """The example of the specification: 70 000 leaves."""
    tiles = list(tiles_of(70_000))
    assert len([tile for tile in tiles if tile.level == 0 and tile.width == WIDTH]) == 273
    assert [tile for tile in tiles if tile.width < WIDTH] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert Tile(1, 0) in tiles
    assert len(tiles) == 277
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def grown(size: int, start: TiledTree | None = None) -> TiledTree:
    tree = start or TiledTree()
    for number in range(tree.size, size):
        tree.append(leaf_hash(b"%d" % number))
    return tree


def test_each_hash_is_that_of_its_leaves() -> None:
    size = 66_000
    leaves = tuple(b"%d" % number for number in range(size))
    made = grown(size).made()
    assert made.keys() == set(tiles_of(size))
    for tile, at in ((Tile(0, 0), 0), (Tile(0, 257, 208), 207), (Tile(1, 0), 255), (Tile(1, 1, 1), 0)):
        span = 256**tile.level
        first = (tile.index * WIDTH + at) * span
        assert split(tile, made[tile])[at] == rfc6962.mth(leaves[first : first + span])
    assert rfc6962.mth(leaves[:65_536]) == made[Tile(2, 0, 1)]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=5))
def test_it_grows_from_its_tiles_as_if_it_had_never_stopped(steps: list[int]) -> None:
    kept: dict[Tile, bytes] = {}
    size = 0
    for step in steps:
        tree = grown(size + step, TiledTree(size, kept.__getitem__))
        assert set(tree.made()) == set(tiles_of(size + step, size))
        kept |= tree.made()
        size += step
        plain = Tree()
        for number in range(size):
            plain.append(leaf_hash(b"%d" % number))
        assert tree.root() == plain.root() == tree.tree().root()
        assert tree.tree().size == size
    whole = grown(size).made()
    assert {tile: kept[tile] for tile in whole} == whole


def test_a_wider_tile_serves_as_a_narrower_one_and_a_torn_one_does_not() -> None:
    made = grown(300).made()
    assert TiledTree(290, lambda tile: made[Tile(0, 1, 44)] if tile.level == 0 else made[tile]).root() == (
        grown(290).root()
    )
    for data in (b"", bytes(31), bytes(32 * 33), bytes(32 * 257), bytes(32 * 34 + 1)):
        with pytest.raises(ValueError, match=r"tile/0/001\.p/34: expected 1088 bytes, found"):
            TiledTree(290, lambda tile, data=data: data if tile.level == 0 else bytes(32))


def test_a_subtree_stands_only_where_one_can() -> None:
    tree = Tree()
    tree.append(bytes(32))
    with pytest.raises(ValueError, match="height 1 cannot follow 1 leaves"):
        tree.append(bytes(32), 1)
