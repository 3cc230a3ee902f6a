"""Rows on their way out: a table for people, or json, ndjson, csv and parquet for programs. All of them stream.

Programs get everything exactly, as provenance/answers/json_text.py says; where a format has no lists and objects (csv,
parquet) they are JSON text. People get a table in which nothing can hide: control characters, terminal escapes and
characters that turn the direction of writing are shown as escapes, in csv on a terminal as well; digests are cut to 12
digits.
"""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from provenance.answers.json_text import digits, exact_json, json_text, odd_float, plain, time_text
from provenance.errors import StoreError
from query.terminal_text import harmless
from query.vocabulary import FieldType

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = frozenset({FieldType.INTEGER, FieldType.FLOAT, FieldType.SIZE, FieldType.DURATION})
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_SHOWN_DIGITS = 12
_BLOCK_ROWS = 1000

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class DecimalType:
    """The type of a column of exact decimal numbers: of ``digits`` digits, ``scale`` of them after the point."""

    digits: int
    scale: int


class OutputColumn(Protocol):
    """What a column is called and of which type its values are ("metadata", "metadata value", a FieldType or a
    DecimalType).
    """

    @property
    def name(self) -> str:
        """As shown."""
        ...

    @property
    def type(self) -> object:
        """Decides how values are aligned and stored."""
        ...


class NotATerminalError(StoreError):
    """Binary output was about to go to a terminal."""


def write_rows(columns: Sequence[OutputColumn], rows: Iterable[Row], output_format: str, stream: BinaryIO) -> None:
    """Write rows to a binary stream in one of the formats table, json, ndjson, csv, parquet.

    Raises NotATerminalError for parquet on a terminal.
    """
    if output_format == "parquet":
        _write_parquet(columns, rows, stream)
        return
    if output_format == "csv":
        text = _csv_lines(columns, rows, looked_at=stream.isatty())
    else:
        text = {"table": _table_lines, "json": _json_lines, "ndjson": _ndjson_lines}[output_format](columns, rows)
    stream.writelines(line.encode("utf-8") for line in text)
    stream.flush()


def write_document(document: object, stream: BinaryIO) -> None:
    """Write one JSON document, indented."""
    stream.write((json_text(document, indent=2) + "\n").encode("utf-8"))
    stream.flush()


def _objects(columns: Sequence[OutputColumn], rows: Iterable[Row]) -> Iterator[str]:
    names = [column.name for column in columns]
    for row in rows:
        yield json_text(dict(zip(names, row, strict=True)))


def _json_lines(columns: Sequence[OutputColumn], rows: Iterable[Row]) -> Iterator[str]:
    before = "[\n"
    for text in _objects(columns, rows):
        yield before + text
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _ndjson_lines(columns: Sequence[OutputColumn], rows: Iterable[Row]) -> Iterator[str]:
    for text in _objects(columns, rows):
        yield text + "\n"


def _csv_lines(columns: Sequence[OutputColumn], rows: Iterable[Row], *, looked_at: bool) -> Iterator[str]:
    """CSV has no escapes: whoever reads it gets text as it is, a terminal what it does not obey."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in itertools.chain([[column.name for column in columns]], rows):
        cells = [_flat(value) for value in row]
        writer.writerow([harmless(cell) if looked_at and isinstance(cell, str) else cell for cell in cells])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _flat(value: object) -> object:
    """A value where there are no lists and objects; text stays as it is."""
    value = plain(value)
    return value if value is None or isinstance(value, str) else exact_json(value)


def _table_lines(columns: Sequence[OutputColumn], rows: Iterable[Row]) -> Iterator[str]:
    """Columns are as wide as the widest of the first rows; a wider cell further down stands out, nothing is cut."""
    right: list[bool] = []
    head = [harmless(column.name) for column in columns]
    widths: list[int] | None = None
    iterator = iter(rows)
    while block := list(itertools.islice(iterator, _BLOCK_ROWS)):
        cells = [[_cell(value) for value in row] for row in block]
        if widths is None:
            widths = [max(_width(cell) for cell in column) for column in zip(head, *cells, strict=True)]
            right = [_is_number(*pair) for pair in zip(columns, zip(*cells, strict=True), strict=True)]
            yield _aligned(head, widths, right)
        for row in cells:
            yield _aligned(row, widths, right)


def _is_number(column: OutputColumn, cells: Iterable[str]) -> bool:
    """Whether a column is aligned at the right: of metadata if all of the first cells are numbers."""
    return (
        isinstance(column.type, DecimalType)
        or column.type in _NUMBERS
        or (column.type == "metadata value" and all(map(_NUMBER.fullmatch, filter(None, cells))))
    )


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for cell, width, to_the_right in zip(cells, widths, right, strict=True):
        space = " " * (width - _width(cell))
        parts.append(space + cell if to_the_right else cell + space)
    return "  ".join(parts).rstrip() + "\n"


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return harmless(value)
        case bytes():
            return value.hex()[:_SHOWN_DIGITS]
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return digits(value)
        case float():
            return f"{value:.6g}" if math.isfinite(value) else odd_float(value)
        case dt.datetime():
            return time_text(value.replace(microsecond=0))
        case dict():
            return "  ".join(f"{harmless(str(key))}={_cell(element)}" for key, element in value.items())
        case list() | tuple():
            return ", ".join(_cell(element) for element in value)
        case _:
            return str(value)


def _width(text: str) -> int:
    """Columns that text takes on a terminal: East Asian wide characters and emoji take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(c) or unicodedata.category(c) == "Cf"
        else 2
        if unicodedata.east_asian_width(c) in "WF"
        else 1
        for c in text
    )


def _write_parquet(columns: Sequence[OutputColumn], rows: Iterable[Row], stream: BinaryIO) -> None:
    if stream.isatty():
        raise NotATerminalError(
            "parquet is binary and standard output is a terminal", hint="redirect it: > rows.parquet"
        )
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[object, pa.DataType] = {
        FieldType.INTEGER: pa.int64(),
        FieldType.SIZE: pa.int64(),
        FieldType.FLOAT: pa.float64(),
        FieldType.DURATION: pa.float64(),
        FieldType.BOOLEAN: pa.bool_(),
        FieldType.TIME: pa.timestamp("us", tz="UTC"),
        FieldType.TEXTS: pa.list_(pa.string()),
    }
    for column in columns:
        if isinstance(column.type, DecimalType):
            types[column.type] = pa.decimal128(column.type.digits, column.type.scale)
    schema = pa.schema([(column.name, types.get(column.type, pa.string())) for column in columns])
    exact = [column.type in types for column in columns]
    iterator = iter(rows)
    with pq.ParquetWriter(stream, schema) as writer:
        while block := list(itertools.islice(iterator, _BLOCK_ROWS * 64)):
            arrays = [
                pa.array(
                    _of_one_type(values, field.type == pa.float64()) if keep else list(map(_flat, values)), field.type
                )
                for values, keep, field in zip(zip(*block, strict=True), exact, schema, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))
    stream.flush()


def _of_one_type(values: Row, is_double: bool) -> list[object]:
    """The values of a column that has a type: integers among doubles become the nearest double."""
    return [float(value) if is_double and isinstance(value, int) else value for value in values]
