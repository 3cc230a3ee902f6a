"""Where a store is, and how it comes to be there: by the first command that needs one, whoever else does so meanwhile.

`store.json`, which names the format and the store, is created last, by one of those who try: what has it is a whole
store.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from provenance.errors import NOT_THERE, DamagedStoreError, NotAStoreError, UnsupportedStoreError, WriteFailedError
from provenance.history.canonical import seal_holds, sealed
from provenance.history.commits import FOLDER as COMMITS
from provenance.history.commits import number_of, time_text
from provenance.history.formats import newest, require_known
from provenance.schema import BY_NAME
from provenance.storage.durable import TEMPORARY
from provenance.storage.interface import Storage
from provenance.storage.local import LocalStorage
from provenance.storage.s3_address import SCHEME, S3Address
from provenance.urls import without_credentials

FOLDER = ".pirene"
VARIABLE = "PIRENE_STORE"
IDENTITY = "store.json"
_OWN_NAMES = frozenset({"commits", "segments", "log", "quarantine"})


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """What `store.json` says: the id of the store, for ever, and when it was made."""

    store: str
    created: dt.datetime


def find(location: str | Path | None = None) -> Storage:
    """The place of the store that is meant; there need not be one.

    ``location`` if given, else what PIRENE_STORE says, else the nearest ``.pirene`` from the working folder upward,
    else ``.pirene`` in the working folder. Raises UnsupportedStoreError for URLs other than ``s3://BUCKET/PREFIX`` and
    for a path that is no Unicode.
    """
    named = location if location is not None else os.environ.get(VARIABLE) or None
    if named is None:
        here = Path.cwd()
        upward = (folder / FOLDER for folder in (here, *here.parents))
        return _in_folder(next((folder for folder in upward if folder.is_dir()), here / FOLDER))
    if "://" in str(named):
        return _at_url(str(named))
    try:
        return _in_folder(Path(named).expanduser().absolute())
    except RuntimeError:
        raise UnsupportedStoreError(
            f"{named}: there is no user of that name", hint=f"name another with --store or {VARIABLE}"
        ) from None


def identify(storage: Storage) -> StoreIdentity | None:
    """Who the store at this place is; None if there is no store.

    Raises UnsupportedStoreError for a newer format, DamagedStoreError if `store.json` is not what it must be,
    ReadFailedError if it cannot be read, and NotAStoreError if something else is there.
    """
    path = storage.where(IDENTITY)
    try:
        data = storage.read(IDENTITY)
    except FileNotFoundError:
        return None
    except NOT_THERE as error:
        raise NotAStoreError(f"{path}: {error.strerror or error}") from error
    try:
        document = json.loads(data)
        if not seal_holds(data):  # before anything that it says is believed, the format included
            raise DamagedStoreError(
                f"{path}: these are not the bytes that were sealed: {data[:240]!r}",
                hint="restore it from a backup of the store",
            )
        require_known(document["format"], f"{storage.location}: a store")
        return StoreIdentity(str(uuid.UUID(document["store"])), dt.datetime.fromisoformat(document["created"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedStoreError(
            f"{path}: expected format, store and created, found {data[:80]!r}",
            hint="restore it from a backup of the store",
        ) from error


def required(storage: Storage) -> StoreIdentity:
    """Who the store at this place is. Raises NotAStoreError if there is none, and makes none; else as `identify`."""
    found = identify(storage)
    if found is None:
        _refuse_nameless(storage)
        raise NotAStoreError(f"{storage.location}: there is no store here", hint=f"name one with --store or {VARIABLE}")
    return found


def establish(storage: Storage) -> StoreIdentity:
    """The identity of the store at this place, which is made if there is none yet; racing makers agree on one.

    Raises NotAStoreError if the place holds something else or cannot be written, else as `identify`.
    """
    found = identify(storage)
    if found is not None:
        return found
    _refuse_strangers(storage)
    try:
        storage.prepare("", ("commits", "segments"))
        storage.prepare("segments", BY_NAME)
        storage.create(IDENTITY, _document(uuid.uuid4()))
    except WriteFailedError as error:
        raise NotAStoreError(
            f"{storage.location}: there is no store and none can be made: {error}",
            hint=f"name another with --store or {VARIABLE}",
        ) from error
    found = identify(storage)
    if found is None:
        raise NotAStoreError(f"{storage.location}: {IDENTITY} vanished while the store was made")
    return found


def _in_folder(root: Path) -> Storage:
    """The folder ``root``, which SQL text has to be able to name."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise UnsupportedStoreError(
            f"{os.fsencode(root)!r}: a store needs a path of Unicode (UTF-8)",
            hint=f"name another with --store or {VARIABLE}",
        ) from None
    return LocalStorage(root)


def _at_url(url: str) -> Storage:
    if not url.startswith(SCHEME):
        raise UnsupportedStoreError(
            f"{without_credentials(url)}: a store is a folder or {SCHEME}BUCKET/PREFIX",
            hint=f"name another with --store or {VARIABLE}",
        )
    address = S3Address.parse(url)
    try:
        from provenance.storage.s3 import S3Storage
    except ModuleNotFoundError as error:
        raise UnsupportedStoreError(
            f"{url}: a store on S3 needs the package {error.name}", hint="pip install 'pirene[s3]'"
        ) from None
    return S3Storage(address)


def _document(store: uuid.UUID) -> bytes:
    created = time_text(dt.datetime.now(dt.UTC))
    return sealed({"format": newest(), "store": str(store), "created": created})


def _refuse_strangers(storage: Storage) -> None:
    """Only an empty place, or one in which somebody is about to make a store, becomes one."""
    names = _refuse_nameless(storage)
    if IDENTITY in names:
        return  # somebody has made it meanwhile
    if FOLDER in names:
        raise NotAStoreError(f"{storage.location} is no store", hint=f"the store in it is {storage.where(FOLDER)}")
    strangers = [n for n in names if n not in _OWN_NAMES and not n.endswith(TEMPORARY)]
    if strangers:
        raise NotAStoreError(
            f"{storage.location} is no store: it holds {min(strangers)}",
            hint="name the folder of a store, or one that is empty or new",
        )


def _refuse_nameless(storage: Storage) -> Collection[str]:
    """The names in a place that had no `store.json`. Raises DamagedStoreError if it has none, and has commits."""
    try:
        names = storage.names()
        commits = storage.names(COMMITS) if COMMITS in names else ()
    except FileNotFoundError:
        return ()
    except NOT_THERE as error:
        raise NotAStoreError(f"{storage.location}: {error.strerror or error}") from error
    if IDENTITY not in names and any(number_of(name) is not None for name in commits):
        raise DamagedStoreError(
            f"{storage.location}: holds commits but no {IDENTITY}",
            hint=f"restore {IDENTITY} from a backup of the store, or see what `pirene store check --repair` can do",
        )
    return names
