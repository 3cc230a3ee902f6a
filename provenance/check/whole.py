"""The whole check of a store, in order. It reads every byte and writes none.

A store whose writers are at work is whole at every moment, and a check finds it so, because it looks at files first and
at commits second: what a commit names is there before it is. Only an erasure takes away what was there: a check that
was overtaken by one looks again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from provenance import location
from provenance.check import catalog, contents, facts, foreign, history, surroundings, wide_tables
from provenance.check.findings import Finding, Kind, Report, Verdict, not_read
from provenance.errors import DamagedStoreError, ReadFailedError
from provenance.history.commits import Commit
from provenance.history.erased import gone_from
from provenance.history.snapshot import Snapshot
from provenance.schema import BY_NAME
from provenance.store import Store

if TYPE_CHECKING:
    from provenance.storage.interface import Storage, Stored

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""(what is being done, how much of it there is) -> what is told of each part that is done."""

_NO_STORE_JSON = (
    "restore it from a backup or a copy of the store; `pirene store check --repair` can if the catalog still knows its"
    " content"
)
_SEALED = "the format, the store's id and when it was made, as sealed"
_MOST_ROUNDS = 5
"""A store in which something is erased again and again is reported as it was found: nobody waits for ever."""


def silent(_: str, __: int) -> AbstractContextManager[Advance]:
    """Progress that nobody watches."""
    return nullcontext(lambda _: None)


def check_store(storage: Storage, *, progress: Progress = silent, now: dt.datetime | None = None) -> Report:
    """Check the store at this place. Raises NotAStoreError if there is none, UnsupportedStoreError for a newer format,
    ReadFailedError if nothing of it can be read.

    ``now`` (default: the clock) decides how old what killed writers left is.
    """
    done = 0
    while True:
        done += 1
        identity, findings = _identity(storage)
        listed = _listed(storage, findings)
        read = history.read_history(storage, identity.store if identity else None)
        report = _checked(storage, listed, identity, findings, read, progress, now)
        if report.verdict is Verdict.CLEAN or done == _MOST_ROUNDS or not _is_overtaken(storage, read):
            return report


def _is_overtaken(storage: Storage, before: history.History) -> bool:
    """Whether something was erased since the commits were read."""
    newest = history.read_history(storage, None).commits
    known = len(before.commits)
    return newest[:known] != before.commits or any(commit.erased for commit in newest[known:])


def _checked(
    storage: Storage,
    listed: Sequence[Stored],
    identity: location.StoreIdentity | None,
    findings: list[Finding],
    read: history.History,
    progress: Progress,
    now: dt.datetime | None,
) -> Report:
    findings += read.findings
    if identity is None and not read.commits:
        location.required(storage)  # what cannot be read says so, and so does what is not there
    gone = gone_from(read.commits)
    segments = [segment for commit in read.commits for segment in commit.segments if segment.path not in gone]
    size = sum(segment.size for segment in segments)
    with progress("reading segments", size) as advance:
        damaged = list(contents.examine(storage, segments, advance))
    findings += damaged
    pulled = foreign.read_pulled(storage, read.commits)
    findings += pulled.findings
    snapshot = _snapshot(read, findings)
    store = _store(storage, identity, read.commits)
    by_store: dict[str | None, Sequence[Commit]] = {None: read.commits}
    by_store.update(pulled.commits)
    unsound = _unsound(snapshot, damaged)
    findings += _facts(store, snapshot, by_store, unsound, progress)
    findings += surroundings.leftovers(listed, _named(read), snapshot, now or dt.datetime.now(dt.UTC))
    findings += surroundings.unerased(listed, read.commits, pulled.commits)
    findings += surroundings.in_quarantine(store)
    if snapshot is not None and not read.findings:  # else there is nothing sure to compare them with
        findings += surroundings.checkpoints(storage, store.store_id, read.commits)
        findings += catalog.compared(store)
        with progress("reading wide tables", wide_tables.rows(store)) as advance:
            examined = wide_tables.examine(store, snapshot, unsound, advance)
            findings += _to_the_end(storage, "wide", examined)
    return Report(
        store=store.store_id,
        location=storage.location,
        commits=len(read.commits),
        segments=len(segments),
        rows=snapshot.rows() if snapshot else 0,
        size_bytes=size,
        findings=tuple(findings),
    )


