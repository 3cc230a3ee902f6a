"""A DuckLake catalog against the commits: what it lacks, what it has that no commit stands for.

The catalog that should be there is made anew, in memory, and compared with the one that is, row by row.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Table, create_engine, event, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from provenance.ducklake import lake, lake_tables
from provenance.ducklake.lake import (
    RELATIVE_DATA_PATH,
    absolute_data_path,
    is_not_ours_to_mend,
    place,
    statistics_named,
)
from provenance.ducklake.lake_catalog import build, is_to_be_continued
from provenance.ducklake.lake_growth import newest_snapshot
from provenance.errors import LakeError
from provenance.history.snapshot import Snapshot

if TYPE_CHECKING:
    from provenance.ducklake.lake_postgres import Address
    from provenance.store import Store

_LONGEST_ROW = 300
"""Characters of a row in a message."""


class Wrong(Enum):
    """What may be wrong with a catalog."""

    ABSENT = "absent"
    """There is none, or what is there is no catalog that can be read."""
    STALE = "stale"
    """It does not have the newest commits yet: the next projection brings them."""
    MISSING = "missing"
    """It lacks what it should say."""
    FOREIGN = "foreign"
    """It says what no commit stands for."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a catalog is not what the commits make of it: which catalog (for people), and what, in words.

    ``misleads``: it would be continued as it is, so that clients are told what no commit says until it is made anew.
    """

    catalog: str
    wrong: Wrong
    what: str
    misleads: bool = False


def differences(store: Store, target: Address | None = None) -> list[Difference]:
    """What is wrong with the catalog of a store: the one on SQLite, or the one published at ``target``; sorted.

    Nothing is changed. Raises LakeError if the database cannot be read, or another store's catalog is there; and
    DamagedStoreError.
    """
    if target is not None:
        return _on_postgres(store, target)
    found = place(store)
    if not found.path.exists():
        return [Difference(str(found.path), Wrong.ABSENT, "there is no DuckLake catalog yet")]
    try:
        with _read_only(found.path) as connection:
            return _compared(connection, store, str(found.path), found.data_path)
    except DBAPIError as error:
        if is_not_ours_to_mend(error):
            raise LakeError(f"{found.path}: {error.orig}") from error
        return [Difference(str(found.path), Wrong.ABSENT, f"this is no DuckLake catalog: {error.orig}")]


def _on_postgres(store: Store, target: Address) -> list[Difference]:
    from provenance.ducklake.lake_postgres import connected, owner_of

    with connected(target) as connection:
        owner = owner_of(connection, target)
        if owner is None:
            return [Difference(str(target), Wrong.ABSENT, "there is no DuckLake catalog yet")]
        if owner != store.store_id:
            raise LakeError(f"{target}: there is the catalog of another store, {owner}")
        return _compared(connection, store, str(target), absolute_data_path(store))


def _compared(connection: Connection, store: Store, name: str, data_path: str) -> list[Difference]:
    there = newest_snapshot(connection)  # before the store is asked, which goes on meanwhile
    snapshot = store.snapshot()
    as_of = snapshot.number if there is None else min(there, snapshot.number)
    # What an erasure that did not come to its end has left in it is that erasure's business.
    stays = there is not None and there >= snapshot.rewritten and is_to_be_continued(connection, store, there, snapshot)
    found: list[Difference] = []
    if as_of < snapshot.number:
        behind = f"it has commits up to {as_of}, the store has {snapshot.number}"
        found.append(Difference(name, Wrong.STALE, behind))
    with _expected(store, as_of, data_path) as expected:
        for table in lake_tables.METADATA.sorted_tables:
            # A catalog that is not beside the data says where that is; it may have moved, and the next commit says so.
            misleads = stays and (table is not lake_tables.CATALOG or data_path == RELATIVE_DATA_PATH)
            found += (Difference(name, wrong, what, misleads) for wrong, what in _of_table(table, connection, expected))
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    ours = lake_tables.METADATA.tables.keys()
    found += [
        Difference(name, Wrong.FOREIGN, f"table {other}", stays)
        for other in sorted(inspect(connection).get_table_names(schema=schema))
        if other.startswith("ducklake_") and other not in ours
    ]
    return found


def _of_table(table: Table, connection: Connection, expected: Connection) -> Iterator[tuple[Wrong, str]]:
    there, wanted = _rows(table, connection), _rows(table, expected)
    for wrong, rows in ((Wrong.MISSING, wanted - there), (Wrong.FOREIGN, there - wanted)):
        if rows:
            first = min(map(repr, rows))[:_LONGEST_ROW]
            yield (
                wrong,
                f"{table.name}: " + (f"{rows.total()} rows, such as " if rows.total() > 1 else "1 row, ") + first,
            )


def _rows(table: Table, connection: Connection) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row) for row in connection.execute(select(table)))


@contextmanager
def _expected(store: Store, number: int, data_path: str) -> Iterator[Connection]:
    """The catalog as it should be after commit ``number``, in memory."""
    snapshot = Snapshot().after(islice(store.commits(), number))
    with create_engine("sqlite://", poolclass=NullPool).begin() as connection:
        lake_tables.METADATA.create_all(connection)
        with statistics_named():
            build(connection, store, snapshot, data_path)
        yield connection


@contextmanager
def _read_only(path: Path) -> Iterator[Connection]:
    address = f"file:{quote(str(path))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=lake.PATIENCE_SECONDS, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    # All tables as of one moment: the driver would read each as it is then.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        yield connection
