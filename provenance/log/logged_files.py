"""The files of the log as they are: which tiles, which hashes of commits they hold, what the checkpoint says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.errors import EvidenceError
from integrity.log.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint
from integrity.log.note import VerifierKey, split_note
from integrity.log.tiles import HASH_BYTES, WIDTH, Tile, split
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.log.discrepancy import REBUILD, Discrepancy, Gravity, unread
from provenance.log.files import CHECKPOINT, FOLDER, origin_of, tile_at, tile_name
from provenance.storage.durable import TEMPORARY

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


@dataclass(frozen=True, slots=True)
class LoggedFiles:
    """``tiles`` are those that have the form of one, ``leaves`` the hashes in those of level 0: number of a commit ->
    (hash, name of the tile); ``checkpoint`` None: there is none that says anything. ``whole``: it is known which
    files there are.
    """

    tiles: Mapping[Tile, bytes]
    leaves: Mapping[int, tuple[bytes, str]]
    checkpoint: Checkpoint | None
    signed: SignedCheckpoint | None
    whole: bool
    discrepancies: tuple[Discrepancy, ...]


def read_files(storage: Storage, store_id: str, trusted: tuple[VerifierKey, ...]) -> LoggedFiles:
    """Read the whole log."""
    found: list[Discrepancy] = []
    checkpoint, signed = _checkpoint(storage, store_id, trusted, found)  # first: tiles are there before it says so
    listed = _listed(storage, found)
    tiles = _tiles(storage, listed or (), found)
    leaves: dict[int, tuple[bytes, str]] = {}
    for tile in sorted(tiles, key=lambda one: one.width):
        if tile.level == 0:
            hashes = split(tile, tiles[tile])
            first = tile.index * WIDTH + 1
            leaves.update({first + at: (hashed, tile_name(tile)) for at, hashed in enumerate(hashes)})
    return LoggedFiles(tiles, leaves, checkpoint, signed, listed is not None, tuple(found))


def _listed(storage: Storage, found: list[Discrepancy]) -> list[str] | None:
    """The names of its files; None: nobody knows which there are."""
    try:
        return [stored.name for stored in storage.stored(FOLDER)]
    except ReadFailedError as error:
        found.append(unread(FOLDER, "the files of the log", error))
        return None


def _tiles(storage: Storage, names: Iterable[str], found: list[Discrepancy]) -> dict[Tile, bytes]:
    tiles: dict[Tile, bytes] = {}
    for name in names:
        if name == CHECKPOINT or name.endswith(TEMPORARY) or _is_of_nfs(name):
            continue
        tile = tile_at(name)
        if tile is None:
            found.append(Discrepancy(Gravity.ALTERED, name, "no such file", "a file", "see whose it is"))
            continue
        try:
            data = storage.read(name)
        except NOT_THERE:
            continue  # narrow ones go when a full one takes their place; what must be there is looked for later
        except ReadFailedError as error:
            found.append(unread(name, f"{tile.width} hashes", error))
            continue
        if len(data) != tile.width * HASH_BYTES:
            expected = f"{tile.width} hashes, {tile.width * HASH_BYTES} bytes"
            found.append(Discrepancy(Gravity.ALTERED, name, expected, f"{len(data)} bytes", REBUILD))
            continue
        tiles[tile] = data
    return tiles


def _is_of_nfs(name: str) -> bool:
    """Whether an NFS client gave a file this name: it was removed while open, and goes when it is closed."""
    return name.rpartition("/")[2].startswith(".nfs")


def _checkpoint(
    storage: Storage, store_id: str, trusted: tuple[VerifierKey, ...], found: list[Discrepancy]
) -> tuple[Checkpoint | None, SignedCheckpoint | None]:
    try:
        note = storage.read(CHECKPOINT)
    except FileNotFoundError:
        return None, None
    except NOT_THERE as error:
        found.append(Discrepancy(Gravity.ALTERED, CHECKPOINT, "a file", error.strerror or str(error), REBUILD))
        return None, None
    except ReadFailedError as error:
        found.append(unread(CHECKPOINT, "a checkpoint", error))
        return None, None
    origin = origin_of(store_id)
    try:
        text, signatures = split_note(note)
        checkpoint = Checkpoint.parse(text)
        if checkpoint.origin != origin:
            raise EvidenceError(f"it is one of {checkpoint.origin}")
        if not any(signature.is_of(key) for signature in signatures for key in trusted):
            names = ", ".join(f"{one.name}+{one.key_id.hex()}" for one in signatures)
            advice = "ask whose key it is, and `pirene log trust` it"
            said = "a signature of a key that you trust"
            found.append(Discrepancy(Gravity.UNVERIFIED, CHECKPOINT, said, f"only of {names}", advice))
            return checkpoint, None
        return checkpoint, opened_checkpoint(note, trusted)
    except EvidenceError as error:
        expected = f"a signed checkpoint of {origin}"
        found.append(Discrepancy(Gravity.ALTERED, CHECKPOINT, expected, str(error), REBUILD))
        return None, None
