"""A table of files and what is known of each: CSV with a column `path`; every other column is a metadata key.

It refuses what would be lost or guessed at silently: a row without a path, a file that is named twice, a row with more
or fewer cells than the header, a column that is named twice or not at all.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TextIO

from provenance.errors import StoreError
from provenance.metadata import MetadataError, Value, from_text, require_unicode

PATH_COLUMN = "path"


class MetadataTableError(StoreError):
    """A table that cannot be read as one; nothing was registered."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One file of a table: its logical name, where it is, and its metadata. An empty cell is a key that is missing."""

    name: str
    path: Path
    metadata: Mapping[str, Value]


def read_table(table: Path) -> list[TableRow]:
    """The rows of a CSV table (UTF-8, a header line), in its order.

    Paths are relative to the folder of the table; the logical name of a file is its path as it stands there (of an
    absolute one, its base name). Raises MetadataTableError, with the line, and OSError.
    """
    with table.open(encoding="utf-8-sig", newline="") as stream:
        try:
            return list(_rows(table, stream))
        except (csv.Error, UnicodeDecodeError) as error:
            raise MetadataTableError(f"{table}: not a CSV table in UTF-8: {error}") from error


def _rows(table: Path, stream: TextIO) -> Iterator[TableRow]:
    lines = csv.reader(stream, strict=True)
    header = _header(table, next(lines, []))
    seen: dict[str, int] = {}
    for cells in lines:
        where = f"{table}:{lines.line_num}"
        if not cells:
            continue  # an empty line, as editors leave one at the end
        if len(cells) != len(header):
            raise MetadataTableError(f"{where}: expected {len(header)} cells as in the header, found {len(cells)}")
        row = dict(zip(header, cells, strict=True))
        path = row.pop(PATH_COLUMN)
        if not path:
            raise MetadataTableError(f"{where}: the path is empty")
        if path in seen:
            raise MetadataTableError(f"{where}: {path} stands in line {seen[path]} already")
        seen[path] = lines.line_num
        metadata: dict[str, Value] = {key: from_text(cell) for key, cell in row.items() if cell}
        name = PurePath(path).name if PurePath(path).is_absolute() else PurePath(path).as_posix()
        yield TableRow(name, table.parent / path, metadata)


def _header(table: Path, header: list[str]) -> list[str]:
    if PATH_COLUMN not in header:
        found = ", ".join(header) or "nothing"
        raise MetadataTableError(f"{table}:1: expected a column {PATH_COLUMN!r} in the header, found {found}")
    for name in header:
        if not name:
            raise MetadataTableError(f"{table}:1: a column has no name")
        if header.count(name) > 1:
            raise MetadataTableError(f"{table}:1: two columns are named {name!r}")
        try:
            require_unicode(name, "the key")
        except MetadataError as error:
            raise MetadataTableError(f"{table}:1: {error}") from error
    return header
