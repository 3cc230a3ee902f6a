"""Bounds that a commit does not state, and would have stated when it was made.

The log binds no bounds, since an erasure takes them (`provenance.history.entry`); what is stated is compared with the
values of the segment by every check. That something was stated and is gone is seen here: of commits that say what came
before them, which are of versions that state the bounds of every column that has any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.check.findings import UNREAD, Finding, Kind
from provenance.check.history import RESTORE
from provenance.history.commits import Commit, Segment, commit_name
from provenance.history.erased import gone_from
from provenance.schema import BY_NAME
from provenance.segments.arrow import statistics

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


def unstated(storage: Storage, commits: Sequence[Commit]) -> Iterator[Finding]:
    """Commits that lack bounds which their segments have. A segment that cannot be read is for others to name."""
    gone = gone_from(commits)
    for commit in commits:
        for segment in commit.segments if commit.log_root else ():
            suspects = [] if segment.path in gone or segment.table not in BY_NAME else _suspects(segment)
            for name in _with_bounds(storage, segment, suspects) if suspects else ():
                expected = f"the smallest and largest {name} in {segment.path}"
                yield Finding(Kind.MISCOUNT, commit_name(commit.number), expected, "none", RESTORE)


def _suspects(segment: Segment) -> list[str]:
    """Columns without bounds that have values. Few have: of values that are all long, or no numbers, there are none."""
    known = {column.name for column in BY_NAME[segment.table].columns}
    return [
        name
        for name, stated in segment.columns.items()
        if name in known and "min" not in stated and int(stated.get("nulls", 0)) < segment.rows
    ]


def _with_bounds(storage: Storage, segment: Segment, names: Sequence[str]) -> Iterator[str]:
    """Those of some columns that have bounds to state."""
    try:
        file = pq.ParquetFile(pa.BufferReader(storage.read(segment.path)))
        for name in names:
            values = file.read(columns=[name]).column(0)
            if "min" in statistics(BY_NAME[segment.table].column(name).kind, values, 0):
                yield name
    except (*UNREAD, pa.ArrowException, OSError, KeyError):
        return
