"""What lies beside the commits and the segments: what killed writers left, quarantine, strangers, the catalog."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.erasure.erasing import erased_tables
from provenance.errors import DamagedStoreError, ReadFailedError
from provenance.history import bounds
from provenance.history.checkpoints import FOLDER as CHECKPOINTS
from provenance.history.checkpoints import wrong
from provenance.history.commits import FOLDER, Commit, commit_name, number_of
from provenance.history.erased import gone_from
from provenance.history.snapshot import Snapshot
from provenance.ingest.quarantine import FOLDER as QUARANTINE
from provenance.ingest.quarantine import quarantined
from provenance.orphans import SAFE_AGE, is_candidate, is_nobodys
from provenance.storage.durable import TEMPORARY

if TYPE_CHECKING:
    from provenance.storage.interface import Storage, Stored
    from provenance.store import Store


def leftovers(
    listed: Iterable[Stored], named: Collection[str] | None, snapshot: Snapshot | None, now: dt.datetime
) -> Iterator[Finding]:
    """Files that no commit stands for. ``listed`` before the commits were read, ``named`` by these, which give the
    ``snapshot``; None: there are commits that cannot be read, so that no file with a name can be called nobody's.
    """
    for stored in listed:
        is_named = not stored.name.endswith(TEMPORARY) if named is None else stored.name in named
        if is_candidate(stored.name) and not is_named:
            age = now - stored.modified
            found = f"{stored.size_bytes} bytes, {_age(age)} old"
            yield Finding(Kind.ORPHAN, stored.name, "a commit that names it", found, _when(stored.name, snapshot, age))
        elif _is_strange(stored.name):
            found = f"{stored.size_bytes} bytes"
            yield Finding(Kind.STRANGE, stored.name, "no such file", found, "see whose it is; nothing here reads it")


def _when(name: str, snapshot: Snapshot | None, age: dt.timedelta) -> str:
    """When an orphan goes."""
    if age < SAFE_AGE:
        return "its writer may be at work: it goes when a day old"
    removes = "`pirene store check --repair` removes it"
    if is_nobodys(name, snapshot or Snapshot()):
        return removes
    return f"its writer may only have been stopped: {removes} once a commit has taken its place"


def unerased(
    listed: Iterable[Stored], commits: Sequence[Commit], pulled: Mapping[str, Sequence[Commit]]
) -> Iterator[Finding]:
    """What an erasure has said goes, and is there: among the files that are ``listed``, or in commits."""
    gone = gone_from(commits)
    tables = erased_tables(gone)
    advice = "`pirene store check --repair` takes it away"
    for name in sorted(gone & {stored.name for stored in listed}):
        yield Finding(Kind.UNERASED, name, "nothing, as it was erased", "the file", advice)
    expected = "no bounds of erased values"
    for commit in commits:
        if bounds.tells(commit, gone):
            yield Finding(Kind.UNERASED, commit_name(commit.number), expected, "bounds", advice)
        for each in commit.pulled:
            brought = pulled.get(each.store, ())[each.first - 1 : each.last]
            if any(bounds.tells_of_tables(one, tables) for one in brought):
                yield Finding(Kind.UNERASED, each.path, expected, "bounds", advice)


def in_quarantine(store: Store) -> Iterator[Finding]:
    """What could not be ingested, each with its reason."""
    try:
        for one in quarantined(store):
            path = f"{QUARANTINE}/{one.sha256}.{one.what}"
            advice = "see what is wrong with it, and ingest what it should have been"
            yield Finding(Kind.QUARANTINED, path, "what can be ingested", " ".join(one.reason.split()), advice)
    except ReadFailedError as error:
        yield not_read(store.storage, QUARANTINE, "notes that say why something is there", error, "")
    except DamagedStoreError as error:
        yield Finding(
            Kind.MALFORMED, QUARANTINE, "notes that say why something is there", str(error), "see what is wrong"
        )


def checkpoints(storage: Storage, store_id: str, commits: Sequence[Commit]) -> Iterator[Finding]:
    """Checkpoints that do not say what the commits, which are all that there are, say."""
    newest = commits[-1].number if commits else 0
    expected = "what the commits up to it add up to"
    try:
        for name in wrong(storage, store_id, commits):
            number = re.search(r"[0-9]+", name)
            if number is None or int(number[0]) <= newest:  # a later one was made since the commits were read
                advice = "`pirene store check --repair` removes it; any can be made again"
                yield Finding(Kind.STALE, name, expected, "something else", advice)
    except UNREAD as error:
        yield not_read(storage, CHECKPOINTS, expected, error, "check again")


def _is_strange(name: str) -> bool:
    """Whether no store makes a file of this name among commits and segments."""
    top, _, rest = name.partition("/")
    if name.endswith(TEMPORARY):
        return False
    return (top == FOLDER and number_of(rest) is None) or (top == "segments" and not name.endswith(".parquet"))


def _age(age: dt.timedelta) -> str:
    seconds = max(int(age.total_seconds()), 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
