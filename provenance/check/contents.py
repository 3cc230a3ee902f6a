"""The segments of a store, each read whole: are these the bytes, and do the rows add up to what the commit says?

One read serves both, so that what was counted is what has the digest. Columns are taken one at a time: a check needs
the memory of one segment and its largest column for each of its threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.arrow import arrow_schema, statistics
from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.commits import ColumnStatistics, Segment
from provenance.damage import difference
from provenance.schema import BY_NAME, Table
from provenance.segments import column_sizes

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

RESTORE = "restore it from a backup or a copy of the store, or try --repair"
REPORT = "the bytes are those that were committed, so whoever wrote them counted wrong: please report it"
NEWER = "check it with a newer pirene"
_THREADS = 4
"""Beyond this the disk, or the network, is what a check waits for."""


def examine(storage: Storage, segments: Sequence[Segment], done: Callable[[int], None]) -> Iterator[Finding]:
    """Findings about segments, in their order; ``done`` is told the bytes of each that was looked at."""
    threads = min(_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="check") as pool:
        for segment, findings in zip(segments, pool.map(lambda one: _examine(storage, one), segments), strict=True):
            yield from findings
            done(segment.size)


def _examine(storage: Storage, segment: Segment) -> list[Finding]:
    try:
        data = storage.read(segment.path, segment.size)
    except UNREAD as error:
        return [not_read(storage, segment.path, f"{segment.size} bytes", error, RESTORE)]
    found = difference(data, segment)
    if found is not None:
        expected = f"{segment.size} bytes with sha256 {segment.sha256}"
        return [Finding(Kind.CHANGED, segment.path, expected, found, RESTORE)]
    table = BY_NAME.get(segment.table)
    if table is None:
        return [Finding(Kind.UNCHECKED, segment.path, "a table that this version knows", segment.table, NEWER)]
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        misshapen = _misshapen(segment, table, file)
        return [misshapen] if misshapen else list(_counted(segment, table, file))
    except (pa.ArrowException, OSError) as error:
        return [Finding(Kind.MALFORMED, segment.path, "Parquet", " ".join(str(error).split()), REPORT)]


def _counted(segment: Segment, table: Table, file: pq.ParquetFile) -> Iterator[Finding]:
    """What the commit says of a segment, beside what its file holds."""
    pairs: list[tuple[str, object, object]] = [
        ("rows", segment.rows, file.metadata.num_rows),
        ("bytes of metadata", segment.footer_size, file.metadata.serialized_size),
    ]
    sizes = column_sizes(file.metadata)
    for name, stated in segment.columns.items():
        counted = statistics(table.column(name).kind, file.read(columns=[name]).column(0), sizes[name])
        pairs += [(f"{name}: {what}", one, other) for what, one, other in _side_by_side(stated, counted)]
    for what, stated_value, counted_value in pairs:
        if stated_value != counted_value:
            expected = f"{what} {_short(stated_value)}"
            yield Finding(Kind.MISCOUNT, segment.path, expected, _short(counted_value), REPORT)


def _misshapen(segment: Segment, table: Table, file: pq.ParquetFile) -> Finding | None:
    """The finding for columns that are not those of the commit, or not of the types and field ids of the schema."""
    wanted = arrow_schema(table)
    for name in sorted(segment.columns.keys() | set(file.schema_arrow.names)):
        if name not in segment.columns or name not in file.schema_arrow.names:
            found = f"{name} in one of them only"
            return Finding(Kind.MALFORMED, segment.path, "the columns of its commit", found, REPORT)
        if name not in wanted.names:
            return Finding(Kind.UNCHECKED, segment.path, "columns that this version knows", name, NEWER)
        expected, found = _form(wanted.field(name)), _form(file.schema_arrow.field(name))
        if expected != found:
            return Finding(Kind.MALFORMED, segment.path, f"{name}: {expected}", found, REPORT)
    return None


def _side_by_side(stated: ColumnStatistics, counted: ColumnStatistics) -> Iterator[tuple[str, object, object]]:
    """(what, stated, counted) of a column. What is left out says 0, or of a bound and a size nothing."""
    for key in ("nulls", "nan", "values"):
        yield key, stated.get(key, 0), counted.get(key, 0)
    for key in ("min", "max", "size"):
        if key in stated:
            yield key, stated[key], counted.get(key)
    for key in stated.keys() - {"nulls", "nan", "values", "min", "max", "size"}:
        yield key, stated[key], None


def _form(field: pa.Field) -> str:
    identity = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode("ascii", "backslashreplace")
    return f"{field.type}, {identity}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
