"""Rows of another store on their way into this one: its segments as they are, or what is new here of them.

Each segment is compared with its digest, its columns, its count and its commits before anything of it is written. One
that was written before a pull was interrupted is found again by its name, which has its digest.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance.arrow import arrow_schema
from provenance.commits import CommitKind, Segment
from provenance.damage import damage_named, intact
from provenance.errors import NOT_THERE, DamagedStoreError, ReadFailedError, UnsupportedStoreError
from provenance.orphans import SAFE_AGE
from provenance.schema import BY_NAME, COMMIT_NUMBER
from provenance.segments import FOLDER, merged, write

if TYPE_CHECKING:
    from provenance.chains import Chain
    from provenance.snapshot import Snapshot
    from provenance.storage.interface import Stored
    from provenance.store import Store

Advance = Callable[[int], object]
"""Told how many bytes were read or found to be here since it was told last."""


_ATTEMPT = ("run", "job", "attempt")
"""The key of an invocation record."""


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
    """The segments that one attempt to pull made, or found, in ``store``.

    ``name`` tells the segments that it has to write anew from those of every other attempt.
    """

    def __init__(self, store: Store, other: Store, name: str) -> None:
        self._store = store
        self._other = other
        self._name = name
        self._there: Mapping[str, Stored] = {stored.name: stored for stored in store.storage.stored(FOLDER)}
        self._anew: list[Segment] = []

    def make(self, wanted: Sequence[Wanted], advance: Advance) -> list[Segment]:
        """The new rows of each as a segment of this store. Raises DamagedStoreError, UnsupportedStoreError or
        WriteFailedError; what was copied as it was then stays, for the next attempt.
        """
        self._store.storage.prepare(FOLDER, sorted({each.segment.table for each in wanted}))
        made: list[Segment] = []
        for each in wanted:
            made.append(self._copy(each) if each.is_whole else self._part(each))
            advance(each.segment.size)
        return made

    def discard(self) -> None:
        """Remove what was written anew: no commit names it and none ever will."""
        for segment in self._anew:
            self._store.storage.remove(segment.path)
        self._anew.clear()

    def _copy(self, wanted: Wanted) -> Segment:
        segment = wanted.segment
        # The maker is part of the name: two stores may well have segments of the same bytes.
        path = f"{FOLDER}/{segment.table}/{wanted.maker}-{segment.sha256}.parquet"
        if not self._is_there(path, segment):
            data = intact(self._other.storage, segment)
            self._check(wanted, data)
            self._store.storage.write(path, data)
        return replace(segment, path=path, origin=wanted.maker)

    def _is_there(self, path: str, segment: Segment) -> bool:
        """Whether an attempt that was interrupted left it, whole, and nobody is about to take it for an orphan."""
        found = self._there.get(path)
        if found is None or found.size_bytes != segment.size:
            return False
        if found.modified < dt.datetime.now(dt.UTC) - SAFE_AGE / 2:
            return False
        try:
            data = self._store.storage.read(path, segment.size)
        except (*NOT_THERE, ReadFailedError):
            return False
        return hashlib.sha256(data).hexdigest() == segment.sha256

    def _part(self, wanted: Wanted) -> Segment:
        table = BY_NAME[self._check(wanted, intact(self._other.storage, wanted.segment))]
        rows = merged(self._other.storage, table, [wanted.segment])
        new = rows.filter(pc.greater(rows.column(COMMIT_NUMBER.name), wanted.known))
        name = f"{self._name}-{len(self._anew)}"
        segment = replace(write(self._store.storage, table, new, name), origin=wanted.maker)
        self._anew.append(segment)
        return segment

    def _check(self, wanted: Wanted, data: bytes) -> str:
        """The segment's table, if the bytes hold what the other store says of them, in columns that this one knows."""
        segment, place = wanted.segment, self._other.storage.where(wanted.segment.path)
        if segment.table not in BY_NAME:
            raise UnsupportedStoreError(
                f"{place}: a segment of a table {segment.table!r}, which this version does not know",
                hint="install a newer pirene",
            )
        try:
            found = pq.ParquetFile(pa.BufferReader(data))
            schema = found.schema_arrow
            numbers = pc.min_max(found.read([COMMIT_NUMBER.name]).column(0)).as_py()
        except (pa.ArrowException, KeyError) as error:
            raise DamagedStoreError(f"{place}: no segment of {segment.table}: {error}") from error
        _check_columns(place, segment.table, schema)
        described = (segment.rows, segment.first_commit, segment.last_commit)
        if (found.metadata.num_rows, numbers["min"], numbers["max"]) != described:
            raise DamagedStoreError(
                f"{place}: expected {segment.rows} rows of commits {segment.first_commit} to {segment.last_commit}, "
                f"found {found.metadata.num_rows} of {numbers['min']} to {numbers['max']}"
            )
        return segment.table


def check_counts(other: Store, chains: Sequence[Chain], made: Sequence[Segment]) -> None:
    """Raise DamagedStoreError unless the segments hold all rows that the chains brought: fewer where there were
    erasures, and never more.
    """
    for chain in chains:
        found = Counter[str]()
        for segment in made:
            if segment.origin == chain.store:
                found[segment.table] += segment.rows
        for table, expected in sorted(chain.rows().items()):
            if found[table] > expected or (found[table] < expected and not _erased_some(other, chains)):
                raise DamagedStoreError(
                    f"{other.storage.location}: commits {chain.first} to {chain.last} of store {chain.store} brought "
                    f"{expected} rows of {table}, found {found[table]}",
                    hint="`pirene store check` there says what is wrong",
                )


def taken_in_twice(store: Store, snapshot: Snapshot, made: Sequence[Segment]) -> list[int]:
    """Runs of which the new segments of a pull have attempts that another of them, or the store itself, has too."""
    found = [segment for segment in made if segment.table == "invocations"]
    if not found:
        return []
    attempt = ", ".join(_ATTEMPT)
    with store.connect() as connection, damage_named(store.storage, snapshot):
        for number, segment in enumerate(found):
            data = pa.BufferReader(intact(store.storage, segment))
            connection.register(f"made{number}", pq.read_table(data, columns=list(_ATTEMPT)))
        store.define(connection, ["invocations"], snapshot)
        brought = " UNION ALL ".join(f"SELECT DISTINCT {attempt} FROM made{number}" for number in range(len(found)))
        there = f"SELECT DISTINCT {attempt} FROM invocations WHERE run IN (SELECT run FROM brought)"
        rows = connection.execute(
            f"WITH brought AS ({brought}), several AS (FROM brought UNION ALL {there}) "
            f"SELECT DISTINCT run FROM several WHERE run IS NOT NULL GROUP BY {attempt} HAVING count(*) > 1"
        ).fetchall()
    return sorted(run for (run,) in rows)


def _erased_some(other: Store, chains: Sequence[Chain]) -> bool:
    """Whether anybody erased rows, the other store those of a third one included."""
    commits = itertools.chain.from_iterable((other.commits(), *(each.commits for each in chains)))
    return any(commit.kind is CommitKind.ERASE for commit in commits)


def _check_columns(place: str, table: str, schema: pa.Schema) -> None:
    known = arrow_schema(BY_NAME[table])
    for field in schema:
        if field.name not in known.names:
            raise UnsupportedStoreError(
                f"{place}: a column {field.name!r} of {table}, which this version does not know",
                hint="install a newer pirene",
            )
        if not field.type.equals(known.field(field.name).type):
            raise DamagedStoreError(
                f"{place}: column {field.name!r}: expected {known.field(field.name).type}, found {field.type}"
            )
