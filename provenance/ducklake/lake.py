"""The DuckLake 1.0 catalog ``lake.sqlite``: any DuckLake client reads the store through it. Never the truth.

It is brought up to date in one transaction, by whoever comes first. What cannot be extended (none yet, damaged, of
another store or another version of this module, written to by another client) is built anew beside it and renamed into
its place. Nothing in the store reads it.

It lies in the folder of the store; where that cannot be written, or is far away, in the user's cache. There it names
its data absolutely.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from provenance.ducklake import lake_tables
from provenance.ducklake.lake_catalog import build, extend
from provenance.ducklake.lake_growth import CannotExtendError
from provenance.errors import LakeError
from provenance.storage.durable import TEMPORARY, discard
from provenance.user_folders import cache_folder

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

FILE_NAME = "lake.sqlite"
RELATIVE_DATA_PATH = "segments/"
PATIENCE_SECONDS = 10
"""How long to wait for another process that is writing the same catalog."""
_BESIDE = ("-journal", "-wal", "-shm")
"""Endings of what SQLite puts beside a database."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the catalog is, and the ``data_path`` that it gives to clients: relative to the store, or absolute."""

    path: Path
    data_path: str

    @property
    def is_relative(self) -> bool:
        """Whether clients find the data only from the folder of the store, unless they are told where it is."""
        return self.data_path == RELATIVE_DATA_PATH


def place(store: Store) -> Place:
    """Where the catalog of a store is or would be. Raises OSError if there is no place for it."""
    is_folder = store.storage.location == str(store.root)
    if is_folder and os.access(store.root, os.W_OK):
        return Place(store.root / FILE_NAME, RELATIVE_DATA_PATH)
    return Place(cache_folder(store.store_id) / FILE_NAME, absolute_data_path(store))


def absolute_data_path(store: Store) -> str:
    """Where the segments are, for clients that come from anywhere."""
    return store.storage.where(RELATIVE_DATA_PATH)


def project(store: Store) -> Place:
    """Bring the catalog up to the newest commit. Raises LakeError or DamagedStoreError; the store is not affected."""
    target = _prepared(store)
    snapshot = store.snapshot()
    with statistics_named():
        if not _has_locks(target.path.parent):
            _rebuild(target, store, snapshot)  # SQLite would wait for a lock that it never gets
            return target
        try:
            with transaction(target.path, "mode=rw") as connection:
                extend(connection, store, snapshot, target.data_path)
        except (CannotExtendError, DBAPIError) as error:
            if isinstance(error, DBAPIError) and is_not_ours_to_mend(error):
                raise LakeError(f"{target.path}: {error.orig}") from error
            _rebuild(target, store, snapshot)
    return target


def rebuild(store: Store) -> Place:
    """Make the catalog anew from the commits, whatever there is. Errors as of `project`."""
    target = _prepared(store)
    with statistics_named():
        _rebuild(target, store, store.snapshot())
    return target


def forget(store: Store) -> bool:
    """Remove the catalogs that this user may have of a store; says whether there was one. Raises LakeError."""
    places = [store.root / FILE_NAME]
    with suppress(OSError):  # no home, no cache
        places.append(cache_folder(store.store_id) / FILE_NAME)
    there = [path for path in places if path.exists()]
    # A journal holds pages of the catalog, and stays when somebody removes that alone.
    for path in (
        path.with_name(path.name + suffix) for path in places if path.parent.is_dir() for suffix in ("", *_BESIDE)
    ):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise LakeError(f"{path}: holds what was erased and cannot be removed: {error.strerror}") from error
    return bool(there)


def _prepared(store: Store) -> Place:
    try:
        target = place(store)
        target.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LakeError(f"no place for the DuckLake catalog: {error}") from error
    return target


@contextmanager
def statistics_named() -> Iterator[None]:
    """The statistics of a commit are read for a catalog and nowhere else: here it shows when they were damaged."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LakeError(f"the statistics of a commit cannot be read: {type(error).__name__}: {error}") from error


def _rebuild(target: Place, store: Store, snapshot: Snapshot) -> None:
    """Build the catalog in a file of our own, which needs no locks, and rename it."""
    path = target.path
    temporary = path.with_name(f"{uuid.uuid4()}{TEMPORARY}")
    try:
        with transaction(temporary, "mode=rwc&nolock=1") as connection:
            lake_tables.METADATA.create_all(connection)
            build(connection, store, snapshot, target.data_path)
        # A journal that belongs to the old file must never be applied to the new one.
        for suffix in _BESIDE:
            discard(path.with_name(path.name + suffix))
        temporary.replace(path)
    except (DBAPIError, OSError) as error:
        raise LakeError(f"{path}: {getattr(error, 'orig', error)}") from error
    finally:
        discard(temporary)


def _has_locks(folder: Path) -> bool:
    """Whether files in a folder can be locked as SQLite does it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
    return True


@contextmanager
def transaction(path: Path, options: str) -> Iterator[Connection]:
    """One write transaction on a SQLite file: all of it is in the file, or none. Raises DBAPIError."""
    address = f"file:{quote(os.fspath(path))}?{options}"

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(address, uri=True, timeout=PATIENCE_SECONDS, isolation_level=None)
        made.execute("PRAGMA secure_delete = ON")  # what an erasure takes out must not stay in free pages
        return made

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # The driver would begin a transaction at the first write: too late, two processes may have read the same state.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        yield connection


def is_not_ours_to_mend(error: DBAPIError) -> bool:
    """Whether another process is at work on the file, or it may not be written: then a new one is no remedy."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY)