def _identity(storage: Storage) -> tuple[location.StoreIdentity | None, list[Finding]]:
    try:
        identity = location.identify(storage)
    except DamagedStoreError as error:
        found = str(error).removeprefix(f"{storage.where(location.IDENTITY)}: ")
        return None, [Finding(Kind.CHANGED, location.IDENTITY, _SEALED, found, _NO_STORE_JSON)]
    except ReadFailedError as error:
        return None, [not_read(storage, location.IDENTITY, _SEALED, error, _NO_STORE_JSON)]
    if identity is None:
        return None, [Finding(Kind.MISSING, location.IDENTITY, "a file", "nothing", _NO_STORE_JSON)]
    return identity, []


def _listed(storage: Storage, findings: list[Finding]) -> list[Stored]:
    """All files of the store; none where that cannot be known: then there is a finding that says why."""
    try:
        return list(storage.stored(""))
    except ReadFailedError as error:
        findings.append(not_read(storage, ".", "a list of all files", error, ""))
        return []


def _snapshot(read: history.History, findings: list[Finding]) -> Snapshot | None:
    """What the commits add up to; None where that cannot be known: then there is a finding that says why."""
    if not read.whole:
        return None
    try:
        return Snapshot().after(read.commits)
    except DamagedStoreError as error:
        if all(finding.kind is not Kind.CONTRADICTION for finding in findings):
            findings.append(Finding(Kind.CONTRADICTION, "commits", "each to follow", str(error), history.RESTORE))
        return None


def _store(storage: Storage, identity: location.StoreIdentity | None, commits: Sequence[Commit]) -> Store:
    """The store, to be read; of one that lost its identity, what its commits say of it."""
    known = identity or location.StoreIdentity(commits[0].store, commits[0].time)
    return Store(storage, known)


def _named(read: history.History) -> set[str] | None:
    """The files that commits stand for; None where that cannot be known."""
    if not read.whole:
        return None
    named = {segment.path for commit in read.commits for segment in commit.segments}
    return named | {pulled.path for commit in read.commits for pulled in commit.pulled}


def _unsound(snapshot: Snapshot | None, damaged: Iterable[Finding]) -> frozenset[str]:
    """The tables that have live segments which cannot be trusted."""
    if snapshot is None:
        return frozenset()
    bad = {finding.path for finding in damaged if finding.kind is not Kind.MISCOUNT}
    return frozenset(table for table in BY_NAME if bad & {one.path for one in snapshot.segments(table)})


def _facts(
    store: Store, snapshot: Snapshot | None, commits: facts.Commits, unsound: frozenset[str], progress: Progress
) -> Iterator[Finding]:
    if snapshot is None:
        advice = "mend what is wrong with the commits, then check again"
        yield Finding(Kind.UNCHECKED, "segments", "rows that fit together", "commits that do not", advice)
        return
    for table in sorted(unsound):
        advice = "mend its segments, then check again"
        yield Finding(Kind.UNCHECKED, table, "rows that fit together", "segments that cannot be trusted", advice)
    with progress("reading rows", snapshot.rows()) as advance:
        examined = facts.examine(store, snapshot, commits, BY_NAME.keys() - unsound, advance)
        yield from _to_the_end(store.storage, "segments", examined)


def _to_the_end(storage: Storage, folder: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Findings of what reads rows as every reader does; what keeps it from reading is the last of them."""
    expected = "rows that fit together"
    try:
        yield from findings
    except ReadFailedError as error:
        yield not_read(storage, folder, expected, error, "")
    except DamagedStoreError as error:
        # Each segment was as recorded a moment ago: what is wrong is what commits say of them, or is happening now.
        yield Finding(Kind.CONTRADICTION, folder, expected, str(error), history.RESTORE)
