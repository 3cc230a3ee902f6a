"""Pull: what another store has and this one has not, its commits and their rows, by one commit of this one.

Like every commit it becomes visible whole or not at all. Pulled again, or by two at once, nothing comes twice: what is
missing is found from the commits, and a pull that was overtaken by another looks again. Push is the other side's pull.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provenance.errors import CannotMergeError, DamagedStoreError, NotWrittenError, StoreError, WriteFailedError
from provenance.exchange.chains import Chain, Listing, chains_to_pull, newest, refuse_the_future, without_erased
from provenance.exchange.vouching import require_genuine
from provenance.history.commits import Commit, CommitKind, decode, encode, publish
from provenance.history.foreign import FOLDER
from provenance.log.keys import trusted_or_none
from provenance.publishing.publication import new_nonce, next_commit
from provenance.publishing.turns import after_a_lost_race, turn
from provenance.schema import BY_NAME

if TYPE_CHECKING:
    from provenance.exchange.pulled_rows import Advance, Copies, Wanted
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Begin = Callable[[int], "Advance"]
"""Told how many bytes there are to look at; gives what is told of how far it got."""


@dataclass(frozen=True, slots=True)
class PulledChain:
    """Commits of one store that a pull brought: from number ``first`` to ``last``. ``erasures`` are those among them
    that took something away in that store.
    """

    store: str
    first: int
    last: int
    erasures: tuple[Commit, ...] = ()


@dataclass(frozen=True, slots=True)
class PullReport:
    """What a pull brought, or would bring.

    ``commit`` is the local commit that made it visible; None: a dry run, or there was nothing. ``rows`` counts by table
    what the commits brought; ``size_bytes`` are those of the ``segments`` that hold it in the other store.
    ``unverified`` commits there, merges that are not taken over among them, are signed by nobody whom the user trusts,
    do not say what was before them, or pulled from a store with such merges.
    """

    commit: int | None
    chains: tuple[PulledChain, ...]
    rows: Mapping[str, int]
    segments: int
    size_bytes: int
    unverified: int = 0

    @property
    def commits(self) -> int:
        """How many commits of others."""
        return sum(chain.last - chain.first + 1 for chain in self.chains)


def pull(
    store: Store, other: Store, *, dry_run: bool = False, accept_future: bool = False, begin: Begin | None = None
) -> PullReport:
    """Bring to ``store`` what ``other`` has: its own commits, and those that it pulled itself.

    ``accept_future``: also commits that are dated more than a day ahead of this machine's clock. Raises EvidenceError
    (a commit is not what its author signed), CannotMergeError, DamagedStoreError, ReadFailedError,
    UnsupportedStoreError (nothing was made visible) or WriteFailedError.
    """
    _refuse_itself(store, other)
    trusted = trusted_or_none()
    while True:
        snapshot, theirs = store.snapshot(), other.snapshot()
        chains = chains_to_pull(store, snapshot, other, theirs)
        if not chains:
            return PullReport(None, (), {}, 0, 0)
        refuse_the_future(chains, accept=accept_future)
        unvouched = require_genuine(store, snapshot, other, theirs, chains, trusted)
        chains = without_erased(store, snapshot, chains)
        try:
            report = _attempt(_Attempt(store, snapshot, other, theirs, chains, unvouched.merges), dry_run, begin)
        except DamagedStoreError:
            if other.snapshot().number == theirs.number:
                raise
            continue  # it was compacted, and what was merged has been removed: look at what stands there now
        if report is not None:
            return replace(report, unverified=unvouched.commits)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What was to be pulled, as both stores were found."""

    store: Store
    snapshot: Snapshot
    other: Store
    theirs: Snapshot
    chains: Sequence[Chain]
    unvouched: int


