"""The log of a store in files: tiles and a checkpoint below ``log/``, made from the commits, a little behind them.

A tile never changes and is the same whoever makes it; the checkpoint says how many commits the tiles are about. It is
written after the tiles that it needs, and they after the commits that they are about.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from integrity.errors import EvidenceError
from integrity.log.checkpoint import Checkpoint
from integrity.log.note import split_note
from integrity.log.tiles import WIDTH, Fetch, Tile
from provenance.errors import NOT_THERE, DamagedStoreError

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

FOLDER = "log"
CHECKPOINT = f"{FOLDER}/checkpoint"
TILES = f"{FOLDER}/tile"


def origin_of(store_id: str) -> str:
    """What checkpoints of a store's log call it."""
    return f"pirene/{store_id}"


def tile_name(tile: Tile) -> str:
    """The name of a tile's file below the store."""
    return f"{FOLDER}/{tile.path}"


def tile_at(name: str) -> Tile | None:
    """The tile in a file of this name below the store; None: no tile has it."""
    return Tile.at(name.removeprefix(f"{FOLDER}/")) if name.startswith(f"{TILES}/") else None


def stated(storage: Storage) -> Checkpoint | None:
    """What the checkpoint says, whoever signed it; None: there is none. Raises EvidenceError for what is no
    checkpoint, ReadFailedError.
    """
    try:
        note = storage.read(CHECKPOINT)
    except FileNotFoundError:
        return None
    except NOT_THERE as error:
        raise EvidenceError(f"{storage.where(CHECKPOINT)}: {error.strerror or error}") from error
    return Checkpoint.parse(split_note(note)[0])


def fetching(storage: Storage) -> Fetch:
    """Reads tiles, each once; for one that was narrow and has grown full, the full one. Raises DamagedStoreError for
    one that is not there, ReadFailedError.
    """

    @cache
    def fetch(tile: Tile) -> bytes:
        names = [tile_name(tile), tile_name(Tile(tile.level, tile.index, WIDTH))]
        for name in dict.fromkeys(names):
            try:
                return storage.read(name)
            except NOT_THERE:
                continue
        raise DamagedStoreError(f"{storage.where(names[0])}: the tile is missing")

    return fetch
