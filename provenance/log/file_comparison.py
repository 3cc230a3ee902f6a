"""The files of the log against what the commits make of them: tiles, the checkpoint, and what is missing of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from integrity.log.checkpoint import Checkpoint
from integrity.log.tiles import HASH_BYTES, WIDTH, Tile, TiledTree, tiles_of
from provenance.errors import NOT_THERE, DamagedStoreError
from provenance.history.commits import commit_name
from provenance.log.discrepancy import REBUILD, Discrepancy, Gravity
from provenance.log.files import CHECKPOINT, fetching, tile_name
from provenance.log.logged_files import LoggedFiles

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


def absent(first: int, last: int, what: str) -> Discrepancy:
    """Commits ``first`` to ``last`` that are not there, as one, however many they are; ``what`` was the first."""
    more = "" if first == last else f", and those up to commit {last}"
    return Discrepancy(Gravity.ALTERED, commit_name(first), f"{what}{more}", "nothing")


def commits_beyond(files: LoggedFiles, newest: int) -> Iterator[Discrepancy]:
    """Commits that the log has and the store, which ends with ``newest``, has not."""
    checkpoint = files.checkpoint
    last = max([*files.leaves, checkpoint.size if checkpoint else 0], default=0)
    if last > newest:
        yield absent(newest + 1, last, "the commit that the log has")


def compare_files(
    storage: Storage, files: LoggedFiles, leaves: Sequence[bytes], seen: int, blamed: Collection[str]
) -> Iterator[Discrepancy]:
    """What ``files`` say that the commits with these ``leaves`` do not, and what of them is missing.

    ``seen`` is the largest log that a commit knew of. Files that are ``blamed`` already are not named again.
    """
    newest, checkpoint = len(leaves), files.checkpoint
    tree, root = TiledTree(), None
    for leaf in leaves:
        tree.append(leaf)
        if checkpoint is not None and tree.size == checkpoint.size:
            root = tree.root()
    made = {(tile.level, tile.index): data for tile, data in tree.made().items()}
    blamed = set(blamed)
    for tile, data in files.tiles.items():
        expected = made.get((tile.level, tile.index), b"")[: len(data)]
        if data != expected and tile_name(tile) not in blamed and (tile.level or tile.last_leaf <= newest):
            blamed.add(tile_name(tile))
            yield Discrepancy(Gravity.ALTERED, tile_name(tile), "the hashes of its commits", "others", REBUILD)
    if checkpoint is not None:
        yield from _checkpoint(checkpoint, root, newest)
    elif CHECKPOINT not in blamed:
        yield from _no_checkpoint(storage, seen, newest)
    if files.whole:
        size = min(max(seen, checkpoint.size if checkpoint else 0), newest)
        yield from _missing(storage, files, size, made, blamed)


def _checkpoint(checkpoint: Checkpoint, root: bytes | None, newest: int) -> Iterator[Discrepancy]:
    """``root`` is that of as many commits as it is of; None: there are fewer."""
    if root is not None and root != checkpoint.root:
        expected = f"the checkpoint of {checkpoint.size} commits with the root {root.hex()}"
        found = f"one with the root {checkpoint.root.hex()}"
        yield Discrepancy(Gravity.ALTERED, CHECKPOINT, expected, found, REBUILD)
    elif checkpoint.size < newest:
        yield _behind(checkpoint.size, newest)


def _no_checkpoint(storage: Storage, seen: int, newest: int) -> Iterator[Discrepancy]:
    if seen and not _is_there(storage, CHECKPOINT):
        yield Discrepancy(Gravity.ALTERED, CHECKPOINT, f"one of {seen} commits or more", "nothing", REBUILD)
    elif newest:
        yield _behind(0, newest)


def _behind(logged: int, newest: int) -> Discrepancy:
    advice = "the next command that writes brings it up"
    return Discrepancy(Gravity.BEHIND, CHECKPOINT, f"one of {newest} commits", f"{logged}", advice)


def _missing(
    storage: Storage, files: LoggedFiles, size: int, made: Mapping[tuple[int, int], bytes], blamed: Collection[str]
) -> Iterator[Discrepancy]:
    """Tiles that the log had once it had this size; a wider one is as good, also one that came meanwhile.

    ``made`` are those of all commits, by level and index.
    """
    widths: dict[tuple[int, int], int] = {}
    for tile in files.tiles:
        widths[tile.level, tile.index] = max(widths.get((tile.level, tile.index), 0), tile.width)
    for tile in tiles_of(size):
        place = tile.level, tile.index
        if widths.get(place, 0) >= tile.width or tile_name(tile) in blamed:
            continue
        if not _has_come(storage, tile, made.get(place, b"")):
            what = f"{tile.width} hashes" if tile.width < WIDTH else "a full tile"
            yield Discrepancy(Gravity.ALTERED, tile_name(tile), what, "nothing", REBUILD)


def _has_come(storage: Storage, tile: Tile, made: bytes) -> bool:
    """Whether a tile is there since the files of the log were read: somebody wrote it meanwhile."""
    try:
        data = fetching(storage)(tile)
    except DamagedStoreError:
        return False
    size = tile.width * HASH_BYTES
    return len(data) >= size and data[:size] == made[:size]


def _is_there(storage: Storage, name: str) -> bool:
    try:
        storage.read(name)
    except NOT_THERE:
        return False
    return True
