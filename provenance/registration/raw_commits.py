"""What was read of files on its way into the store, in commits of bounded size.

Up to COMMIT_FILES files, with COMMIT_VALUES values of metadata, are one commit; more are several, one right after the
other, so that rows of so many, and not of all, are in memory while they are sorted and written. Who is killed between
two of them has registered the files that came first, and registers all of them again: what is known is not said twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from provenance.copies.replicas import SEEN_BAD, Replica, last_holders
from provenance.history.commits import Commit, CommitKind
from provenance.identity import FileId
from provenance.registration.packed import Packed
from provenance.registration.registration import Registration, register
from provenance.segments.batch import Batch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

COMMIT_FILES = 100_000
COMMIT_VALUES = 500_000

Entries = Packed[tuple[str | None, Registration]]
"""Path (None: not on this machine) and registration of each file; each URL once."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of the next few entries: the commit (None: nothing was to be said), which files they are, and the
    URLs of those that were found bad or missing before and stay that, for they were declared and not read.
    """

    commit: Commit | None
    files: Sequence[FileId]
    not_believed: Sequence[str]


def commit_all(
    store: Store,
    entries: Entries,
    source: int,
    *,
    author: str | None,
    base: Snapshot,
    holders: Mapping[str, Replica] | None,
) -> Iterator[Committed]:
    """Commit entries as files of ``source``, a portion each time. ``base`` is the state that the first portion goes by,
    ``holders`` what it knows of all URLs, for whoever has asked already. Errors as of `Store.commit`.
    """
    at = dt.datetime.now(dt.UTC)
    portions = list(_portions(entries))
    new = 0
    for start, stop in portions:
        if start:  # not after the last: nothing may fail when all is committed
            base = store.snapshot()
        made = _committed(
            store,
            partial(_registrations, entries, start, stop),
            (source, new, at, author),
            base,
            holders if len(portions) == 1 else None,
        )
        yield made
        new += sum(file[0] == source for file in made.files)


def _portions(entries: Entries) -> Iterator[tuple[int, int]]:
    """From where to where entries go into one commit."""
    start = values = 0
    for position, (_, entry) in enumerate(entries):
        if position - start == COMMIT_FILES or values >= COMMIT_VALUES:
            yield start, position
            start, values = position, 0
        values += sum(len(value) if isinstance(value, tuple) else 1 for value in entry.metadata.values())
    if start < len(entries):
        yield start, len(entries)


def _registrations(entries: Entries, start: int, stop: int) -> Iterator[Registration]:
    return (entry for _, entry in entries.between(start, stop))


def _committed(
    store: Store,
    entries: Callable[[], Iterator[Registration]],
    said: tuple[int, int, dt.datetime, str | None],
    base: Snapshot,
    asked: Mapping[str, Replica] | None,
) -> Committed:
    """Commit some entries. ``said``: source, ordinal of the first new file, when, and by whom."""
    source, first, at, author = said
    files: list[FileId] = []
    bad: list[str] = []

    def rows(state: Snapshot, known: Mapping[str, Replica] | None = None) -> Batch:
        batch = Batch()
        if known is None:
            known = last_holders(store, [entry.url for entry in entries()], snapshot=state)
        files[:] = register(
            store,
            batch,
            source,
            entries(),
            at=at,
            author=author,
            first=first,
            snapshot=state,
            holders=known,
        )
        bad[:] = _unread_and_bad(entries(), files, known)
        return batch

    commit = store.commit(
        CommitKind.REGISTER,
        rows(base, asked),
        author=author,
        rebase=lambda newest, _: rows(newest),
        base=base,
    )
    return Committed(commit, files, bad)


def _unread_and_bad(
    entries: Iterator[Registration], files: Sequence[FileId], holders: Mapping[str, Replica]
) -> Iterator[str]:
    if not any(holder.state in SEEN_BAD for holder in holders.values()):
        return
    for entry, file in zip(entries, files, strict=True):
        holder = holders.get(entry.url)
        if entry.stat is None and holder is not None and holder.id == file and holder.state in SEEN_BAD:
            yield entry.url
