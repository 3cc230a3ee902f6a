"""The rows of a store as a whole: all that was committed is there once, and what refers to something finds it.

Asked of the newest state, through DuckDB, as every other reader reads it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from integrity.merkle import root_hash
from provenance.check.findings import Finding, Kind
from provenance.check.references import KEYS, REFERENCES, doubled_sql
from provenance.history.commits import Commit, CommitKind, commit_name
from provenance.history.erased import ErasedRows, files_erased
from provenance.history.snapshot import Snapshot
from provenance.reading.views import Reading, Row

if TYPE_CHECKING:
    from provenance.store import Store

Commits = Mapping[str | None, Sequence[Commit]]
"""All commits of this store (None), and of each that it has pulled from."""
REPORT = "the segments are as they were committed, so whoever wrote them is wrong: please report it"
_MERGING = frozenset({CommitKind.COMPACT, CommitKind.ERASE})
"""Commits of these kinds bring no rows: they write rows of others anew."""
_NEVER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_RECORDS = """
SELECT commit_number, record_sha256 FROM invocations
WHERE record_sha256 IS NOT NULL AND commit_number BETWEEN $1 AND $2
ORDER BY commit_number, run NULLS LAST, job NULLS LAST, attempt NULLS LAST, record_sha256
"""
_RECORDS_AT_ONCE = 1_000_000
"""They are in memory while they are sorted."""
_NO_MORE: tuple[float, Iterator[Row]] = (math.inf, iter(()))


def examine(
    store: Store, snapshot: Snapshot, commits: Commits, sound: Collection[str], done: Callable[[int], None]
) -> Iterator[Finding]:
    """Findings about the rows of those tables that are ``sound``: whose live segments can all be read.

    ``commits`` are all of each store that there are rows of. ``done`` is told how many rows were counted.
    """
    every = list(itertools.chain.from_iterable(commits.values()))
    erased = ErasedRows.of(store.store_id, every)
    for origin, listed in commits.items():
        maker = store.store_id if origin is None else origin
        numbered = _of_origin(snapshot, origin)
        with Reading(store, numbered) as reading:
            for table in sorted(sound):
                yield from _counted(reading, table, origin, listed, partial(erased.left, maker, table))
                done(sum(segment.rows for segment in numbered.segments(table)))
            if "invocations" in sound:
                yield from _roots(reading, origin, listed)
    files = files_erased(every)
    with Reading(store, snapshot) as reading:
        for reference in REFERENCES:
            if reference.tables <= set(sound):
                yield from _found(reading, reference.sql(files), Kind.DANGLING, reference.table, reference.expected)
        for table, key in KEYS:
            if table in sound:
                expected = f"one row for each {', '.join(key)}"
                yield from _found(reading, doubled_sql(table, key), Kind.DOUBLED, table, expected)


def _of_origin(snapshot: Snapshot, origin: str | None) -> Snapshot:
    """The rows of one store, with the commit numbers of that store."""
    assert snapshot.time is not None or snapshot.number == 0
    live = [replace(segment, origin=None) for segment in snapshot.live() if segment.origin == origin]
    return Snapshot.of(snapshot.number, snapshot.time or _NEVER, live)


def _counted(
    reading: Reading, table: str, origin: str | None, commits: Iterable[Commit], left: Callable[[int, int], range]
) -> Iterator[Finding]:
    """Each commit's rows of a table are all there, whatever merged them since; ``left``: as many as erasures left."""
    expected: dict[int, int] = {}
    for commit in commits:
        if commit.kind not in _MERGING:
            for segment in commit.segments:
                if segment.table == table and segment.origin is None:
                    expected[commit.number] = expected.get(commit.number, 0) + segment.rows
    sql = f'SELECT commit_number, count(*) FROM "{table}" GROUP BY commit_number'
    found: Mapping[int, int] = dict(reading.rows(sql))
    for number in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(number, 0), found.get(number, 0)
        if there not in left(number, wanted):
            of = "" if origin is None else f" of store {origin}"
            yield Finding(Kind.MISCOUNT, table, f"{wanted} rows of commit {number}{of}", f"{there}", REPORT)


def _roots(reading: Reading, origin: str | None, commits: Iterable[Commit]) -> Iterator[Finding]:
    """The roots over invocation records can be made again from the rows."""
    for some in _some(commits):
        rows = itertools.chain.from_iterable(reading.blocks(_RECORDS, [some[0].number, some[-1].number]))
        grouped = itertools.groupby(rows, key=lambda row: int(row[0]))
        number, digests = next(grouped, _NO_MORE)
        for commit in some:
            while number < commit.number:  # of a commit that nobody knows: its rows are counted elsewhere
                number, digests = next(grouped, _NO_MORE)
            brought = [digest for _, digest in digests] if number == commit.number else []
            root = root_hash(brought).hex()
            if (len(brought), root) != (commit.records, commit.records_root):
                path = commit_name(commit.number) if origin is None else f"commit {commit.number} of store {origin}"
                expected = f"{commit.records} invocation records with root {commit.records_root}"
                yield Finding(Kind.MISCOUNT, path, expected, f"rows of {len(brought)} with root {root}", REPORT)


def _some(commits: Iterable[Commit]) -> Iterator[list[Commit]]:
    """Commits, in order, that bring about so many records together as are read at once."""
    some: list[Commit] = []
    records = 0
    for commit in commits:
        if some and records + commit.records > _RECORDS_AT_ONCE:
            yield some
            some, records = [], 0
        some.append(commit)
        records += commit.records
    if some:
        yield some


def _found(reading: Reading, sql: str, kind: Kind, table: str, expected: str) -> Iterator[Finding]:
    ((count, samples),) = reading.rows(sql)
    if count:
        shown = ", ".join(samples) + (", ..." if count > len(samples) else "")
        without = "without" if kind is Kind.DANGLING else "too many"
        yield Finding(kind, table, expected, f"{count} {without}: {shown}", REPORT)
