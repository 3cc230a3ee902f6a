"""Rows of another store on their way into this one: its segments as they are, or what is new here of them.

Nothing that the other store says of a segment is taken on trust: digest, size, columns, counts and bounds are compared
with its bytes before anything of it is written, and the rows of each commit are counted. What this store then says of
a segment is what was counted here. A segment that a pull which was interrupted left is found again by its name, which
ends in its digest.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance.errors import NOT_THERE, DamagedStoreError, ReadFailedError, UnsupportedStoreError
from provenance.exchange.chains import documents_of
from provenance.history.commits import Commit, Segment, decode
from provenance.history.erased import ErasedRows, RowsOf
from provenance.publishing.publication import named_for
from provenance.schema import BY_NAME, COMMIT_NUMBER, Table
from provenance.segments.arrow import in_order
from provenance.segments.damage import intact
from provenance.segments.described import counted, differences, misshapen
from provenance.segments.segment_files import FOLDER, decoded, path_of, write

if TYPE_CHECKING:
    from provenance.exchange.chains import Chain
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Advance = Callable[[int], object]
"""Told how many bytes were read or found to be here since it was told last."""

_LEFT = re.compile(r"segments/([a-z_]+)/(?:([0-9]{12})-[0-9a-f]{16}-)?([0-9a-f-]{36}-[0-9a-f]{64})\.parquet")
"""A segment that was copied as a whole: table, number of the commit that it was meant for, store and digest. Older
versions did not say the number; what they left is never taken for a commit under that name again.
"""
_CHECK_THERE = "`pirene store check` there says what is wrong"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A segment of the other store with rows of ``maker`` that are new here: those of commits after ``known``."""

    segment: Segment
    maker: str
    known: int

    @property
    def is_whole(self) -> bool:
        """Whether all of its rows are new."""
        return self.segment.first_commit > self.known


@dataclass(frozen=True, slots=True)
class Made:
    """A segment of this store with rows of another, and how many of them are of which commit there."""

    segment: Segment
    rows: Mapping[int, int]


def wanted_segments(other: Store, theirs: Snapshot, chains: Sequence[Chain]) -> list[Wanted]:
    """The live segments of ``other`` with rows that the chains brought, in the order in which they came."""
    by_maker = {chain.store: chain for chain in chains}
    found: list[Wanted] = []
    for table in theirs.tables():
        for segment in theirs.segments(table):
            chain = by_maker.get(segment.origin or other.store_id)
            if chain is not None and segment.last_commit >= chain.first:
                found.append(Wanted(segment, chain.store, chain.first - 1))
    return found


class Copies:
    """The segments that one attempt to pull makes in ``store``, for the commit of a number and a nonce."""

    def __init__(self, store: Store, other: Store, number: int, nonce: str) -> None:
        self._store = store
        self._other = other
        self._name = f"{number:012d}-{nonce}"
        self._left: dict[tuple[str, str], list[str]] = {}
        self._used: list[str] = []
        self.made: list[Made] = []
        for stored in store.storage.stored(FOLDER):
            if found := _LEFT.fullmatch(stored.name):
                self._left.setdefault((found[1], found[3]), []).append(stored.name)

    def make(self, wanted: Sequence[Wanted], advance: Advance) -> None:
        """Make a segment of this store of the new rows of each. Raises DamagedStoreError, ReadFailedError,
        UnsupportedStoreError or WriteFailedError.
        """
        self._store.storage.prepare(FOLDER, sorted({each.segment.table for each in wanted}))
        for each in wanted:
            self.made.append(self._copy(each) if each.is_whole else self._part(each))
            advance(each.segment.size)

    def for_commit(self, number: int) -> bool:
        """Give the segments names for the commit of another number; False if one of them is gone."""
        segments = named_for(self._store.storage, [made.segment for made in self.made], number)
        if segments is None:
            return False
        self.made = [replace(made, segment=segment) for made, segment in zip(self.made, segments, strict=True)]
        return True

    def discard(self, *, keep_whole: bool) -> None:
        """Remove them; ``keep_whole``: not those that the next pull can go on with."""
        for made in self.made:
            if not (keep_whole and _LEFT.fullmatch(made.segment.path)):
                self._store.storage.remove(made.segment.path)

    def published(self, number: int) -> None:
        """Commit ``number`` has them: remove what earlier pulls left of them, unless its own commit may still come."""
        for name in self._used:
            found = _LEFT.fullmatch(name)
            if found is not None and found[2] is not None and int(found[2]) <= number:
                self._store.storage.remove(name)

    def _copy(self, wanted: Wanted) -> Made:
        segment = wanted.segment
        content = f"{wanted.maker}-{segment.sha256}"  # two stores may well have segments of the same bytes
        path = path_of(segment.table, f"{self._name}-{content}")
        source, data = self._found(segment, content)
        made = self._checked(wanted, data)
        # A second name, and not that one: whoever left it may be about to remove it.
        if source is None or not self._store.storage.link(source, path):
            self._store.storage.write(path, data)
        else:
            self._used.append(source)
        return replace(made, segment=replace(made.segment, path=path))

    def _found(self, segment: Segment, content: str) -> tuple[str | None, bytes]:
        """The bytes of a segment: the name of a file here that has them, if one was left, else from the other store."""
        for name in self._left.get((segment.table, content), ()):
            try:
                data = self._store.storage.read(name, segment.size)
            except (*NOT_THERE, ReadFailedError):
                continue
            if hashlib.sha256(data).hexdigest() == segment.sha256:
                return name, data
        return None, intact(self._other.storage, segment)

    def _part(self, wanted: Wanted) -> Made:
        data = intact(self._other.storage, wanted.segment)
        made = self._checked(wanted, data)
        table = BY_NAME[made.segment.table]
        rows = decoded(table, data)
        new = in_order(table, rows.filter(pc.greater(rows.column(COMMIT_NUMBER.name), wanted.known)))
        segment = write(self._store.storage, table, new, f"{self._name}-{len(self.made)}")
        numbers = {number: count for number, count in made.rows.items() if number > wanted.known}
        return Made(replace(segment, origin=wanted.maker), numbers)

    def _checked(self, wanted: Wanted, data: bytes) -> Made:
        """The segment as its bytes are. Raises DamagedStoreError if the other store says otherwise, and
        UnsupportedStoreError for what this version does not know.
        """
        segment, place = wanted.segment, self._other.storage.where(wanted.segment.path)
        table = BY_NAME.get(segment.table)
        if table is None:
            raise _newer(f"{place}: a segment of a table {segment.table!r}")
        try:
            return Made(*_counted(replace(segment, origin=wanted.maker), table, place, data))
        except (pa.ArrowException, OSError) as error:
            text = " ".join(str(error).split())
            raise DamagedStoreError(f"{place}: no segment of {segment.table}: {text}", hint=_CHECK_THERE) from error


