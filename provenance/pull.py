"""Pull: what another store has and this one has not, its commits and their rows, by one commit of this one.

Like every commit it becomes visible whole or not at all. Pulled again, or by two at once, nothing comes twice: what is
missing is found from the commits, and a pull that was overtaken by another looks again. Push is the other side's pull.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from provenance.chains import Chain, chains_to_pull, listed, newest, refuse_the_future, without_erased
from provenance.commits import Commit, CommitKind, Segment, publish
from provenance.errors import CannotMergeError, DamagedStoreError, NotWrittenError, StoreError, WriteFailedError
from provenance.foreign import FOLDER
from provenance.publication import new_nonce, next_commit
from provenance.schema import BY_NAME

if TYPE_CHECKING:
    from provenance.pulled_rows import Advance
    from provenance.snapshot import Snapshot
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
    """

    commit: int | None
    chains: tuple[PulledChain, ...]
    rows: Mapping[str, int]
    segments: int
    size_bytes: int

    @property
    def commits(self) -> int:
        """How many commits of others."""
        return sum(chain.last - chain.first + 1 for chain in self.chains)


def pull(
    store: Store, other: Store, *, dry_run: bool = False, accept_future: bool = False, begin: Begin | None = None
) -> PullReport:
    """Bring to ``store`` what ``other`` has: its own commits, and those that it pulled itself.

    ``accept_future``: also commits that are dated more than a day ahead of this machine's clock. Raises
    CannotMergeError, DamagedStoreError, ReadFailedError, UnsupportedStoreError (nothing was made visible) or
    WriteFailedError.
    """
    _refuse_itself(store, other)
    while True:
        snapshot, theirs = store.snapshot(), other.snapshot()
        chains = chains_to_pull(store, snapshot, other, theirs)
        if not chains:
            return PullReport(None, (), {}, 0, 0)
        if not accept_future:
            refuse_the_future(chains)
        chains = without_erased(store, snapshot, chains)
        try:
            report = _attempt(store, snapshot, other, theirs, chains, dry_run, begin)
        except DamagedStoreError:
            if other.snapshot().number == theirs.number:
                raise
            continue  # it was compacted, and what was merged has been removed: look at what stands there now
        if report is not None:
            return report


def _attempt(
    store: Store,
    snapshot: Snapshot,
    other: Store,
    theirs: Snapshot,
    chains: Sequence[Chain],
    dry_run: bool,
    begin: Begin | None,
) -> PullReport | None:
    """Copy and publish; None: somebody else pulled meanwhile."""
    from provenance.pulled_rows import Copies, check_counts, wanted_segments

    wanted = wanted_segments(other, theirs, chains)
    size = sum(each.segment.size for each in wanted)
    commit = None
    if not dry_run:
        nonce = new_nonce()
        copies = Copies(store, other, f"{snapshot.number + 1:012d}-{nonce}")
        try:
            made = copies.make(wanted, (lambda _: None) if begin is None else begin(size))
            check_counts(other, chains, made)
            commit = _publish(store, snapshot, chains, made, nonce)
        except StoreError as error:
            if isinstance(error, NotWrittenError) or not isinstance(error, WriteFailedError):
                copies.discard()  # else the commit may be visible, and with it the copies
            raise
        if commit is None:
            copies.discard()
            return None
        store.care(commit)
    return PullReport(
        None if commit is None else commit.number,
        tuple(_pulled(chain) for chain in chains),
        _total(chain.rows() for chain in chains),
        len(wanted),
        size,
    )


def _publish(
    store: Store, snapshot: Snapshot, chains: Sequence[Chain], segments: Sequence[Segment], nonce: str
) -> Commit | None:
    """The commit; None if others have pulled since ``snapshot``. Other commits may have come meanwhile."""
    from provenance.pulled_rows import taken_in_twice

    store.storage.prepare("", [FOLDER])
    store.storage.prepare(FOLDER, [chain.store for chain in chains])
    while True:
        now = store.snapshot()
        if now.foreign != snapshot.foreign:
            return None
        pulled = listed(store, now, chains)
        pulled = (replace(pulled[0], twice=tuple(taken_in_twice(store, now, segments))), *pulled[1:])
        for chain, each in zip(chains, pulled, strict=True):
            store.storage.write(each.path, chain.content())
        commit = next_commit(store, now, CommitKind.PULL, nonce, segments, pulled=pulled, later_than=newest(chains))
        if publish(store.storage, commit):
            store.follow(commit)
            return commit


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
