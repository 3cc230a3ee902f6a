"""A DuckLake catalog on an open connection: made of all commits of a store, extended by later ones, known again.

What makes it known is an entry of ours in ``ducklake_metadata``, which clients keep as an option that they do not know.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Table, insert, select, update

from provenance.ducklake import lake_rows, lake_tables
from provenance.ducklake.lake_growth import CannotExtendError, Growth, newest_snapshot
from provenance.history.canonical import canonical
from provenance.history.commits import Commit, read
from provenance.history.snapshot import Snapshot
from provenance.schema import TABLES

if TYPE_CHECKING:
    from provenance.store import Store

VERSION = "1.0"
"""Of DuckLake."""
_MARK = "pirene"
_OWN_VERSION = 2
"""Of this module's way to write a catalog: another number makes every catalog be built anew."""


def build(connection: Connection, store: Store, snapshot: Snapshot, data_path: str) -> None:
    """Fill the tables, which are there and empty, with all that the commits up to ``snapshot`` say.

    ``data_path`` is where the segments are, for clients: ends in ``/``. Errors of a commit's own statistics are as of
    the code that reads them: KeyError, TypeError, ValueError, AttributeError.
    """
    metadata = {
        "version": VERSION,
        "created_by": "Pirene",
        "data_path": data_path,
        "encrypted": "false",
        _MARK: _mark(store),
    }
    _insert(connection, lake_tables.CATALOG, *({"key": key, "value": value} for key, value in metadata.items()))
    _insert(connection, lake_tables.SNAPSHOT, lake_rows.snapshot_row(0, store.created, 0, 0))
    created = ['created_schema:"main"', *(f'created_table:"main"."{table.name}"' for table in TABLES)]
    _insert(connection, lake_tables.SNAPSHOT_CHANGES, {"snapshot_id": 0, "changes_made": ",".join(created)})
    schema = {
        "schema_id": 0,
        "schema_uuid": str(uuid.uuid5(uuid.UUID(store.store_id), "main")),
        "begin_snapshot": 0,
        "schema_name": "main",
        "path": "",
        "path_is_relative": True,
    }
    _insert(connection, lake_tables.SCHEMA, schema)
    _insert(connection, lake_tables.TABLE, *lake_rows.table_rows(store.store_id))
    versions = (lake_rows.version_row(0, 0, table_id) for table_id in lake_rows.TABLE_IDS.values())
    _insert(connection, lake_tables.SCHEMA_VERSIONS, *versions)
    _grow(connection, store, 0, snapshot)


def extend(connection: Connection, store: Store, snapshot: Snapshot, data_path: str) -> int:
    """Add the commits that the catalog does not have yet; returns the newest that it had.

    Raises CannotExtendError, and as `build` does.
    """
    newest = newest_snapshot(connection)
    if newest is None or not is_to_be_continued(connection, store, newest, snapshot):
        raise CannotExtendError
    catalog = lake_tables.CATALOG
    moved = update(catalog).where(catalog.c.key == "data_path", catalog.c.value != data_path)
    connection.execute(moved.values(value=data_path))
    if newest < snapshot.number:
        _grow(connection, store, newest, snapshot)
    return newest


def is_to_be_continued(connection: Connection, store: Store, newest: int, snapshot: Snapshot) -> bool:
    """Whether a catalog whose newest snapshot is ``newest`` is of the commits that the store has, and written as this
    version writes it. Else it is made anew when the next commits come.
    """
    if newest > snapshot.number or described_mark(connection) != _mark(store):
        return False
    return newest == 0 or nonce(connection, newest) == _nonce_of(store, newest)


def described_mark(connection: Connection) -> str | None:
    """What says of which store the catalog is and how it was made; None: Pirene did not make it."""
    catalog = lake_tables.CATALOG.c
    return connection.scalar(select(catalog.value).where(catalog.key == _MARK))


def store_of(connection: Connection) -> str | None:
    """The id of the store that the catalog is of; None: it is none of ours. ValueError: what says so was changed."""
    mark = described_mark(connection)
    if mark is None:
        return None
    try:
        return str(uuid.UUID(json.loads(mark)["store"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"entry {_MARK!r} of ducklake_metadata: expected what Pirene writes, found {mark[:80]!r}"
        ) from error


def nonce(connection: Connection, number: int) -> str | None:
    """What tells the commit that snapshot ``number`` was made of from every other."""
    changes = lake_tables.SNAPSHOT_CHANGES.c
    return connection.scalar(select(changes.commit_extra_info).where(changes.snapshot_id == number))


def _nonce_of(store: Store, number: int) -> str | None:
    commit = read(store.storage, number)
    return None if commit is None else commit.nonce


def _grow(connection: Connection, store: Store, newest: int, snapshot: Snapshot) -> None:
    growth = Growth(connection)
    for commit in _between(store, newest, snapshot.number):
        growth.add(commit)
    growth.finish(snapshot)


def _between(store: Store, after: int, last: int) -> Iterator[Commit]:
    for commit in store.commits(after=after):
        if commit.number > last:
            return
        yield commit


def _mark(store: Store) -> str:
    """Of which store the catalog is, and how it was made."""
    tables = [[table.name, [[column.name, column.kind.value] for column in table.columns]] for table in TABLES]
    digest = hashlib.sha256(canonical({"tables": tables})).hexdigest()
    return canonical({"store": store.store_id, "tables": digest, "version": _OWN_VERSION}).decode()


def _insert(connection: Connection, table: Table, *rows: lake_rows.Row) -> None:
    connection.execute(insert(table), list(rows))
