"""The files of the log brought up to date with the commits: by whoever wrote last, and after them by the next.

They are only ever continued. Where they do not fit the commits nothing is written: what contradicts the commits stays
to be looked at, until `pirene log check --rebuild` makes the log anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.errors import EvidenceError, KeyFileError
from integrity.log.checkpoint import Checkpoint
from integrity.log.proofs import of_tiles
from integrity.log.tiles import WIDTH, Fetch, Tile, TiledTree
from provenance.errors import NOT_THERE, DamagedStoreError, LogMisfitError
from provenance.log.chain import read_leaves
from provenance.log.files import CHECKPOINT, FOLDER, fetching, origin_of, stated, tile_name
from provenance.log.keys import own_key
from provenance.storage.durable import TEMPORARY

if TYPE_CHECKING:
    from provenance.storage.interface import Storage
    from provenance.store import Store


def extend(store: Store) -> Checkpoint | None:
    """Continue the log to the newest commit; None: there is nobody to sign it, or no commit.

    Raises LogMisfitError: the log does not fit the commits, or is gone; DamagedStoreError for a commit that is none;
    WriteFailedError, ReadFailedError.
    """
    storage, size = store.storage, store.snapshot().number
    try:
        before = stated(storage)
        fetch = fetching(storage)
        tree = TiledTree(before.size, fetch) if before else TiledTree()
        if before is not None:
            _require_fit(store, before, tree, fetch)
    except (EvidenceError, ValueError, DamagedStoreError) as error:
        raise error if isinstance(error, LogMisfitError) else _misfit(store, str(error)) from error
    if before is not None and before.size >= size:
        return before
    root, seen = tree.tree(), 0
    for document, hashed in read_leaves(storage, range(tree.size + 1, size + 1)):
        seen = max(seen, min(document.get("logged", 0), tree.size))
        if document.get("log_root") not in (None, root.root().hex()):
            raise _misfit(store, f"commit {tree.size + 1} says that it continues another history")
        tree.append(hashed)
        root.append(hashed)
    _require_there(store, before, seen)
    return _written(store, tree)


def _require_fit(store: Store, before: Checkpoint, tree: TiledTree, fetch: Fetch) -> None:
    """Raise LogMisfitError unless the checkpoint is of this store, of its tiles, and of the last commit that it has.

    Anybody who may write to the store can have put checkpoint and tiles there; the commit is signed, and says the root
    over all before it.
    """
    storage = store.storage
    if (before.origin, before.root) != (origin_of(store.store_id), tree.root()):
        raise _misfit(store, f"{storage.where(CHECKPOINT)} is not of its tiles")
    if not before.size:
        return
    hashed = of_tiles(before.size, fetch)
    for document, leaf in read_leaves(storage, [before.size]):
        stated_root = document.get("log_root")
        if leaf != hashed(before.size - 1, before.size) or (
            stated_root is not None and stated_root != hashed(0, before.size - 1).hex()
        ):
            raise _misfit(store, f"commit {before.size} is not the one that the tiles have")


def _require_there(store: Store, before: Checkpoint | None, seen: int) -> None:
    """Raise LogMisfitError unless the log has the files that it had when it was of ``seen`` commits, which those after
    ``before`` say it was: made once more, nobody could tell that they were removed.
    """
    if seen and before is None:
        raise _misfit(store, f"{store.storage.where(CHECKPOINT)} is gone, which was of {seen} commits or more")
    if before is None or seen <= before.size:
        return
    try:
        TiledTree(seen, fetching(store.storage))
    except (DamagedStoreError, ValueError) as error:
        raise _misfit(store, f"{error}, and commits say that it was there") from error


def rebuild(store: Store) -> Checkpoint | None:
    """Make the log anew from the commits as they are, whatever there is. What is there goes when the new one is.

    None: there is no commit, and no log from now on. Raises KeyFileError: there is nobody to sign it; DamagedStoreError
    for a commit that is none; WriteFailedError, ReadFailedError.
    """
    if own_key() is None:
        raise KeyFileError("the log is as it was: a new one has to be signed", hint="see the warning above")
    storage = store.storage
    present = [stored.name for stored in storage.stored(FOLDER) if not stored.name.endswith(TEMPORARY)]
    tree = TiledTree()
    for _, hashed in read_leaves(storage, range(1, store.snapshot().number + 1)):
        tree.append(hashed)
    kept = {tile_name(tile) for tile in tree.made()}
    kept |= {CHECKPOINT} if kept else set()
    for name in present:
        if any(one.startswith(f"{name}/") for one in kept):  # a file where a folder has to be
            storage.remove(name)
    made = _written(store, tree)
    for name in present:
        if name not in kept:
            storage.remove(name)
    return made


def _written(store: Store, tree: TiledTree) -> Checkpoint | None:
    """Write the new tiles, then the checkpoint; narrow tiles go whose place a full one has taken."""
    key = own_key() if tree.size else None
    if key is None:
        return None
    storage, made = store.storage, tree.made()
    for name in sorted({tile_name(tile).rpartition("/")[0] for tile in made}):
        _prepare(storage, name)
    for _ in storage.together(lambda tile: storage.write(tile_name(tile), made[tile]), sorted(made)):
        pass
    checkpoint = Checkpoint(origin_of(store.store_id), tree.size, tree.root())
    storage.write(CHECKPOINT, checkpoint.signed([key]))
    store.chain.has_logged(tree.size)
    for tile in made:
        if tile.width == WIDTH:
            _remove_narrow(storage, tile)
    return checkpoint


def _prepare(storage: Storage, folder: str) -> None:
    """Make a folder and those that it is in."""
    parent = ""
    for name in folder.split("/"):
        storage.prepare(parent, [name])
        parent = f"{parent}/{name}" if parent else name


def _remove_narrow(storage: Storage, full: Tile) -> None:
    folder = f"{tile_name(full)}.p"
    try:
        narrow = storage.names(folder)
    except NOT_THERE:
        return
    for name in narrow:
        storage.remove(f"{folder}/{name}")


def _misfit(store: Store, why: str) -> LogMisfitError:
    return LogMisfitError(
        f"{store.storage.location}: the log does not fit the commits: {why}",
        hint="`pirene log check` says what is wrong",
    )
