"""Making wide tables: a piece at a time, so that memory stays bounded; whole, or none at all, to readers.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.history.commits import Segment, commit_name
from provenance.publishing.publication import new_nonce
from provenance.schema import LOOKED_UP
from provenance.segments.damage import damage_named
from provenance.segments.encodings import ROW_GROUP_ROWS, options_for_questions
from provenance.segments.relations import quoted
from provenance.wide import wide
from query.vocabulary import EntityTable

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.segments.database import Connection
    from provenance.store import Store

_PIECE_ROWS = 2 * ROW_GROUP_ROWS
"""Rows of the entity put together at a time: with three keys 0.7 GB of memory (of twice as many rows 1.2 GB)."""
_MOST_KEYS = 32
_MOST_NAMED = 10_000
"""Keys without columns that the document names."""
_FEWEST_THINGS = 100
"""A key that one in a hundred things has is worth columns; of a rarer one there is little to read."""
_GROWTH = 4
"""Made anew when the rows that it is made from have grown by a quarter: so a row is written five times in its life."""
_KEPT = 2
"""Documents kept: somebody may be reading the older one."""

_Range = tuple[tuple[int, ...] | None, tuple[int, ...] | None]
"""From a key of the entity (None: all) up to but without another."""


def promote(store: Store, table: EntityTable, *, eager: bool) -> bool:
    """Make the wide table of an entity anew if it is worth it; ``eager``: if anything came since. False: it was not.

    Raises DamagedStoreError, WriteFailedError, or OSError if its commit cannot be read.
    """
    snapshot = store.snapshot()
    if sum(segment.rows for segment in snapshot.segments(table.sql)) < wide.MIN_ROWS:
        return False
    old = wide.newest(store.storage, store.store_id, table, snapshot)
    if old is not None and not _is_stale(table, old, snapshot, eager=eager):
        return False
    _write(store, table, _made(store, table, snapshot))
    return True


def _is_stale(table: EntityTable, old: wide.Wide, snapshot: Snapshot, *, eager: bool) -> bool:
    if eager:
        return any(snapshot.since(name, old.number) is not None for name in wide.sources(table))
    return _source_rows(table, snapshot) * _GROWTH > old.source_rows * (_GROWTH + 1)


def _source_rows(table: EntityTable, snapshot: Snapshot) -> int:
    return sum(segment.rows for name in wide.sources(table) for segment in snapshot.segments(name))


def _made(store: Store, table: EntityTable, snapshot: Snapshot) -> wide.Wide:
    """Put together and write all pieces. When one fails, those before it go."""
    store.storage.prepare("", [wide.FOLDER])
    nonce = new_nonce()
    parts: list[Segment] = []
    with ExitStack() as on_failure, store.connect() as connection, damage_named(store.storage, snapshot):
        on_failure.callback(_remove, store, parts)
        keys, seen = _keys(connection, store, table, snapshot)
        columns = {key: f"key{position}" for position, key in enumerate(keys)}
        counts = [[0] * 8 for _ in keys]
        for number, piece in enumerate(_ranges(connection, store, table, snapshot)):
            restricted = _restricted(store, table, snapshot, piece)
            values = wide.within(wide.values_sql(table, columns), restricted)
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {wide.VALUES} AS {values}")
            found = connection.execute(wide.counts_sql(columns, wide.VALUES)).fetchall() if columns else []
            counts = [_added(before, row[1:]) for before, row in zip(counts, found, strict=True)]
            rows = connection.table(wide.within(wide.rows_sql(table), restricted))
            name = f"{table.entity.value}-{snapshot.number:012d}-{nonce}-{number:04d}"
            parts.append(_written(store, table, name, rows, columns.values()))
        on_failure.pop_all()
    fit = {f"key{n}": wide.counted(keys[n], row[:-1]) for n, row in enumerate(counts) if row[-1] <= 1}
    made_by = wide.made_by(table, {key.name: column for column, key in fit.items()})
    others = None if seen is None else seen.difference(key.name for key in fit.values())
    return wide.Wide(snapshot.number, made_by, fit, others, _source_rows(table, snapshot), tuple(parts))


def _keys(
    connection: Connection, store: Store, table: EntityTable, snapshot: Snapshot
) -> tuple[list[str], frozenset[str] | None]:
    """The keys that many things have and none has a list of, the most used first; and all keys, None if there are too
    many to name.
    """
    rows = sum(segment.rows for segment in snapshot.segments(table.sql))
    found = connection.execute(
        f"SELECT key, count(position) = 0 AND count(*) >= $2 FROM {store.relation('metadata', snapshot)} "
        f"WHERE entity = $1 GROUP BY key ORDER BY count(*) DESC, key LIMIT {_MOST_KEYS + _MOST_NAMED}",
        [table.metadata, rows // _FEWEST_THINGS],
    ).fetchall()
    hot = [key for key, is_hot in found if is_hot][:_MOST_KEYS]
    return hot, frozenset(key for key, _ in found) if len(found) < _MOST_KEYS + _MOST_NAMED else None


def _ranges(connection: Connection, store: Store, table: EntityTable, snapshot: Snapshot) -> Iterator[_Range]:
    """All ids there can be, in pieces with about as many rows of the entity."""
    key = ", ".join(table.key)
    starts: list[tuple[int, ...]] = connection.execute(
        f"SELECT {key} FROM (SELECT {key}, row_number() OVER (ORDER BY {key}) AS place "
        f"FROM {store.relation(table.sql, snapshot)}) WHERE place % {_PIECE_ROWS} = 0 ORDER BY ALL"
    ).fetchall()
    return itertools.pairwise([None, *starts, None])


def _restricted(store: Store, table: EntityTable, snapshot: Snapshot, piece: _Range) -> Callable[[str], str]:
    """What tables hold about things within a range."""

    def rows(name: str) -> str:
        identity = wide.identity(table, name)
        conditions = [] if identity is None else _bounds(identity, piece)
        if name.startswith("metadata"):
            conditions.append(f"entity = {quoted(table.metadata or '')}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT * FROM {store.relation(name, snapshot)}{where}"

    return rows


def _bounds(identity: Sequence[str], piece: _Range) -> list[str]:
    """The range as conditions; those on the first column alone find row groups by their statistics."""
    first, second = identity
    low, high = piece
    conditions = []
    if low is not None:
        conditions += [f"{first} >= {low[0]}", f"({first} > {low[0]} OR {second} >= {low[1]})"]
    if high is not None:
        conditions += [f"{first} <= {high[0]}", f"({first} < {high[0]} OR {second} < {high[1]})"]
    return conditions


def _added(before: Sequence[int], more: Sequence[int]) -> list[int]:
    """Counts of two pieces; the last is a maximum."""
    return [*(a + b for a, b in zip(before[:-1], more[:-1], strict=True)), max(before[-1], more[-1])]


def _written(store: Store, table: EntityTable, name: str, rows: pa.Table, keys: Iterable[str]) -> Segment:
    sink = pa.BufferOutputStream()
    looked_up = [f"{column}_{form}" for column in keys for form in ("text_form", "float_form")]
    pq.write_table(rows, sink, **options_for_questions(rows, looked_up=[*LOOKED_UP.get(table.sql, ()), *looked_up]))
    data = memoryview(sink.getvalue())
    path = f"{wide.FOLDER}/{name}.parquet"
    store.storage.write(path, data)
    return wide.part(table.sql, path, rows.num_rows, len(data), hashlib.sha256(data).hexdigest())


def _write(store: Store, table: EntityTable, made: wide.Wide) -> None:
    """Write the document, which makes it visible; older ones than the one before it go with their files."""
    data = wide.document(store.store_id, store.storage.read(commit_name(made.number)), made)
    there = wide.names(store.storage, table)
    nonce = new_nonce()
    name = f"{table.entity.value}-{made.number:012d}-{nonce}.json"
    store.storage.write(f"{wide.FOLDER}/{name}", data)
    for old in there[: 1 - _KEPT]:
        forget(store, old)
    if store.snapshot().rewritten > made.number:  # who erased removed what was there then, and this may hold the same
        forget(store, name)
        _remove(store, made.parts)


def forget(store: Store, name: str) -> None:
    """Remove the wide table with the document ``name``: the document first, so that nobody comes to read it."""
    said = wide.said(store.storage, store.store_id, name)
    store.storage.remove(f"{wide.FOLDER}/{name}")
    _remove(store, said.parts if said else ())


def _remove(store: Store, parts: Sequence[Segment]) -> None:
    for part in parts:
        store.storage.remove(part.path)
