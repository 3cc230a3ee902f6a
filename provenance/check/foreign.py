"""Commits that were pulled from other stores: kept byte for byte, and each whole for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.check.findings import UNREAD, Finding, Kind, not_read
from provenance.check.history import RESTORE
from provenance.errors import DamagedStoreError
from provenance.history.commits import Commit, decode, time_text
from provenance.history.foreign import Pulled
from provenance.storage.recorded import difference

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


@dataclass(frozen=True, slots=True)
class PulledHistory:
    """The commits of each other store that are here, in order; of a store whose commits are damaged, none."""

    commits: Mapping[str, tuple[Commit, ...]]
    findings: tuple[Finding, ...]


def read_pulled(storage: Storage, commits: Iterable[Commit]) -> PulledHistory:
    """Read all commits of other stores that ``commits`` list. Raises UnsupportedStoreError for a newer format."""
    found: dict[str, list[Commit]] = {}
    findings: list[Finding] = []
    damaged: set[str] = set()
    for pulled in (each for commit in commits for each in commit.pulled):
        read = _read(storage, pulled)
        if isinstance(read, Finding):
            findings.append(read)
            damaged.add(pulled.store)
        else:
            found.setdefault(pulled.store, []).extend(read)
    whole = {store: tuple(each) for store, each in found.items() if store not in damaged}
    return PulledHistory(whole, tuple(findings))


def _read(storage: Storage, pulled: Pulled) -> list[Commit] | Finding:
    expected = f"{pulled.size} bytes with sha256 {pulled.sha256}"
    try:
        data = storage.read(pulled.path)
    except UNREAD as error:
        return not_read(storage, pulled.path, expected, error, RESTORE)
    found = difference(data, pulled)
    if found is not None:
        return Finding(Kind.CHANGED, pulled.path, expected, found, RESTORE)
    try:
        place = storage.where(pulled.path)
        commits = [decode(line, f"{place}: line {number}") for number, line in enumerate(data.splitlines(), start=1)]
    except DamagedStoreError as error:
        found = str(error).removeprefix(f"{place}: ")
        return Finding(Kind.MALFORMED, pulled.path, "a commit on each line", found, RESTORE)
    for what, listed, there in _side_by_side(pulled, commits):
        if listed != there:
            return Finding(Kind.CONTRADICTION, pulled.path, f"{what} {listed}", str(there), RESTORE)
    return commits


def _side_by_side(pulled: Pulled, commits: list[Commit]) -> Iterator[tuple[str, object, object]]:
    """(what, as the local commit lists it, as the documents have it)."""
    yield "commits", len(pulled.commits), len(commits)
    for number, (listed, commit) in enumerate(zip(pulled.commits, commits, strict=False), start=pulled.first):
        yield "commit", number, commit.number
        yield "commit of store", pulled.store, commit.store
        yield f"commit {number} of", listed.time, time_text(commit.time)
