"""What a store holds as of one commit: which segments are live. Made from commits alone, and extended by later ones.

A snapshot is a value: it never changes, and the segments that it names stay on disk when later commits replace them, so
a reader that follows it is never disturbed.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from provenance.errors import DamagedStoreError
from provenance.history.column_statistics import ColumnStatistics
from provenance.history.commits import Commit, CommitKind, Segment
from provenance.history.foreign import NOTHING, Foreign

_LiveSegments = Mapping[str, Mapping[str, Segment]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store after commit ``number`` (0: empty), made at ``time`` (None: empty).

    ``horizon``, where given, hides the rows of later commits: compaction may have put them into one segment with
    earlier ones. ``foreign`` is what was pulled from other stores. ``rewritten`` is the newest commit (0: none) that
    put other rows in the place of earlier ones, which compaction never does and erasure does.
    """

    number: int = 0
    time: dt.datetime | None = None
    _live: _LiveSegments = field(default_factory=lambda: MappingProxyType({}))
    horizon: int | None = None
    foreign: Foreign = NOTHING
    rewritten: int = 0

    @classmethod
    def of(
        cls,
        number: int,
        time: dt.datetime,
        segments: Iterable[Segment],
        foreign: Foreign = NOTHING,
        rewritten: int = 0,
    ) -> Self:
        """The snapshot after commit ``number`` in which just these segments are live, in this order."""
        live: dict[str, dict[str, Segment]] = {}
        for segment in segments:
            live.setdefault(segment.table, {})[segment.path] = segment
        return cls(number, time, MappingProxyType(live), foreign=foreign, rewritten=rewritten)

    def live(self) -> Iterator[Segment]:
        """All live segments, those of a table in the order in which they came."""
        return (segment for segments in self._live.values() for segment in segments.values())

    def segments(self, table: str) -> tuple[Segment, ...]:
        """The live segments of a table that have rows to show, in the order in which they came."""
        live = self._live.get(table, {}).values()
        if self.horizon is None:
            return tuple(live)
        horizons = {origin: self.horizon_of(origin) or 0 for origin in (None, *self.foreign.stores())}
        return tuple(segment for segment in live if segment.first_commit <= horizons.get(segment.origin, 0))

    def holding(self, table: str, column: str, values: Iterable[int]) -> Snapshot:
        """The same with only those segments of a table that may have one of these values in an integer column."""
        wanted = sorted(set(values))
        kept = {
            path: segment
            for path, segment in self._live.get(table, {}).items()
            if _may_hold(segment.columns.get(column, {}), wanted)
        }
        return replace(self, _live=MappingProxyType({**self._live, table: MappingProxyType(kept)}))

    def horizon_of(self, origin: str | None) -> int | None:
        """The newest commit whose rows are shown: of this store (``origin`` None) or of another. None: all are."""
        if self.horizon is None or origin is None:
            return self.horizon
        return self.foreign.known(origin, self.horizon)

    def came(self, segment: Segment) -> int:
        """The commit of this store that first showed rows of the segment. Raises DamagedStoreError if none did: it is
        of another store's commits that were never pulled.
        """
        if segment.origin is None:
            return segment.first_commit
        return self.foreign.visible(segment.origin, segment.first_commit, segment.first_commit)[0]

    def since(self, table: str, number: int) -> Self | None:
        """The same store with only those segments of ``table`` that may have rows of commits after ``number``; None if
        no segment has.
        """
        later = [segment for segment in self.segments(table) if self._went(segment) > number]
        return replace(self, _live={table: {segment.path: segment for segment in later}}) if later else None

    def _went(self, segment: Segment) -> int:
        """The commit of this store that showed the last rows of the segment."""
        if segment.origin is None:
            return segment.last_commit
        return max(self.foreign.visible(segment.origin, segment.first_commit, segment.last_commit))

    def is_live(self, segment: Segment) -> bool:
        """Whether the segment's rows are read from this very file."""
        return segment.path in self._live.get(segment.table, {})

    def tables(self) -> tuple[str, ...]:
        """The tables that have live segments."""
        return tuple(table for table, segments in self._live.items() if segments)

    def rows(self) -> int:
        """How many rows the live segments of all tables hold."""
        return sum(segment.rows for segment in self.live())

    def at(self, number: int) -> Snapshot:
        """The store as it was after commit ``number``, read from the segments of today.

        Raises ValueError if ``number`` lies outside 0 to this snapshot's own.
        """
        if not 0 <= number <= self.number:
            raise ValueError(f"commit {number}: this store has commits up to {self.number}")
        return replace(self, horizon=number)

    def after(self, commits: Iterable[Commit]) -> Snapshot:
        """The snapshot after further commits, in order. Raises DamagedStoreError if they do not follow this one."""
        number, time, foreign, rewritten = self.number, self.time, self.foreign, self.rewritten
        live = {table: dict(segments) for table, segments in self._live.items()}
        for commit in commits:
            if commit.number != number + 1:
                raise DamagedStoreError(f"commit {commit.number} follows commit {number}")
            number, time = commit.number, commit.time
            if commit.pulled:
                foreign = foreign.after(number, commit.pulled)
            if commit.replaces and commit.kind is not CommitKind.COMPACT:
                rewritten = number
            _remove(live, commit)
            for segment in commit.segments:
                live.setdefault(segment.table, {})[segment.path] = segment
        if number == self.number:
            return self
        return Snapshot(number, time, MappingProxyType(live), foreign=foreign, rewritten=rewritten)


def _may_hold(statistics: ColumnStatistics, wanted: Sequence[int]) -> bool:
    """Whether one of these values, which are sorted, lies between the bounds of a column; of some columns none are
    known.
    """
    if "min" not in statistics:
        return True
    above = bisect_left(wanted, int(statistics["min"]))
    return above < len(wanted) and wanted[above] <= int(statistics["max"])


def _remove(live: dict[str, dict[str, Segment]], commit: Commit) -> None:
    for path in commit.replaces:
        table = path.split("/")[1]
        if live.get(table, {}).pop(path, None) is None:
            raise DamagedStoreError(f"commit {commit.number} replaces {path}, which is not there to be replaced")
