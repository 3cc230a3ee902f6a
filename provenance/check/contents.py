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

from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.history.column_statistics import STATISTICS
from provenance.history.commits import Segment
from provenance.schema import BY_NAME, Table
from provenance.segments.described import counted, differences, misshapen
from provenance.storage.recorded import difference

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

RESTORE = "restore it from a backup or a copy of the store, or try `pirene store check --repair`"
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
        wrong = misshapen(segment, table, file.schema_arrow)
        if wrong is not None:
            kind, advice = (Kind.UNCHECKED, NEWER) if wrong.is_newer else (Kind.MALFORMED, REPORT)
            return [Finding(kind, segment.path, wrong.expected, wrong.found, advice)]
        return list(_counted(segment, table, file))
    except (pa.ArrowException, OSError) as error:
        return [Finding(Kind.MALFORMED, segment.path, "Parquet", " ".join(str(error).split()), REPORT)]


def _counted(segment: Segment, table: Table, file: pq.ParquetFile) -> Iterator[Finding]:
    """What the commit says of a segment, beside what its file holds, and what the file says, beside its values."""
    found = counted(table, file)
    for one in differences(segment, table, file.metadata, found):
        yield Finding(Kind.MISCOUNT, segment.path, f"{one.what} {one.stated}", one.found, REPORT)
    for one in found.false_bounds:
        yield Finding(Kind.MALFORMED, segment.path, f"{one.what} {one.stated}", one.found, REPORT)
    for name, stated in segment.columns.items():
        for key in sorted(stated.keys() - STATISTICS):
            yield Finding(Kind.MISCOUNT, segment.path, f"{name}: {key} {stated[key]}", "None", REPORT)
