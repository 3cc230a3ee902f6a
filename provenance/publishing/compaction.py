"""Compaction: small segments become one, and every answer stays what it was.

Rows keep the number of the commit that brought them, so questions as of an earlier commit are answered from the merged
segment alike; that number is one of the store that a row comes from, so rows of different stores stay apart. What was
merged stays on disk: readers of older snapshots go on with it, and the log can still prove it.
Compactions that race with each other or with writers are safe without locks: one that finds a segment of its own
replaced by somebody else leaves that table alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from provenance.errors import NotWrittenError, StoreError
from provenance.history.commits import Commit, CommitKind, Segment, publish
from provenance.history.snapshot import Snapshot
from provenance.publishing.publication import named_for, new_nonce, next_commit
from provenance.publishing.turns import turn
from provenance.schema import BY_NAME
from provenance.segments.damage import erasure_named

if TYPE_CHECKING:
    from provenance.store import Store

SMALL_BYTES = 32 << 20
"""A segment below this is worth merging; opening it costs as much as reading it."""
SMALL_ROWS = 1_000_000
"""With so many rows, ten row groups, a segment is not small however well it compresses."""
MERGE_BYTES = 128 << 20
MERGE_ROWS = 2_000_000
"""At most so much goes into one segment: its rows are in memory while they are sorted, which takes below 1 GB."""
MANY = 64
"""More small segments of a table than this slow every query: the store then merges them by itself."""
FEW = 8
"""So many segments of about one size become one at the end of a run: queries open few files, and a row is written again
only when its segment grows eightfold."""
CARE_ROWS = 400_000
CARE_BYTES = 16 << 20
CARE_SEGMENTS = 256
"""At most so much is merged at once when nobody asked for it, of all tables together: a writer waits for that, and it
takes below a second."""
CARE_FEWEST = 4
"""Merging fewer of a table is not worth a writer's time. Those that are left grow to 100 000 rows at least."""
CARE_INTERVAL = 16
"""The writer of every 16th commit, and of every pull, looks whether there are too many: one of several, and rarely.
Every 8th does when there are twice as many, and so on: what one may merge may be less than what 16 bring."""


@dataclass(frozen=True, slots=True)
class _Merge:
    """Segments of one table, and the one that holds the rows of them all."""

    old: tuple[Segment, ...]
    new: Segment


