"""Taking erased bytes away, once a commit has said that they go: what it does can be done again at any time.

Segments that held erased rows go, live ones and those that they were merged from. Commits say of each column of a
segment its smallest and its largest value: of segments that went these go too, which is the one change that a commit
ever sees (`provenance.history.bounds`). What is derived from commits goes, and is made anew. The segments are the
last to go: as long as one of them is there, an erasure is not finished, and everybody can see that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from provenance.errors import NOT_THERE, DamagedStoreError, WriteFailedError, lost
from provenance.history import bounds, checkpoints
from provenance.history.canonical import SEAL, sealed
from provenance.history.commits import Commit, commit_name
from provenance.history.erased import gone_from
from provenance.history.foreign import FOLDER as FOREIGN
from provenance.history.foreign import Pulled, path_of
from provenance.segments.segment_files import FOLDER as SEGMENTS
from provenance.wide import wide

if TYPE_CHECKING:
    from provenance.store import Store


def finish(store: Store) -> list[str]:
    """Take away what the erasures of a store have said goes; gives the paths of the segments that went by this.

    Raises WriteFailedError for what cannot be removed, ReadFailedError, DamagedStoreError.
    """
    commits = list(store.all_commits())
    gone = gone_from(commits)
    if not gone:
        return []
    changed = _take_bounds(store, commits, gone)
    left = sorted(gone & {stored.name for stored in store.storage.stored(SEGMENTS)})
    if left or changed:
        had_catalog = _remove_derived(store)
        remove_all(store, left)
        _make_anew(store, had_catalog)
    return left


def remove_all(store: Store, names: Collection[str]) -> None:
    """Remove files that hold what was erased. Raises WriteFailedError if one is there afterwards."""
    for name in names:
        store.storage.remove(name)
    folders = {name.split("/")[0] for name in names}
    left = {stored.name for folder in folders for stored in store.storage.stored(folder)} & set(names)
    if left:
        place = store.storage.where(min(left))
        raise WriteFailedError(
            f"{place}: holds what was erased and cannot be removed (one of {len(left)} files)",
            hint="see to it that it can, then `pirene store erase --finish`",
        )


def erased_tables(gone: Iterable[str]) -> frozenset[str]:
    """The tables that segments which are gone were of."""
    return frozenset(path.split("/")[1] for path in gone)


# Bounds


def _take_bounds(store: Store, commits: Sequence[Commit], gone: Collection[str]) -> bool:
    """Put commits without bounds of erased values in the places of those that have some; whether there were any."""
    changed = False
    # Again until nothing is left: of two who do this at once, one may undo what the other did of a later erasure.
    while _rewrite_all(store, commits, gone):
        changed = True
        commits = list(store.all_commits())
        gone = gone_from(commits)
    _remove_leftovers(store, commits)
    return changed


def _rewrite_all(store: Store, commits: Sequence[Commit], gone: Collection[str]) -> bool:
    """Whether there was anything to do."""
    try:
        tables = erased_tables(gone)
        return sum(_rewrite(store, commit, gone, tables) for commit in commits) > 0
    except DamagedStoreError:
        if list(store.all_commits()) == commits:
            raise
        return True  # somebody else does this too, and has removed what a commit named


def _rewrite(store: Store, commit: Commit, gone: Collection[str], tables: Collection[str]) -> bool:
    """Whether there was anything to do."""
    files = {pulled.path: _rewritten(store, pulled, tables) for pulled in commit.pulled}
    altered = {path: new for path, new in files.items() if new is not None}
    if not altered and not bounds.tells(commit, gone):
        return False
    name = commit_name(commit.number)
    document: dict[str, Any] = json.loads(_read(store, name))
    del document[SEAL]
    bounds.drop(document, lambda segment: segment["path"] in gone)
    for listed in document.get("pulled", ()):
        listed.update(altered.get(listed["path"], {}))
    store.storage.write(name, sealed(document))
    return True


def _rewritten(store: Store, pulled: Pulled, tables: Collection[str]) -> dict[str, object] | None:
    """Write commits of another store without bounds, and say what the file is then; None: they have none.

    Which of its segments held what was erased is not known, so no segment of these tables keeps its bounds, which
    nobody here reads.
    """
    old = _read(store, pulled.path).splitlines()
    new = [bounds.without(line, tables) for line in old]
    if new == old:
        return None
    content = b"".join(line + b"\n" for line in new)
    digest = hashlib.sha256(content).hexdigest()
    path = path_of(pulled.store, pulled.first, digest)
    store.storage.write(path, content)
    return {"path": path, "size": len(content), "sha256": digest}


def _remove_leftovers(store: Store, commits: Iterable[Commit]) -> None:
    """Remove what pulled commits were kept in before they were written anew."""
    kept = {pulled.path for commit in commits for pulled in commit.pulled}
    beginnings = {_beginning(path) for path in kept}
    names = [stored.name for stored in store.storage.stored(FOREIGN)]
    remove_all(store, [name for name in names if name not in kept and _beginning(name) in beginnings])


def _beginning(path: str) -> str:
    """What the names of all files have that ever kept the same pulled commits."""
    return path.rpartition("-")[0]


def _read(store: Store, name: str) -> bytes:
    try:
        return store.storage.read(name)
    except NOT_THERE as error:
        raise lost(store.storage.where(name), error) from error


# What is derived


def _remove_derived(store: Store) -> bool:
    """Remove what was made from commits and segments. Says whether there was a catalog."""
    from provenance.ducklake import lake
    from provenance.storage.segment_cache import clear

    with suppress(FileNotFoundError):
        remove_all(store, [f"{checkpoints.FOLDER}/{name}" for name in store.storage.names(checkpoints.FOLDER)])
    # Documents first, so that nobody comes to read what they name.
    remove_all(store, sorted((stored.name for stored in store.storage.stored(wide.FOLDER)), key=wide.is_part))
    if store.storage.location != str(store.root):  # of a folder there are no copies
        clear()
    return lake.forget(store)


def _make_anew(store: Store, had_catalog: bool) -> None:
    """Make anew what somebody would wait for; wide tables are made by the next compaction."""
    store.reread()
    store.sum_up()
    if had_catalog:
        store.project()
