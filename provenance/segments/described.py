"""What a commit says of a segment, beside what the segment's file holds: columns, counts, bounds.

Queries leave out segments by the bounds that commits state, and parts of one by those that the file itself states. So
a bound that is false is a wrong answer without a word, and whoever takes a segment from somebody else looks at all of
them first.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance.history.column_statistics import ColumnStatistics
from provenance.history.commits import Segment
from provenance.schema import Kind, Table
from provenance.segments.arrow import arrow_schema, statistics
from provenance.segments.segment_files import column_sizes

_COUNTS = ("nulls", "nan", "values")
"""What is left out is 0."""
_STATED = ("min", "max", "size")
"""What is left out is not known."""
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """``what``: one thing that was ``stated``, and what was ``found``; both as short text."""

    what: str
    stated: str
    found: str


@dataclass(frozen=True, slots=True)
class Misshapen:
    """Columns that are not those of the commit, or not as the schema has them. ``is_newer``: this version does not know
    one that both have.
    """

    expected: str
    found: str
    is_newer: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """A file's ``columns``, as a commit would have to describe them; ``false_bounds``: what the file itself says of its
    row groups that is not so, by which readers skip them.
    """

    columns: Mapping[str, ColumnStatistics]
    false_bounds: tuple[Difference, ...]


def misshapen(segment: Segment, table: Table, schema: pa.Schema) -> Misshapen | None:
    """How the columns of a segment's file differ from what its commit says, in name, type or field id; None: nohow."""
    wanted = arrow_schema(table)
    for name in sorted(segment.columns.keys() | set(schema.names)):
        if name not in segment.columns or name not in schema.names:
            return Misshapen("the columns of its commit", f"{name} in one of them only")
        if name not in wanted.names:
            return Misshapen("columns that this version knows", name, is_newer=True)
        expected, found = _form(wanted.field(name)), _form(schema.field(name))
        if expected != found:
            return Misshapen(f"{name}: {expected}", found)
    return None


def counted(table: Table, file: pq.ParquetFile) -> Counted:
    """Look at all values of a file that is not `misshapen`, one column in memory at a time.

    Raises pyarrow.ArrowException or OSError for what cannot be read.
    """
    sizes = column_sizes(file.metadata)
    columns: dict[str, ColumnStatistics] = {}
    false_bounds: list[Difference] = []
    for position, name in enumerate(file.schema_arrow.names):  # a list is one column of the file too
        column = file.read(columns=[name]).column(0)
        column.validate(full=True)  # reading does not look at whether text is UTF-8
        columns[name] = statistics(table.column(name).kind, column, sizes[name])
        false_bounds += _false_bounds(file.metadata, position, column)
    return Counted(columns, tuple(false_bounds))


def differences(segment: Segment, table: Table, metadata: pq.FileMetaData, found: Counted) -> Iterator[Difference]:
    """What a commit says of a segment otherwise than its file is."""
    pairs: list[tuple[str, object, object]] = [
        ("rows", segment.rows, metadata.num_rows),
        ("bytes of metadata", segment.footer_size, metadata.serialized_size),
    ]
    for name, stated in segment.columns.items():
        own, form = found.columns[name], _zero if table.column(name).kind is Kind.FLOAT else _as_it_is
        pairs += [(f"{name}: {key}", stated.get(key, 0), own.get(key, 0)) for key in _COUNTS]
        pairs += [(f"{name}: {key}", form(stated[key]), form(own.get(key))) for key in _STATED if key in stated]
    yield from (Difference(what, _short(one), _short(other)) for what, one, other in pairs if one != other)


def _false_bounds(metadata: pq.FileMetaData, position: int, column: pa.ChunkedArray) -> Iterator[Difference]:
    """Bounds and counts in a file's own metadata that the values of a column do not keep to."""
    first = 0
    for group in range(metadata.num_row_groups):
        described = metadata.row_group(group)
        values, stated = column.slice(first, described.num_rows), described.column(position).statistics
        first += described.num_rows
        if stated is None:
            continue
        where = f"{described.column(position).path_in_schema}: %s of row group {group}"
        if pa.types.is_list(values.type):
            values = pc.list_flatten(values)
        elif stated.has_null_count and stated.null_count != values.null_count:
            yield Difference(where % "nulls", str(stated.null_count), str(values.null_count))
        yield from _outside(where, stated, values)


def _outside(where: str, stated: pq.Statistics, values: pa.ChunkedArray) -> Iterator[Difference]:
    if pa.types.is_floating(values.type):
        values = pc.filter(values, pc.invert(pc.is_nan(values)))  # which bounds pass over
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is None or not stated.has_min_max:
        return
    if stated.min > bounds["min"]:
        yield Difference(where % "min", _short(stated.min), _short(bounds["min"]))
    if stated.max < bounds["max"]:
        yield Difference(where % "max", _short(stated.max), _short(bounds["max"]))


def _zero(value: object) -> object:
    """Which of the two zeros is the smallest of some floats depends on who looks."""
    return "0.0" if value == "-0.0" else value


def _as_it_is(value: object) -> object:
    return value


def _form(field: pa.Field) -> str:
    identity = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode("ascii", "backslashreplace")
    return f"{field.type}, {identity}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."