def is_due(made: Commit, snapshot: Snapshot) -> bool:
    """Whether whoever made this commit should compact the store now."""
    if made.kind is CommitKind.COMPACT:
        return False
    is_regular = made.number % CARE_INTERVAL == 0 or made.kind is CommitKind.PULL
    if not is_regular and all(len(snapshot.segments(table)) < 2 * MANY for table in snapshot.tables()):
        return False  # without a look at each of them, which every commit would pay for
    most = max((len(small) for small in _small(snapshot).values()), default=0)
    interval = max(1, CARE_INTERVAL >> max(0, most // MANY - 1))
    return most > MANY and (made.number % interval == 0 or made.kind is CommitKind.PULL)


def compact(store: Store, *, run: int | None = None) -> Commit | None:
    """Merge small segments: those that came since ``run`` was planned, with those of earlier runs where there are
    many; or all. See `Store.compact`.
    """
    snapshot = store.snapshot()
    first = 1 if run is None else _planned_at(store, run)
    return _merge(store, snapshot, [_chosen(snapshot, small, first) for small in _small(snapshot).values()])


def relieve(store: Store) -> Commit | None:
    """Merge small segments of tables that have too many, as much as a writer may wait for. Errors as of `compact`."""
    snapshot = store.snapshot()
    many = [small for small in _small(snapshot).values() if len(small) > MANY]
    return _merge(store, snapshot, _affordable(sorted(many, key=len, reverse=True)))


def _merge(store: Store, snapshot: Snapshot, chosen: Sequence[Sequence[Segment]]) -> Commit | None:
    """Merge segments, those of one table and store at a time."""
    nonce = new_nonce()
    merges: list[_Merge] = []
    try:
        for old in (group for segments in chosen for group in _groups(segments)):
            name = f"{snapshot.number + 1:012d}-{nonce}-{len(merges)}"
            with erasure_named(store.storage, snapshot):
                merges.append(_merged(store, old, name))
    except StoreError:
        _remove(store, merges)
        raise
    if not merges:
        return None
    with turn(store.storage, soon=True):
        return _publish(store, merges, nonce)


def _publish(store: Store, merges: Sequence[_Merge], nonce: str) -> Commit | None:
    """Make those merges visible whose segments nobody else has replaced meanwhile; the others go."""
    while True:
        snapshot = store.snapshot()
        overtaken = [merge for merge in merges if not all(snapshot.is_live(segment) for segment in merge.old)]
        _remove(store, overtaken)
        merges = _for_commit(store, [merge for merge in merges if merge not in overtaken], snapshot.number + 1)
        if not merges:
            return None
        commit = next_commit(
            store,
            snapshot,
            CommitKind.COMPACT,
            nonce,
            [merge.new for merge in merges],
            replaces=[segment.path for merge in merges for segment in merge.old],
        )
        try:
            if publish(store.storage, commit):
                store.follow(commit)
                return commit
        except NotWrittenError:
            _remove(store, merges)
            raise


def _for_commit(store: Store, merges: Sequence[_Merge], number: int) -> list[_Merge]:
    """The merges with files named for the commit of this number; none if one of them was removed meanwhile."""
    named = named_for(store.storage, [merge.new for merge in merges], number)
    if named is None:
        _remove(store, merges)
        return []
    return [replace(merge, new=new) for merge, new in zip(merges, named, strict=True)]


def _remove(store: Store, merges: Sequence[_Merge]) -> None:
    """Remove what was merged: no commit names it and none ever will."""
    from provenance.segments.segment_files import remove

    remove(store.storage, [merge.new for merge in merges])


def _merged(store: Store, old: Sequence[Segment], name: str) -> _Merge:
    from provenance.segments.segment_files import merged, write

    table, origin = BY_NAME[old[0].table], old[0].origin
    rows = merged(store.storage, table, old)
    return _Merge(tuple(old), replace(write(store.storage, table, rows, name), origin=origin))


def _small(snapshot: Snapshot) -> dict[tuple[str, str | None], list[Segment]]:
    """Small segments by table and by the store that their rows come from.

    Not those of tables or columns that only a newer version knows: merged by this one they would lose them.
    """
    found: dict[tuple[str, str | None], list[Segment]] = {}
    for table in snapshot.tables():
        for segment in snapshot.segments(table):
            if segment.size < SMALL_BYTES and segment.rows < SMALL_ROWS and _is_known(segment):
                found.setdefault((table, segment.origin), []).append(segment)
    return found


def _is_known(segment: Segment) -> bool:
    table = BY_NAME.get(segment.table)
    return table is not None and segment.columns.keys() <= {column.name for column in table.columns}


def _chosen(snapshot: Snapshot, small: Sequence[Segment], first: int) -> list[Segment]:
    """Those with rows since commit ``first`` only, and older ones not much larger as soon as there are FEW of them."""
    chosen = [segment for segment in small if snapshot.came(segment) >= first]
    rest = [segment for segment in small if snapshot.came(segment) < first]
    while chosen:
        much_larger = FEW * sum(segment.size for segment in chosen)
        alike = [segment for segment in rest if segment.size < much_larger]
        if len(alike) + 1 < FEW:
            break
        rest = [segment for segment in rest if segment not in alike]
        chosen = [segment for segment in small if segment not in rest]
    return chosen


def _affordable(tables: Sequence[Sequence[Segment]]) -> list[list[Segment]]:
    """Of each table, small ones first, segments of about one size, until all come to what is merged at once.

    A row is so written again only when its segment grows, not whenever a few others come.
    """
    rows, size, count = CARE_ROWS, CARE_BYTES, CARE_SEGMENTS
    found = []
    for segments in tables:
        for alike in _by_size(segments):
            chosen = _fitting(alike, rows, size, count)
            if len(chosen) >= CARE_FEWEST:
                found.append(chosen)
                rows -= sum(one.rows for one in chosen)
                size -= sum(one.size for one in chosen)
                count -= len(chosen)
    return found


def _by_size(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments with up to 7 rows, up to 63, and so on."""
    found: dict[int, list[Segment]] = {}
    for segment in segments:
        found.setdefault(len(f"{segment.rows:o}"), []).append(segment)
    return [found[digits] for digits in sorted(found)]


def _fitting(segments: Sequence[Segment], rows: int, size: int, count: int) -> list[Segment]:
    """The first of some segments that have no more than so many rows and bytes together, and are no more."""
    all_rows = accumulate(segment.rows for segment in segments)
    all_sizes = accumulate(segment.size for segment in segments)
    listed = zip(segments[:count], all_rows, all_sizes, strict=False)
    return [segment for segment, r, s in listed if r <= rows and s <= size]


def _groups(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments that may become one, in the order in which they came; what would stay alone is left out."""
    groups: list[list[Segment]] = [[]]
    for segment in segments:
        group = [*groups[-1], segment]
        if sum(each.size for each in group) > MERGE_BYTES or sum(each.rows for each in group) > MERGE_ROWS:
            groups.append([segment])
        else:
            groups[-1] = group
    return [group for group in groups if len(group) > 1]


def _planned_at(store: Store, run: int) -> int:
    """The commit that brought the run; the next one if the store does not know it, so that nothing came since."""
    (number,) = store.rows("SELECT min(commit_number) FROM workflows WHERE run = ?", [run], tables=["workflows"])[0]
    return int(str(number)) if number is not None else store.snapshot().number + 1