def _attempt(attempt: _Attempt, dry_run: bool, begin: Begin | None) -> PullReport | None:
    """Copy and publish; None: somebody else pulled meanwhile."""
    from provenance.exchange.pulled_rows import wanted_segments

    wanted = wanted_segments(attempt.other, attempt.theirs, attempt.chains)
    size = sum(each.segment.size for each in wanted)
    number = None
    if not dry_run:
        commit = _copied_and_published(attempt, wanted, (lambda _: None) if begin is None else begin(size))
        if commit is None:
            return None
        attempt.store.care(commit)
        number = commit.number
    return PullReport(
        number,
        tuple(_pulled(chain) for chain in attempt.chains),
        _total(chain.rows() for chain in attempt.chains),
        len(wanted),
        size,
    )


def _copied_and_published(attempt: _Attempt, wanted: Sequence[Wanted], advance: Advance) -> Commit | None:
    from provenance.exchange.pulled_rows import Copies, check_counts

    nonce = new_nonce()
    copies = Copies(attempt.store, attempt.other, attempt.snapshot.number + 1, nonce)
    try:
        copies.make(wanted, advance)
        check_counts(attempt.other, attempt.theirs, attempt.chains, copies.made)
        commit = _published(attempt, copies, nonce)
    except StoreError as error:
        if isinstance(error, NotWrittenError) or not isinstance(error, WriteFailedError):
            copies.discard(keep_whole=True)  # else the commit may be visible, and with it the copies
        raise
    if commit is None:
        copies.discard(keep_whole=False)
    else:
        copies.published(commit.number)
    return commit


def _published(attempt: _Attempt, copies: Copies, nonce: str) -> Commit | None:
    """The commit; None if others have pulled or erased since the attempt began. Other commits may have come meanwhile.

    What takes long is done before others have to wait, and of what came since only that is looked at.
    """
    from provenance.exchange.pulled_twice import TakenInTwice

    store = attempt.store
    listing = Listing(store, attempt.chains, attempt.unvouched)
    twice = TakenInTwice(store, [made.segment for made in copies.made])
    store.storage.prepare("", [FOLDER])
    store.storage.prepare(FOLDER, [chain.store for chain in attempt.chains])
    for each, content in zip(listing.after(attempt.snapshot), listing.contents, strict=True):
        store.storage.write(each.path, content)
    twice.runs(attempt.snapshot)
    if not copies.for_commit(store.snapshot().number + 1):  # most of the renaming, while nobody waits for it
        return None
    with turn(store.storage):
        while True:
            begun = time.monotonic()
            now = store.snapshot()
            if _is_overtaken(attempt.snapshot, now) or not copies.for_commit(now.number + 1):
                return None
            first, *others = listing.after(now)
            commit = next_commit(
                store,
                now,
                CommitKind.PULL,
                nonce,
                tuple(made.segment for made in copies.made),
                pulled=(replace(first, twice=twice.runs(now)), *others),
                later_than=newest(attempt.chains),
            )
            _require_readable(attempt.other, commit)
            if publish(store.storage, commit):
                store.follow(commit)
                return commit
            after_a_lost_race(time.monotonic() - begun)


def _is_overtaken(snapshot: Snapshot, now: Snapshot) -> bool:
    """Whether others have pulled, so that less is new, or erased something, so that other bounds may not come."""
    return now.foreign != snapshot.foreign or now.rewritten != snapshot.rewritten


def _require_readable(other: Store, commit: Commit) -> None:
    """Raise DamagedStoreError unless the commit, which says what others said, comes back as it is."""
    name = f"the commit that would pull from {other.storage.location}"
    if decode(encode(commit), name) != commit:
        raise DamagedStoreError(f"{name} does not read back as it was written", hint="please report it")


def _pulled(chain: Chain) -> PulledChain:
    erasures = tuple(commit for commit in chain.commits if commit.erased)
    return PulledChain(chain.store, chain.first, chain.last, erasures)


def _refuse_itself(store: Store, other: Store) -> None:
    if store.store_id == other.store_id and _place(store) == _place(other):
        raise CannotMergeError(
            f"{other.storage.location} is the very store that would pull from it", hint="name another store"
        )


def _place(store: Store) -> str:
    return os.path.realpath(store.storage.location)


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return {name: total[name] for name in BY_NAME if total[name]}
