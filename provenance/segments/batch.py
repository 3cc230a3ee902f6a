"""Rows on their way into one commit, column by column: the one shape in which facts reach the store.

A batch refuses what a column cannot hold the moment it is added, where the caller is still on the stack: an unknown
table or column, a value of another type, an integer beyond 64 bits, a time without a time zone. Nothing is converted
silently, except that text which is no Unicode gets the escapes of provenance/storable.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from provenance.schema import BY_NAME, COMMIT_NUMBER, Column, Kind
from provenance.storable import storable

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = range(-(1 << 63), 1 << 63)


class Batch:
    """Rows for any number of tables. Not thread-safe: one batch belongs to one caller."""

    __slots__ = ("_blocks", "_columns")

    def __init__(self) -> None:
        self._columns: dict[str, dict[str, list[object]]] = {}
        self._blocks: dict[str, list[pa.Table]] = {}

    def add(self, table: str, **values: object) -> None:
        """Add one row; columns not named are null. The store sets ``commit_number`` itself.

        Raises KeyError for a table or column that the schema does not have, TypeError or ValueError for a value that
        the column cannot hold. After an error the batch is as it was.
        """
        checks = _CHECKS.get(table)
        if checks is None:
            raise KeyError(_no_table(table))
        row = {name: _checked(table, name, value) for name, value in values.items()}
        columns = self._columns.get(table)
        if columns is None:
            columns = self._columns[table] = {name: [] for name in checks}
        for name, column in columns.items():
            column.append(row.get(name))

    def add_columns(self, table: str, count: int, columns: Mapping[str, Sequence[object]], **same: object) -> None:
        """Add ``count`` rows at once: ``columns`` has a value for each of them, ``same`` one for all; other columns are
        null. What is refused is what `add` refuses; ValueError for a column of another length.
        """
        checks = _CHECKS.get(table)
        if checks is None:
            raise KeyError(_no_table(table))
        values = {name: [_checked(table, name, value)] * count for name, value in same.items()}
        for name, column in columns.items():
            if len(column) != count:
                raise ValueError(f"{table}.{name}: expected {count} values, found {len(column)}")
            values[name] = _checked_column(table, name, column)
        ours = self._columns.setdefault(table, {name: [] for name in checks})
        for name, column in ours.items():
            column.extend(values.get(name) or [None] * count)

    def add_block(self, table: str, rows: pa.Table) -> None:
        """Add many rows at once, as an Arrow table with the columns of `provenance.segments.arrow.row_schema`.

        Raises KeyError for a table that the schema does not have; TypeError for other columns or types than its own, in
        another order too, and for nulls inside of lists; ValueError for text that is no UTF-8 and for arrays that are
        not what they claim to be.
        """
        from provenance.segments.arrow import checked_block

        if table not in _CHECKS:
            raise KeyError(_no_table(table))
        if len(rows):
            self._blocks.setdefault(table, []).append(checked_block(BY_NAME[table], rows))

    def pack(self) -> None:
        """Keep the rows that were added one by one as those that were added at once: they take a tenth of the room."""
        from provenance.segments.arrow import block_of

        for table in [table for table, columns in self._columns.items() if any(columns.values())]:
            block = block_of(BY_NAME[table], self._columns.pop(table))
            self._blocks.setdefault(table, []).append(block)

    def extend(self, other: Batch) -> None:
        """Add all rows of another batch, after those that are here."""
        for table, theirs in other._columns.items():
            ours = self._columns.setdefault(table, {name: [] for name in theirs})
            for name, column in theirs.items():
                ours[name].extend(column)
        for table, blocks in other._blocks.items():
            self._blocks.setdefault(table, []).extend(blocks)

    def __len__(self) -> int:
        """Rows in all tables."""
        return sum(self.rows(table) for table in self._columns.keys() | self._blocks.keys())

    def rows(self, table: str) -> int:
        """Rows for one table; 0 for a table that has none."""
        columns = self._columns.get(table)
        alone = len(next(iter(columns.values()))) if columns else 0
        return alone + sum(len(block) for block in self._blocks.get(table, ()))

    def tables(self) -> tuple[str, ...]:
        """The tables that have rows, in the order of the schema."""
        return tuple(name for name in BY_NAME if self.rows(name))

    def columns(self, table: str) -> Mapping[str, Sequence[object]]:
        """The values of one table by column, in the order of the schema, without ``commit_number``; those that were
        added one by one.
        """
        return self._columns.get(table, {})

    def blocks(self, table: str) -> Sequence[pa.Table]:
        """The rows of one table that were added at once, as they were added."""
        return self._blocks.get(table, ())

    def each(self, table: str) -> Iterator[dict[str, object]]:
        """The rows of one table, those added one by one first, else in the order in which they were added; every column
        is a key.
        """
        columns = self.columns(table)
        names = tuple(columns)
        for row in zip(*columns.values(), strict=True):
            yield dict(zip(names, row, strict=True))
        for block in self.blocks(table):
            yield from block.to_pylist()


def _no_table(name: str) -> str:
    return f"{name!r} is no table of the store; those are {', '.join(sorted(_CHECKS))}"


def _checked(table: str, name: str, value: object) -> object:
    """``value`` as the column keeps it; the errors are those of `Batch.add`."""
    checker = _CHECKS[table].get(name)
    if checker is None:
        if name == COMMIT_NUMBER.name:
            raise KeyError(f"{table}.{name} is set by the store when it commits")
        raise KeyError(f"{table} has no column {name!r}; it has {', '.join(_CHECKS[table])}")
    if value is None:
        return None
    try:
        return checker(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{table}.{name}: {error}") from None


def _checked_column(table: str, name: str, values: Sequence[object]) -> list[object]:
    """The same for many values of one column."""
    checker = _CHECKS[table].get(name)
    if checker is not None:
        try:
            return [None if value is None else checker(value) for value in values]
        except (TypeError, ValueError):
            pass  # one by one, for the words of the error
    return [_checked(table, name, value) for value in values]


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected an integer, found {type(value).__name__} {value!r:.100}")
    if value not in _INT64:
        raise ValueError(f"expected an integer of 64 bits, found {value}")
    return value


def _float(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"expected a number, found {type(value).__name__} {value!r:.100}")
    return float(value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, found {type(value).__name__} {value!r:.100}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__} {value!r:.100}")
    return value if value.isascii() else storable(value)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"expected bytes, found {type(value).__name__} {value!r:.100}")
    return value


def _time(value: object) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        raise TypeError(f"expected a time, found {type(value).__name__} {value!r:.100}")
    if value.tzinfo is None:
        raise ValueError(f"expected a time with a time zone, found {value.isoformat()}")
    return value.astimezone(dt.UTC)


def _list_of(check: Callable[[object], object]) -> Callable[[object], list[object]]:
    def checked(value: object) -> list[object]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"expected a list, found {type(value).__name__} {value!r:.100}")
        return [check(element) for element in value]

    return checked


_BY_KIND: Mapping[Kind, Callable[[object], object]] = {
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.BYTES: _bytes,
    Kind.TIME: _time,
    Kind.TEXTS: _list_of(_text),
    Kind.INTEGERS: _list_of(_integer),
}


def _checks(columns: Sequence[Column]) -> dict[str, Callable[[object], object]]:
    return {column.name: _BY_KIND[column.kind] for column in columns if column is not COMMIT_NUMBER}


_CHECKS = {table.name: _checks(table.columns) for table in BY_NAME.values()}
