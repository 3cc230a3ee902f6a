"""Checkpoints: what a store held after some commit, so that who opens it need not read all commits before that one.

They are made from commits and are never the truth (see provenance/history/derived.py): deleted or damaged, the one
before or the commits themselves are read instead. What they leave unread has to be looked at by somebody: `wrong`
compares them with all commits. That no commit is missing is seen by whoever opens the store.

JSON, because there is little to read: 800 live segments, more than a store has that looks after itself, are 1 MB and
take 20 ms, less than the import of anything that reads a columnar format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from provenance.checked_json import MalformedError, object_of
from provenance.errors import NOT_THERE, DamagedStoreError
from provenance.history import derived
from provenance.history.commits import Commit, commit_name, segment_document, segment_from, time_text
from provenance.history.foreign import FOLDER as FOREIGN
from provenance.history.foreign import Foreign, Pulled, pulled_document, pulled_from
from provenance.history.formats import newest as newest_format
from provenance.history.snapshot import Snapshot

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

FOLDER = "checkpoints"
INTERVAL = 64
"""The writer of every 64th commit makes one: who opens a store reads 32 commits on average, 0.1 ms each."""
_KEPT = 2
"""The newest may be damaged, or may vanish under a slow reader: then there is the one before."""
_VERSION = 3
"""Of what checkpoints say. The format of commits counts too: no checkpoint stands for a commit to a version that cannot
read it.
"""
_NAME = re.compile(r"[0-9]{12}\.json")
_REMOVED = b""


def newest(storage: Storage, store_id: str) -> Snapshot:
    """The newest checkpoint that is to be believed, as a snapshot; the empty snapshot if there is none."""
    for name in reversed(_names(storage)):
        found = derived.believed(storage, name, store_id, _version())
        if found is not None and _name(found[0]) == name:
            with suppress(MalformedError, DamagedStoreError):
                return _snapshot(*found)
    return Snapshot()


def write(storage: Storage, store_id: str, snapshot: Snapshot) -> None:
    """Write down what ``snapshot`` holds after its newest commit; checkpoints older than the one before it go.

    Raises WriteFailedError, and what `Storage.read` does if the commit that it is of cannot be read.
    """
    name = _name(snapshot.number)
    there = _names(storage)
    if name not in there:
        data = encode(store_id, snapshot, storage.read(commit_name(snapshot.number)))
        storage.prepare("", [FOLDER])
        storage.write(name, data)
        if snapshot.rewritten and not _names_what_is_there(storage, snapshot):
            storage.remove(name)
            return
    for old in [other for other in there if other < name][: 1 - _KEPT]:
        storage.remove(old)


def _names_what_is_there(storage: Storage, snapshot: Snapshot) -> bool:
    """Whether no erasure has given pulled commits another file since the snapshot was read. Who erases removes the old
    file first and checkpoints then, so one that was written later is seen here.
    """
    there = {stored.name for stored in storage.stored(FOREIGN)}
    return all(pulled.path in there for _, pulled in snapshot.foreign.pulls)


def wrong(storage: Storage, store_id: str, commits: Iterable[Commit]) -> Iterator[str]:
    """The names of checkpoints that do not say what ``commits``, which are all that there are, say.

    One that was damaged misleads nobody; one that was made wrong does. Either may be removed. Errors as of
    `Storage.read`.
    """
    there = set(_names(storage))
    snapshot, since = Snapshot(), list[Commit]()
    for commit in commits:
        since.append(commit)
        name = _name(commit.number)
        if name in there:
            there.remove(name)
            snapshot, since = snapshot.after(since), []
            said = encode(store_id, snapshot, storage.read(commit_name(commit.number)))
            if _read(storage, name) not in (said, _REMOVED):
                yield name
    yield from sorted(there)


def encode(store_id: str, snapshot: Snapshot, commit: bytes) -> bytes:
    """The bytes of the checkpoint of a snapshot; ``commit`` are those of its newest commit. ValueError: none yet."""
    if snapshot.time is None:
        raise ValueError("no commit, no checkpoint")
    content = {
        "time": time_text(snapshot.time),
        "segments": [segment_document(segment) for segment in snapshot.live()],
        "rewritten": snapshot.rewritten,
        "pulled": [[number, pulled_document(pulled)] for number, pulled in snapshot.foreign.pulls],
    }
    return derived.encode(store_id, _version(), snapshot.number, commit, content)


def _snapshot(number: int, said: Any) -> Snapshot:
    """What a checkpoint says of the store after commit ``number``. Raises MalformedError or DamagedStoreError."""
    content = object_of(said)
    pulls: list[tuple[int, Pulled]] = []
    for entry in content.list_of("pulled", list, "pairs"):
        if list(map(type, entry)) != [int, dict]:
            raise content.fail("pulled", "a list of [commit, what it pulled]")
        pulls.append((entry[0], pulled_from(object_of(entry[1]))))
    return Snapshot.of(
        number,
        content.exact_time("time"),
        map(segment_from, content.objects("segments")),
        Foreign.made_of(pulls),
        content.integer("rewritten", 0, number),
    )


def _version() -> int:
    return _VERSION + newest_format() - 1


def _names(storage: Storage) -> list[str]:
    """The names of all checkpoints, below the store, oldest first."""
    return [f"{FOLDER}/{name}" for name in derived.names(storage, FOLDER) if _NAME.fullmatch(name)]


def _read(storage: Storage, name: str) -> bytes | None:
    """The bytes of a checkpoint that was listed; _REMOVED: there are newer ones by now. None: it is no file."""
    try:
        return storage.read(name)
    except FileNotFoundError:
        return _REMOVED
    except NOT_THERE:
        return None


def _name(number: int) -> str:
    return f"{FOLDER}/{number:012d}.json"
