"""The commits of a store, read one by one: each for itself, and whether each follows from those before it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.errors import DamagedStoreError
from provenance.history.canonical import canonical, seal_holds
from provenance.history.commits import FOLDER, Commit, CommitKind, Segment, commit_name, decode, numbers_in, time_text

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

RESTORE = "restore it from a backup or a copy of the store"
COPY_AGAIN = (
    "restore it from a backup; if this store was copied while others wrote to its original, copy the original over it"
    " once more"
)
_EXPECTED = "a commit, as the newest is this or a later one"
_OWN_ROWS = frozenset(CommitKind) - {CommitKind.COMPACT, CommitKind.ERASE, CommitKind.PULL}
"""Commits of these kinds bring rows of their own and no others."""


@dataclass(frozen=True, slots=True)
class History:
    """The commits that can be read, in order. ``whole``: all of them can, so that what they add up to is known."""

    commits: tuple[Commit, ...]
    findings: tuple[Finding, ...]
    whole: bool


def read_history(storage: Storage, store: str | None) -> History:
    """Read all commits of the store with this id (None: of whichever store the first of them names).

    Raises UnsupportedStoreError for one of a newer format: a check by an older version would prove nothing.
    """
    try:
        numbers = numbers_in(storage)
    except UNREAD as error:
        return History((), (not_read(storage, FOLDER, "a folder", error, RESTORE),), whole=False)
    commits: list[Commit] = []
    findings: list[Finding] = []
    next_number = 1
    for number, read in zip(numbers, storage.together(partial(_read, storage), numbers), strict=True):
        findings += _gap(next_number, number)
        next_number = number + 1
        if isinstance(read, Finding):
            findings.append(read)
        else:
            commits.append(read)
    whole = not findings
    if store is None and commits:
        store = commits[0].store
    findings += [finding for commit in commits if (finding := _of_another(commit, store))]
    findings += _in_order(commits)
    findings += _segments(commits, whole)
    return History(tuple(commits), tuple(findings), whole)


def _read(storage: Storage, number: int) -> Commit | Finding:
    path = commit_name(number)
    try:
        data = storage.read(path)
    except UNREAD as error:
        return not_read(storage, path, _EXPECTED, error, COPY_AGAIN)
    try:
        commit = decode(data, storage.where(path))
    except DamagedStoreError as error:
        # A seal that holds says that nobody changed these bytes: then they were written as no commit is.
        kind = Kind.MALFORMED if seal_holds(data) else Kind.CHANGED
        expected = "a commit" if kind is Kind.MALFORMED else "a commit as it was sealed"
        return Finding(kind, path, expected, str(error).removeprefix(f"{storage.where(path)}: "), RESTORE)
    if commit.number != number:
        return Finding(Kind.MALFORMED, path, f"commit {number}", f"commit {commit.number}", RESTORE)
    if canonical(json.loads(data)) != data:
        return Finding(Kind.MALFORMED, path, "canonical JSON", "other spaces, keys or numbers", RESTORE)
    return commit


def _gap(first: int, end: int) -> Iterator[Finding]:
    """The commits that are not there, up to one that is, as one finding: a file of any number may lie there."""
    if first < end:
        more = "" if first == end - 1 else f", and those up to commit {end - 1}"
        yield Finding(Kind.MISSING, commit_name(first), f"{_EXPECTED}{more}", "nothing", COPY_AGAIN)


def _of_another(commit: Commit, store: str | None) -> Finding | None:
    if commit.store == store:
        return None
    path = commit_name(commit.number)
    return Finding(Kind.CONTRADICTION, path, f"store {store}", f"store {commit.store}", RESTORE)


def _in_order(commits: Iterable[Commit]) -> Iterator[Finding]:
    """Commits whose time is not after that of the one before."""
    before: dt.datetime | None = None
    for commit in commits:
        if before is not None and commit.time <= before:
            path = commit_name(commit.number)
            found = time_text(commit.time)
            yield Finding(Kind.CONTRADICTION, path, f"a time after {time_text(before)}", found, RESTORE)
        before = commit.time


def _segments(commits: Iterable[Commit], whole: bool) -> Iterator[Finding]:
    """Segments that two commits bring, that are replaced without being there, or that are not of their commit."""
    live: set[str] = set()
    ever: set[str] = set()
    for commit in commits:
        path = commit_name(commit.number)
        for replaced in commit.replaces:
            if whole and replaced not in live:
                yield Finding(Kind.CONTRADICTION, path, f"{replaced} to be there to be replaced", "it is not", RESTORE)
            live.discard(replaced)
        for segment in commit.segments:
            if segment.path in ever:
                yield Finding(Kind.CONTRADICTION, path, "new segments", f"{segment.path} once more", RESTORE)
            live.add(segment.path)
            ever.add(segment.path)
            if wrong := _misplaced(commit, segment):
                yield Finding(Kind.CONTRADICTION, path, *wrong, RESTORE)


def _misplaced(commit: Commit, segment: Segment) -> tuple[str, str] | None:
    """(expected, found) where a segment cannot be one of this commit."""
    if segment.path.split("/")[1] != segment.table:
        return f"a segment below segments/{segment.table}/", segment.path
    if segment.origin is not None:
        return None  # the numbers are those of another store
    first, last = segment.first_commit, segment.last_commit
    if last > commit.number or (commit.kind in _OWN_ROWS and first != commit.number):
        return f"rows of commit {commit.number} in {segment.path}", f"rows of commits {first} to {last}"
    return None