def check_counts(other: Store, theirs: Snapshot, chains: Sequence[Chain], made: Sequence[Made]) -> None:
    """Raise DamagedStoreError unless the segments hold the rows of each commit that the chains brought: just those, but
    for as many as commits say were erased.
    """
    expected: Counter[RowsOf] = Counter()
    found: Counter[RowsOf] = Counter()
    for chain in chains:
        for commit in chain.facts():
            for each in commit.segments:
                expected[chain.store, each.table, commit.number] += each.rows
    for one in made:
        segment = one.segment
        found.update({(str(segment.origin), segment.table, number): rows for number, rows in one.rows.items()})
    if expected == found and not theirs.rewritten:
        return  # else rows may be there that were erased
    erased = ErasedRows.of(other.store_id, _all_commits(other, theirs))
    for key in sorted(expected.keys() | found.keys()):
        maker, table, number = key
        if found[key] not in erased.left(maker, table, number, expected[key]):
            raise DamagedStoreError(
                f"{other.storage.location}: commit {number} of store {maker} brought {expected[key]} rows of {table}, "
                f"found {found[key]}",
                hint=_CHECK_THERE,
            )


def _all_commits(other: Store, theirs: Snapshot) -> Iterator[Commit]:
    """All that a store has, its own and pulled ones."""
    pulled = (
        decode(data, f"{other.storage.location}: a commit of store {maker}")
        for maker in theirs.foreign.stores()
        for data in documents_of(other, theirs, maker, 1, theirs.foreign.known(maker))
    )
    return itertools.chain(other.all_commits(), pulled)


def _counted(segment: Segment, table: Table, place: str, data: bytes) -> tuple[Segment, Mapping[int, int]]:
    """A segment as it was counted, and its rows by commit."""
    file = pq.ParquetFile(pa.BufferReader(data))
    wrong = misshapen(segment, table, file.schema_arrow)
    if wrong is not None and wrong.is_newer:
        raise _newer(f"{place}: a column {wrong.found!r} of {table.name}")
    if wrong is not None:
        raise DamagedStoreError(f"{place}: expected {wrong.expected}, found {wrong.found}", hint=_CHECK_THERE)
    found = counted(table, file)
    for one in itertools.chain(differences(segment, table, file.metadata, found), found.false_bounds):
        raise DamagedStoreError(
            f"{place}: expected {one.what} {one.stated}, as is said of it; found {one.found}", hint=_CHECK_THERE
        )
    numbers = file.read(columns=[COMMIT_NUMBER.name]).column(0)
    if numbers.null_count:
        raise DamagedStoreError(f"{place}: expected a commit for each row, found null", hint=_CHECK_THERE)
    rows = {each["values"]: each["counts"] for each in pc.value_counts(numbers).to_pylist()}
    return replace(segment, columns=found.columns), rows


def _newer(what: str) -> UnsupportedStoreError:
    return UnsupportedStoreError(f"{what}, which this version does not know", hint="install a newer pirene")
