"""The rows of a table of files, from CSV, JSON lines or Parquet: which line, and what stands in it.

A cell that is empty (CSV) or null (JSON, Parquet) is not there. Text of CSV is what a YAML 1.2 scalar would be; values
of JSON and Parquet keep their types, numbers of JSON their source text.
"""

from __future__ import annotations

import csv
import stat as status_bits
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from integrity.digest import kind_of
from provenance.errors import StoreError
from provenance.metadata import JsonNumber, MetadataError, Value, Written, from_json, from_text, load_json

if TYPE_CHECKING:
    import pyarrow as pa

PATH_COLUMN = "path"
_REPEATED_VALUES = 1 << 16
"""Most cells repeat; this many different ones are kept as one object each."""
_BATCH_ROWS = 8192


class MetadataTableError(StoreError):
    """A table that cannot be read as one; nothing was registered."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row by column, without those that are missing; ``where`` is file and line (or row, from 1).

    ``is_untyped``: all of them are text of a table that has no types.
    """

    where: str
    cells: Mapping[str, object]
    is_untyped: bool = False

    def text(self, column: str) -> str | None:
        """A cell that must be text; None if it is missing. Raises MetadataTableError."""
        value = self.cells.get(column)
        if value is None or (isinstance(value, str) and not isinstance(value, JsonNumber)):
            return value
        shown = str(value) if isinstance(value, JsonNumber) else repr(value)
        raise MetadataTableError(f"{self.where}: expected text in column {column!r}, found {shown:.80}")

    def metadata(self, column: str) -> Value:
        """A cell as a metadata value. Raises MetadataTableError."""
        value = self.cells[column]
        if self.is_untyped:
            return _untyped(str(value))
        if isinstance(value, Written):
            return value
        try:
            return from_json(value)
        except MetadataError as error:
            raise MetadataTableError(f"{self.where}: column {column!r}: {error}", hint=error.hint) from error


@lru_cache(maxsize=_REPEATED_VALUES)
def _untyped(text: str) -> Written:
    """A cell of CSV as a value."""
    return from_text(text)


def table_rows(table: Path) -> Iterator[Row]:
    """The rows of a table, in its order; the end of its name says what it is. Raises MetadataTableError, OSError."""
    read = _READERS.get(table.suffix.lower())
    if read is None:
        raise MetadataTableError(
            f"{table}: expected a table that ends in one of {', '.join(_READERS)}, found {table.suffix or 'no ending'}"
        )
    mode = table.stat().st_mode
    if not status_bits.S_ISREG(mode):
        # One would wait for ever for what nobody writes into a pipe.
        raise MetadataTableError(f"{table}: expected a file, found {kind_of(mode)}", hint="save the table in a file")
    return read(table)


def _csv_rows(table: Path) -> Iterator[Row]:
    with table.open("rb") as stream:
        lines = csv.reader((text for _, text in _lines(table, stream)), strict=True)
        try:
            header = _header(f"{table}:1", next(lines, []))
            for cells in lines:
                if not cells:
                    continue  # an empty line, as editors leave one at the end
                where = f"{table}:{lines.line_num}"
                if len(cells) != len(header):
                    raise MetadataTableError(
                        f"{where}: expected {len(header)} cells as in the header, found {len(cells)}"
                    )
                yield Row(where, {name: cell for name, cell in zip(header, cells, strict=True) if cell}, True)
        except csv.Error as error:
            raise MetadataTableError(f"{table}:{lines.line_num}: not a CSV table: {error}") from error


def _header(where: str, header: list[str]) -> list[str]:
    if PATH_COLUMN not in header:
        found = ", ".join(header) or "nothing"
        raise MetadataTableError(f"{where}: expected a column {PATH_COLUMN!r} that names the files, found {found}")
    for name in header:
        if not name:
            raise MetadataTableError(f"{where}: a column has no name")
        if header.count(name) > 1:
            raise MetadataTableError(f"{where}: two columns are named {name!r}")
    return header


def _lines(table: Path, stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Number and text of each line: read one by one, so that an error names its own."""
    for number, line in enumerate(stream, start=1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            hint = "names of files in other encodings are written as URLs: file:///data/caf%E9.csv"
            raise MetadataTableError(f"{table}:{number}: not UTF-8: {error}", hint=hint) from error


def _json_rows(table: Path) -> Iterator[Row]:
    with table.open("rb") as stream:
        for number, line in _lines(table, stream):
            if not line.strip():
                continue
            where = f"{table}:{number}"
            try:
                found = load_json(line)
            except ValueError as error:
                raise MetadataTableError(f"{where}: not JSON: {error}") from error
            if not isinstance(found, dict):
                raise MetadataTableError(f"{where}: expected a JSON object, one on each line, found {found!s:.60}")
            yield Row(where, {name: value for name, value in found.items() if value is not None})


def _parquet_rows(table: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(table) as file:
            names = _header(str(table), file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                pairs = zip(names, batch.columns, strict=True)
                columns = [_column(table, name, number, column) for name, column in pairs]
                for cells in zip(*columns, strict=True):
                    number += 1
                    there = {name: value for name, value in zip(names, cells, strict=True) if value is not None}
                    yield Row(f"{table}: row {number}", there)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        raise MetadataTableError(f"{table}: not a Parquet table that can be read: {error}") from error


def _column(table: Path, name: str, before: int, column: pa.Array) -> list[Any]:
    """The cells of a column; ``before`` rows are before its first one."""
    from provenance.registration.parquet_values import values

    try:
        return values(column)
    except MetadataError as error:
        row = before + 1 + column.is_valid().index(True).as_py()
        raise MetadataTableError(f"{table}: row {row}: column {name!r}: {error}", hint=error.hint) from error


_READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".parquet": _parquet_rows,
}
