"""The DuckLake 1.0 catalog ``lake.sqlite``: any DuckLake client reads the store through it. Never the truth.

It is brought up to date in one transaction, by whoever comes first. What cannot be extended (none yet, damaged, of
another store or another version of this module, written to by another client) is built anew beside it and renamed into
its place. Nothing in the store reads it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection, Table, create_engine, delete, event, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from provenance import lake_rows, lake_tables
from provenance.canonical import canonical
from provenance.commits import Commit, catalog_time_text, read
from provenance.schema import BY_NAME, TABLES
from provenance.snapshot import Snapshot
from provenance.storage.durable import TEMPORARY, discard

if TYPE_CHECKING:
    from provenance.store import Store

FILE_NAME = "lake.sqlite"
_VERSION = 1
"""Of this module's way to write a catalog: another number makes every catalog be built anew."""
_PATIENCE_SECONDS = 10
"""How long to wait for another process that is writing the same catalog."""


class LakeError(Exception):
    """The catalog could not be written. The store is not affected."""


class _CannotExtendError(Exception):
    """What is there is not a catalog of ours that later commits can be added to."""


def project(store: Store) -> None:
    """Bring the catalog up to the newest commit. Raises LakeError or OSError; the store is not affected by either."""
    path = store.root / FILE_NAME
    snapshot = store.snapshot()
    try:
        _bring_up(path, store, snapshot)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # The statistics of a commit are read here and nowhere else: here it shows when they were damaged.
        raise LakeError(f"the statistics of a commit cannot be read: {type(error).__name__}: {error}") from error


def _bring_up(path: Path, store: Store, snapshot: Snapshot) -> None:
    try:
        with _transaction(path, "mode=rw") as connection:
            _extend(connection, store, snapshot)
    except (_CannotExtendError, DBAPIError) as error:
        if isinstance(error, DBAPIError) and _is_not_ours_to_mend(error):
            raise LakeError(str(error.orig)) from error
        _rebuild(path, store, snapshot)


def _extend(connection: Connection, store: Store, snapshot: Snapshot) -> None:
    changes = lake_tables.SNAPSHOT_CHANGES.c
    newest = connection.scalar(select(func.max(changes.snapshot_id)))
    if newest is None or _mark(connection, 0) != _fingerprint(store):
        raise _CannotExtendError
    last = read(store.storage, newest) if newest > 0 else None
    if newest > 0 and (last is None or last.nonce != _mark(connection, newest)):
        raise _CannotExtendError
    _add_commits(connection, store, newest, snapshot)


def _mark(connection: Connection, snapshot_id: int) -> str | None:
    """What we wrote beside a snapshot to know it again."""
    changes = lake_tables.SNAPSHOT_CHANGES.c
    return connection.scalar(select(changes.commit_extra_info).where(changes.snapshot_id == snapshot_id))


def _rebuild(path: Path, store: Store, snapshot: Snapshot) -> None:
    """Build the catalog in a file of our own, which needs no locks, and rename it."""
    temporary = path.with_name(f"{uuid.uuid4()}{TEMPORARY}")
    try:
        with _transaction(temporary, "mode=rwc&nolock=1") as connection:
            lake_tables.METADATA.create_all(connection)
            _add_foundation(connection, store)
            _add_commits(connection, store, 0, snapshot)
        # A journal that belongs to the old file must never be applied to the new one.
        for suffix in ("-journal", "-wal", "-shm"):
            discard(path.with_name(path.name + suffix))
        temporary.replace(path)
    except DBAPIError as error:
        raise LakeError(str(error.orig)) from error
    finally:
        discard(temporary)


def _add_foundation(connection: Connection, store: Store) -> None:
    """Snapshot 0: the schema and its tables, empty."""
    metadata = {"version": "1.0", "created_by": "Pirene", "data_path": "segments/", "encrypted": "false"}
    created = ['created_schema:"main"', *(f'created_table:"main"."{table.name}"' for table in TABLES)]
    schema = str(uuid.uuid5(uuid.UUID(store.store_id), "main"))
    _insert(connection, lake_tables.CATALOG, ({"key": key, "value": value} for key, value in metadata.items()))
    _insert(connection, lake_tables.SNAPSHOT, [_snapshot_row(0, catalog_time_text(store.created), 0)])
    _insert(
        connection,
        lake_tables.SNAPSHOT_CHANGES,
        [{"snapshot_id": 0, "changes_made": ",".join(created), "commit_extra_info": _fingerprint(store)}],
    )
    _insert(
        connection,
        lake_tables.SCHEMA,
        [
            {
                "schema_id": 0,
                "schema_uuid": schema,
                "begin_snapshot": 0,
                "schema_name": "main",
                "path": "",
                "path_is_relative": 1,
            }
        ],
    )
    _insert(connection, lake_tables.TABLE, lake_rows.table_rows(store.store_id))
    for table in TABLES:
        _insert(connection, lake_tables.COLUMN, lake_rows.column_rows(table))
        version = {"begin_snapshot": 0, "schema_version": 0, "table_id": lake_rows.TABLE_IDS[table.name]}
        _insert(connection, lake_tables.SCHEMA_VERSIONS, [version])


