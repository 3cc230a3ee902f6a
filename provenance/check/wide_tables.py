"""Wide tables: are their files as recorded, and do their rows say what the tables say?

Nothing that is true depends on them, but queries believe them. So every byte is read, and every row is compared with
what the tables say as of the commit that it was made after. Which value of a key is the current one is told here once
more, in other words than those that wide tables are made by.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.answers.entities import WIDE
from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.check.wide_rows import Comparison
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.history import derived
from provenance.history.canonical import seal_holds
from provenance.storage.recorded import difference
from provenance.wide import wide

if TYPE_CHECKING:
    from provenance.history.commits import Segment
    from provenance.history.snapshot import Snapshot
    from provenance.storage.interface import Storage
    from provenance.store import Store
    from query.vocabulary import EntityTable

ADVICE = "`pirene store check --repair` removes it and makes it anew; queries believe it until then"
_PASSED_OVER = "`pirene store check --repair` removes it and makes it anew; queries pass it over"


def rows(store: Store) -> int:
    """How many rows all wide tables have together."""
    names = [name for table in WIDE for name in wide.names(store.storage, table)]
    return sum(found.rows for name in names if (found := wide.said(store.storage, store.store_id, name)) is not None)


def examine(
    store: Store, snapshot: Snapshot, unsound: frozenset[str], done: Callable[[int], None]
) -> Iterator[Finding]:
    """Findings about all wide tables of versions like this one. The rows of those that queries use are compared with
    the tables, unless segments of these cannot be trusted (``unsound``). ``done`` is told how many rows were read.
    """
    for table in WIDE:
        for name in wide.names(store.storage, table):
            path = f"{wide.FOLDER}/{name}"
            try:
                store.storage.read(path)  # queries pass over what cannot be read; a check says so
            except NOT_THERE:
                continue  # it was made anew meanwhile
            except ReadFailedError as error:
                yield not_read(store.storage, path, "a wide table", error, _PASSED_OVER)
                continue
            findings = list(_examine(store, snapshot, table, name, unsound, done))
            if derived.content_of(store.storage, path) is not None:  # else it was made anew meanwhile
                yield from findings


def _examine(
    store: Store,
    snapshot: Snapshot,
    table: EntityTable,
    name: str,
    unsound: frozenset[str],
    done: Callable[[int], None],
) -> Iterator[Finding]:
    """One wide table. One made after a commit that is later than ``snapshot`` was made during the check."""
    path = f"{wide.FOLDER}/{name}"
    if _is_of_another_version(store.storage, path):
        return
    said = wide.said(store.storage, store.store_id, name)
    if said is None:
        expected = "what was sealed, made after a commit of this store"
        yield Finding(Kind.STALE, path, expected, "something else", _PASSED_OVER)
    elif said.number < snapshot.rewritten:
        expected = f"what was made after commit {snapshot.rewritten}, which put other rows in the place of earlier ones"
        yield Finding(Kind.STALE, path, expected, f"the rows as of commit {said.number}", _PASSED_OVER)
    elif (
        said.made_by != wide.made_by(table, said.columns())
        or said.number > snapshot.number
        or unsound.intersection(wide.sources(table))
    ):
        for part in said.parts:
            yield from _read(store.storage, part)[1]
            done(part.rows)
    else:
        with Comparison(store, snapshot.at(said.number), table, said) as comparison:
            yield from _compared(store.storage, comparison, path, done)


def _compared(storage: Storage, comparison: Comparison, path: str, done: Callable[[int], None]) -> Iterator[Finding]:
    """Findings about a wide table that queries use; beyond a part that cannot be trusted only bytes are looked at."""
    is_whole = True
    for part in comparison.wide.parts:
        found, findings = _read(storage, part)
        yield from findings
        if found is None:
            is_whole = False
        elif is_whole and (differences := comparison.part(found, is_last=part is comparison.wide.parts[-1])):
            yield Finding(Kind.MALFORMED, part.path, "what the tables say", differences, ADVICE)
        done(part.rows)
    if is_whole and (differences := comparison.counts()):
        yield Finding(Kind.MALFORMED, path, "counts of keys as the tables have them", differences, ADVICE)


def _read(storage: Storage, part: Segment) -> tuple[pa.Table | None, list[Finding]]:
    """The rows of a file that is as recorded; else what is wrong with it."""
    try:
        data = storage.read(part.path, part.size)
    except UNREAD as error:
        finding = not_read(storage, part.path, f"{part.size} bytes", error, _PASSED_OVER)
        return None, [
            Finding(Kind.STALE, finding.path, finding.expected, finding.found, finding.advice)
            if finding.kind is Kind.MISSING
            else finding
        ]
    differs = difference(data, part)
    if differs is not None:
        expected = f"{part.size} bytes with sha256 {part.sha256}"
        return None, [Finding(Kind.CHANGED, part.path, expected, differs, ADVICE)]
    try:
        found = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        return None, [Finding(Kind.MALFORMED, part.path, "Parquet", " ".join(str(error).split()), ADVICE)]
    if found.num_rows != part.rows:
        return None, [Finding(Kind.MALFORMED, part.path, f"{part.rows} rows", f"{found.num_rows}", ADVICE)]
    return found, []


def _is_of_another_version(storage: Storage, path: str) -> bool:
    """Whether a version of Pirene made it that makes other wide tables."""
    data = derived.content_of(storage, path)
    return data is not None and seal_holds(data) and json.loads(data).get("version") != wide.VERSION
