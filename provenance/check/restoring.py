"""Damaged segments made again from others that hold the same rows.

A segment holds all rows that certain commits brought to its table: its own commit, or those of the segments that it
was merged from. So whatever intact segments together hold the rows of these commits give it back, in both directions:
a merged one from what it was merged from, and one that was merged from what it became. What comes out counts only if
its sha256 is the one that the commit gives: nothing is written that is not proven. It is not always: another version of
this program or of pyarrow may write the same rows as other bytes. A segment that was never merged is nowhere else.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from provenance.check.findings import Finding, Kind, Repair
from provenance.errors import DamagedStoreError, ReadFailedError, WriteFailedError
from provenance.history.commits import Commit, Segment
from provenance.schema import BY_NAME, COMMIT_NUMBER
from provenance.segments.arrow import in_order
from provenance.segments.segment_files import FOLDER, encoded, merged

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

_DAMAGE = frozenset({Kind.MISSING, Kind.CHANGED})


_Part = int | str
"""What a segment holds rows of: a commit of this store, or a segment that was pulled, by its path."""


@dataclass(frozen=True, slots=True)
class _Holding:
    """A segment and the parts whose rows of its table it holds, all of them."""

    segment: Segment
    parts: frozenset[_Part]


def restore(storage: Storage, commits: Iterable[Commit], findings: Iterable[Finding]) -> list[Repair]:
    """Make those segments again that are damaged or missing, where the others allow it; says what became of each."""
    holdings = _holdings(commits)
    damaged = {one.path for one in findings if one.kind in _DAMAGE and one.path in holdings}
    made: list[Repair] = []
    for path in sorted(damaged):
        repair = _restored(storage, holdings[path], [each for each in holdings.values() if each.segment.path != path])
        made.append(repair)
    return made


def _holdings(commits: Iterable[Commit]) -> dict[str, _Holding]:
    """All segments ever, by path."""
    found: dict[str, _Holding] = {}
    for commit in commits:
        replaced: dict[tuple[str, str | None], deque[_Holding]] = {}
        for path in commit.replaces:
            if path in found:
                old = found[path]
                replaced.setdefault((old.segment.table, old.segment.origin), deque()).append(old)
        for segment in commit.segments:
            if (segment.table, segment.origin) in replaced:
                parts = _merged_from(replaced[segment.table, segment.origin], segment)
            else:
                parts = frozenset({commit.number if segment.origin is None else segment.path})
            found[segment.path] = _Holding(segment, parts)
    return found


def _merged_from(replaced: deque[_Holding], segment: Segment) -> frozenset[_Part]:
    """The parts of those that come first among the replaced ones and have as many rows together; they are taken away.

    Merges are listed one after the other. None where it does not come out even, as after an erasure.
    """
    parts: set[_Part] = set()
    rows = 0
    while replaced and rows < segment.rows:
        old = replaced.popleft()
        rows += old.segment.rows
        parts |= old.parts
    return frozenset(parts) if rows == segment.rows else frozenset()


def _restored(storage: Storage, wanted: _Holding, others: Sequence[_Holding]) -> Repair:
    path = wanted.segment.path
    table = BY_NAME.get(wanted.segment.table)
    if table is None:
        return Repair(path, False, f"{wanted.segment.table} is a table that this version does not know")
    rows = _collected(storage, wanted, [each for each in others if each.segment.table == table.name])
    if rows is None:
        return Repair(path, False, "no other intact segments hold its rows: restore it from a backup")
    data, _ = encoded(table, rows)
    if hashlib.sha256(data).hexdigest() != wanted.segment.sha256:
        what = "made again from others it is not byte for byte what was committed, so it was not put there"
        return Repair(path, False, f"{what}: restore it from a backup")
    try:
        storage.prepare(FOLDER, (table.name,))
        storage.write(path, data)
    except WriteFailedError as error:
        return Repair(path, False, f"could not be written: {error}")
    return Repair(path, True, "made again from other segments, byte for byte as it was committed")


def _collected(storage: Storage, wanted: _Holding, others: Iterable[_Holding]) -> pa.Table | None:
    """The rows of the wanted parts, in the order of the table, from as few intact segments as come first."""
    table = BY_NAME[wanted.segment.table]
    missing = set(wanted.parts)
    if not missing:
        return None  # what it holds is not known
    collected: list[pa.Table] = []
    # The widest first: one that became of the wanted one holds all of its rows.
    for other in sorted(others, key=lambda one: -len(one.parts & wanted.parts)):
        useful = other.parts & missing
        numbers = [part for part in useful if isinstance(part, int)]
        # Which rows were those of a segment that was pulled cannot be told once it was merged with others.
        if not useful or (not numbers and useful != other.parts):
            continue
        try:
            rows = merged(storage, table, [other.segment])
        except (DamagedStoreError, ReadFailedError):
            continue
        if numbers:
            wanted_numbers = pa.array(sorted(numbers), pa.int64())
            rows = rows.filter(pc.is_in(rows.column(COMMIT_NUMBER.name), value_set=wanted_numbers))
        collected.append(rows)
        missing -= useful
    if missing:
        return None
    names = [column.name for column in table.columns if column.name in wanted.segment.columns]
    return in_order(table, pa.concat_tables(collected)).select(names)
