"""What a store holds as of one commit: which segments are live. Made from commits alone, and extended by later ones.

A snapshot is a value: it never changes, and the segments that it names stay on disk when later commits replace them, so
a reader that follows it is never disturbed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from provenance.commits import Commit, Segment
from provenance.errors import DamagedStoreError

_LiveSegments = Mapping[str, Mapping[str, Segment]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store after commit ``number`` (0: empty), made at ``time`` (None: empty).

    ``horizon``, where given, hides the rows of later commits: compaction may have put them into one segment with
    earlier ones.
    """

    number: int = 0
    time: dt.datetime | None = None
    _live: _LiveSegments = field(default_factory=lambda: MappingProxyType({}))
    horizon: int | None = None

    @classmethod
    def of(cls, number: int, time: dt.datetime, segments: Iterable[Segment]) -> Self:
        """The snapshot after commit ``number`` in which just these segments are live, in this order."""
        live: dict[str, dict[str, Segment]] = {}
        for segment in segments:
            live.setdefault(segment.table, {})[segment.path] = segment
        return cls(number, time, MappingProxyType(live))

    def live(self) -> Iterator[Segment]:
        """All live segments, those of a table in the order in which they came."""
        return (segment for segments in self._live.values() for segment in segments.values())

    def segments(self, table: str) -> tuple[Segment, ...]:
        """The live segments of a table that have rows to show, in the order in which they came."""
        live = self._live.get(table, {}).values()
        return tuple(segment for segment in live if self.horizon is None or segment.first_commit <= self.horizon)

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
        return Snapshot(self.number, self.time, self._live, number)

    def after(self, commits: Iterable[Commit]) -> Snapshot:
        """The snapshot after further commits, in order. Raises DamagedStoreError if they do not follow this one."""
        number, time = self.number, self.time
        live = {table: dict(segments) for table, segments in self._live.items()}
        for commit in commits:
            if commit.number != number + 1:
                raise DamagedStoreError(f"commit {commit.number} follows commit {number}")
            number, time = commit.number, commit.time
            _remove(live, commit)
            for segment in commit.segments:
                live.setdefault(segment.table, {})[segment.path] = segment
        if number == self.number:
            return self
        return Snapshot(number, time, MappingProxyType(live))


def _remove(live: dict[str, dict[str, Segment]], commit: Commit) -> None:
    for path in commit.replaces:
        table = path.split("/")[1]
        if live.get(table, {}).pop(path, None) is None:
            raise DamagedStoreError(f"commit {commit.number} replaces {path}, which is not there to be replaced")
