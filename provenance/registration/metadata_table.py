"""A table of files and what is known of each: the column `path` names the file, and every other column is a metadata
key.

Five columns are no keys but declare what the file holds, so that it need not be read: `sha256`, `md5`, `adler32`,
`crc32c` (hex digits) and `size` (bytes).

It refuses what would be lost or guessed at silently: a row without a path, a row with more or fewer cells than the
header, a column that is named twice or not at all. That a file is named twice is found where they all come together
(provenance/registration/found_once.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from integrity.checksum import HEX_DIGITS, ChecksumError, parse_checksum
from provenance.metadata import MetadataError, Value, require_unicode
from provenance.registration.table_rows import PATH_COLUMN, MetadataTableError, Row, table_rows
from provenance.urls import copy_url, file_url, is_url, local_path, url_path

__all__ = ["Declared", "MetadataTableError", "TableRow", "read_table"]

_SIZE_COLUMN = "size"
_NO_KEYS = frozenset({PATH_COLUMN, _SIZE_COLUMN, *HEX_DIGITS})
_SIZES = range(1 << 63)
_RENAME = "a column of this name declares what the file holds: give a metadata key another name"


@dataclass(frozen=True, slots=True)
class Declared:
    """What somebody says that a file holds: ``checksums`` as ``algorithm:hex``, sha256 among them; ``size_bytes``."""

    checksums: tuple[str, ...] = ()
    size_bytes: int | None = None

    @property
    def sha256(self) -> bytes | None:
        """The declared sha256; 32 bytes."""
        digits = (text.removeprefix("sha256:") for text in self.checksums if text.startswith("sha256:"))
        return next(map(bytes.fromhex, digits), None)

    @property
    def foreign(self) -> tuple[str, ...]:
        """The declared checksums of other algorithms."""
        return tuple(text for text in self.checksums if not text.startswith("sha256:"))


@dataclass(frozen=True, slots=True)
class TableRow:
    """One file of a table: ``where`` it stands there, its logical name, where it is, and what is said of it.

    ``path`` None: the file is not on this machine. ``below`` is the path for templates: as it stands there.
    """

    where: str
    name: str
    url: str
    path: str | None
    below: str
    metadata: Mapping[str, Value]
    declared: Declared = field(default_factory=Declared)


def read_table(table: Path) -> Iterator[TableRow]:
    """The files that a table names (CSV with a header line, JSON lines or Parquet), in its order.

    A path is relative to the folder of the table, or absolute, or a URL. The logical name of a file is its path as it
    stands there; of an absolute one or a URL the last part of it. Raises MetadataTableError, with line or row, and
    OSError.
    """
    return (_file(table, row) for row in table_rows(table))


def _file(table: Path, row: Row) -> TableRow:
    text = row.text(PATH_COLUMN)
    if not text:
        raise MetadataTableError(f"{row.where}: the path is empty")
    _require_nameable(row, text)
    if is_url(text):
        url = copy_url(text)
        local = local_path(url)
        path = None if local is None else str(local)
        below = str(local) if local is not None else _path_of(row, url)
        name = PurePath(below).name
    else:
        path = os.path.join(table.parent, text)  # noqa: PTH118 - as it stands there, also with ..
        url = file_url(path)
        below = str(PurePath(text))
        name = PurePath(text).name if text.startswith("/") else below
    return TableRow(row.where, name or url, url, path, below.strip("/"), _metadata(row), _declared(row))


def _path_of(row: Row, url: str) -> str:
    try:
        return url_path(url)
    except ValueError as error:
        raise MetadataTableError(f"{row.where}: {url}: not a URL: {error}") from error


def _require_nameable(row: Row, text: str) -> None:
    try:
        require_unicode(text, "the path")
    except MetadataError as error:
        hint = "a name of other bytes is written as a URL: file:///data/caf%E9.csv"
        raise MetadataTableError(f"{row.where}: {error}", hint=hint) from error
    if "\0" in text:
        raise MetadataTableError(f"{row.where}: the path {text!r} holds a NUL, which no file name can")


def _metadata(row: Row) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for column in row.cells:
        if column in _NO_KEYS:
            continue
        if not column:
            raise MetadataTableError(f"{row.where}: a key is empty")
        try:
            require_unicode(column, "a key")
        except MetadataError as error:
            raise MetadataTableError(f"{row.where}: {error}") from error
        found[column] = row.metadata(column)
    return found


def _declared(row: Row) -> Declared:
    checksums = []
    for algorithm in HEX_DIGITS:
        text = row.text(algorithm)
        if text is None:
            continue
        try:
            checksums.append(parse_checksum(text if ":" in text else f"{algorithm}:{text}", algorithm))
        except ChecksumError as error:
            raise MetadataTableError(f"{row.where}: column {algorithm!r}: {error}", hint=_RENAME) from error
    return Declared(tuple(checksums), _size(row))


def _size(row: Row) -> int | None:
    value = row.cells.get(_SIZE_COLUMN)
    if value is None:
        return None
    digits = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    size = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else -1
    if size not in _SIZES:
        raise MetadataTableError(
            f"{row.where}: column {_SIZE_COLUMN!r}: expected a number of bytes, found {str(value)!r:.60}", hint=_RENAME
        )
    return size