def _add_commits(connection: Connection, store: Store, newest: int, snapshot: Snapshot) -> None:
    """Snapshots for the commits after ``newest`` up to ``snapshot``, and statistics of the tables as of there."""
    files = lake_tables.DATA_FILE.c
    next_file = connection.scalar(select(func.coalesce(func.max(files.data_file_id) + 1, 0))) or 0
    row_ids = {row.table_id: row.next_row_id for row in connection.execute(select(lake_tables.TABLE_STATS))}
    next_rows = {name: int(row_ids.get(table_id, 0)) for name, table_id in lake_rows.TABLE_IDS.items()}
    for commit in _between(store, newest, snapshot.number):
        _end_replaced(connection, commit)
        for segment in commit.segments:
            if segment.table not in BY_NAME:
                continue
            row = lake_rows.data_file_row(segment, commit, next_file, next_rows[segment.table])
            _insert(connection, lake_tables.DATA_FILE, [row])
            statistics = lake_rows.file_statistics(segment, BY_NAME[segment.table], next_file)
            _insert(connection, lake_tables.FILE_COLUMN_STATS, statistics)
            next_file += 1
            next_rows[segment.table] += segment.rows
        time = catalog_time_text(commit.time)
        _insert(connection, lake_tables.SNAPSHOT, [_snapshot_row(commit.number, time, next_file)])
        _insert(connection, lake_tables.SNAPSHOT_CHANGES, [lake_rows.change_row(commit)])
    if newest < snapshot.number:
        connection.execute(delete(lake_tables.TABLE_STATS))
        connection.execute(delete(lake_tables.TABLE_COLUMN_STATS))
        _insert(connection, lake_tables.TABLE_STATS, lake_rows.table_statistics(snapshot, next_rows))
        _insert(connection, lake_tables.TABLE_COLUMN_STATS, lake_rows.table_column_statistics(snapshot))


def _end_replaced(connection: Connection, commit: Commit) -> None:
    files = lake_tables.DATA_FILE
    for path in commit.replaces:
        _, table, name = path.split("/")
        ended = update(files).where(files.c.table_id == lake_rows.TABLE_IDS[table], files.c.path == name)
        connection.execute(ended.values(end_snapshot=commit.number))


def _between(store: Store, after: int, last: int) -> Iterator[Commit]:
    for commit in store.commits(after=after):
        if commit.number > last:
            return
        yield commit


def _snapshot_row(number: int, time: str, next_file_id: int) -> lake_rows.Row:
    return {
        "snapshot_id": number,
        "snapshot_time": time,
        "schema_version": 0,
        "next_catalog_id": lake_rows.NEXT_CATALOG_ID,
        "next_file_id": next_file_id,
    }


def _fingerprint(store: Store) -> str:
    """What snapshot 0 carries: of which store the catalog is, and how it was made."""
    tables = [[table.name, [[column.name, column.kind.value] for column in table.columns]] for table in TABLES]
    digest = hashlib.sha256(canonical({"tables": tables})).hexdigest()
    return canonical({"store": store.store_id, "tables": digest, "version": _VERSION}).decode()


def _insert(connection: Connection, table: Table, rows: Iterable[lake_rows.Row]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(insert(table), listed)


@contextmanager
def _transaction(path: Path, options: str) -> Iterator[Connection]:
    """One write transaction: all of it is in the file, or none."""
    address = f"file:{quote(os.fspath(path))}?{options}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=_PATIENCE_SECONDS, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # The driver would begin a transaction at the first write: too late, two processes may have read the same state.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        yield connection


def _is_not_ours_to_mend(error: DBAPIError) -> bool:
    """Whether another process is at work on the file, or it may not be written: then a new one is no remedy."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY)
