"""Commits that one store has and another has not, by the store that made them: what a pull brings, and whether it may.

The commits of a store are a chain that only that store makes longer. A copy of a store that was gone on with beside the
original makes two chains of one id: they are refused, for rows of the one would pass for rows of the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from integrity.merkle import root_hash
from provenance.erasure.erasing import erased_tables
from provenance.errors import NOT_THERE, CannotMergeError, DamagedStoreError, lost
from provenance.history import bounds
from provenance.history.commits import Commit, CommitKind, commit_name, decode, time_text
from provenance.history.entry import entry_of
from provenance.history.erased import gone_from
from provenance.history.foreign import Pulled, PulledCommit, path_of
from provenance.publishing.publication import END_OF_TIME

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

FARTHEST_AHEAD = dt.timedelta(days=1)
"""Commits dated further ahead of this machine's clock come from a clock that is wrong: all later commits here would
have to be dated after them."""

_WITHOUT_FACTS = frozenset({CommitKind.COMPACT, CommitKind.PULL})


@dataclass(frozen=True, slots=True)
class Chain:
    """Commits of one store from number ``first`` on, each with its document byte for byte; the last brought facts."""

    store: str
    first: int
    documents: tuple[bytes, ...]
    commits: tuple[Commit, ...]

    @property
    def last(self) -> int:
        """The number of the last commit."""
        return self.first + len(self.commits) - 1

    def content(self) -> bytes:
        """The file that keeps the documents: each is a line."""
        return b"".join(document + b"\n" for document in self.documents)

    def facts(self) -> Iterator[Commit]:
        """The commits that brought the rows of their segments, and did not put them in the place of others."""
        return (commit for commit in self.commits if commit.kind not in {*_WITHOUT_FACTS, CommitKind.ERASE})

    def rows(self) -> Mapping[str, int]:
        """How many rows of each table these commits brought, erased ones included."""
        counted: Counter[str] = Counter()
        for commit in self.facts():
            for segment in commit.segments:
                counted[segment.table] += segment.rows
        return counted


def chains_to_pull(store: Store, snapshot: Snapshot, other: Store, theirs: Snapshot) -> list[Chain]:
    """What ``other`` as of ``theirs`` has that ``store`` as of ``snapshot`` has not, sorted by store.

    Raises CannotMergeError if both have different commits under one number of one store, or if ``other`` has commits
    of ``store`` that it has lost itself; DamagedStoreError for documents that are not what they must be.
    """
    found: list[Chain] = []
    for maker in sorted({other.store_id, *theirs.foreign.stores()}):
        here, offered = known(store, snapshot, maker), known(other, theirs, maker)
        common = min(here, offered)
        if common and not _agree(store, snapshot, other, theirs, maker, common):
            raise _forked(store, other, maker, common)
        if maker == store.store_id and offered > here:
            raise CannotMergeError(
                f"{other.storage.location} has commits {here + 1} to {offered} of store {maker}, "
                f"which {store.storage.location} has lost: it was restored from a backup, or copied",
                hint="restore it from a newer copy; to work with a copy of a store, make it with `pirene pull` into a "
                "new store",
            )
        if offered > here:
            chain = _chain(other, theirs, maker, here + 1, offered)
            if chain is not None:
                found.append(chain)
    return found


def without_erased(store: Store, snapshot: Snapshot, chains: Sequence[Chain]) -> list[Chain]:
    """The same with no bounds of values in tables that ``store`` has erased from: compactions of the other store, which
    has not erased, may say again what went here.
    """
    tables = erased_tables(gone_from(store.all_commits())) if snapshot.rewritten else frozenset()
    return [
        replace(chain, documents=tuple(bounds.without(document, tables) for document in chain.documents))
        for chain in chains
    ]


class Listing:
    """What a commit of ``store`` says of chains that it brings; what was looked up for one number serves the next."""

    def __init__(self, store: Store, chains: Sequence[Chain], unvouched: int) -> None:
        """``unvouched``: how many merges after them nobody vouches for."""
        self._store = store
        self._chains = chains
        self._unvouched = unvouched
        self.contents = tuple(chain.content() for chain in chains)
        self._digests = [hashlib.sha256(content).hexdigest() for content in self.contents]
        self._roots = [root_hash(map(entry_of, chain.documents)).hex() for chain in chains]
        self._made: dict[int, tuple[str, str]] = {}

    def after(self, snapshot: Snapshot) -> tuple[Pulled, ...]:
        """As the commit after ``snapshot`` says it."""
        first, *others = self._listed(snapshot)
        return replace(first, unvouched=self._unvouched), *others

    def _listed(self, snapshot: Snapshot) -> tuple[Pulled, ...]:
        return tuple(
            Pulled(
                chain.store,
                chain.first,
                path_of(chain.store, chain.first, digest),
                len(content),
                digest,
                tuple(self._placed(chain, snapshot)),
                root=root,
                pulled_sha256=digest,
            )
            for chain, content, digest, root in zip(
                self._chains, self.contents, self._digests, self._roots, strict=True
            )
        )

    def _placed(self, chain: Chain, snapshot: Snapshot) -> Iterator[PulledCommit]:
        numbers = range(1, snapshot.number + 1)
        follows = 0
        for commit in chain.commits:
            time = time_text(commit.time)
            follows = bisect_left(numbers, (time, chain.store), lo=follows, key=self._place)
            yield PulledCommit(time, follows)

    def _place(self, number: int) -> tuple[str, str]:
        """Of a commit of the store itself, in the order of all commits."""
        if number not in self._made:
            self._made[number] = time_text(next(self._store.commits(after=number - 1)).time), self._store.store_id
        return self._made[number]


def newest(chains: Sequence[Chain]) -> dt.datetime:
    """The time of the latest commit of some chains."""
    return max(chain.commits[-1].time for chain in chains)


def refuse_the_future(chains: Sequence[Chain], *, accept: bool) -> None:
    """Raise CannotMergeError if commits are dated so far ahead that a clock must be wrong; with ``accept`` only if
    there would be no time left for those that come after them.
    """
    time, now = newest(chains), dt.datetime.now(dt.UTC)
    if time >= END_OF_TIME:
        raise CannotMergeError(
            f"commits are dated up to {time_text(time)}, and no later commit could be dated after them",
            hint="register again, in a store with a right clock, what is in that one only",
        )
    if time - now > FARTHEST_AHEAD and not accept:
        raise CannotMergeError(
            f"commits are dated up to {time_text(time)}, and here it is {time_text(now)}: one of the clocks is wrong",
            hint="set the clock; if it was the other's, --accept-future pulls them, and commits here are dated after "
            "them until the clock gets there",
        )


def documents_of(store: Store, snapshot: Snapshot, maker: str, first: int, last: int) -> Iterator[bytes]:
    """The documents of commits of ``maker`` as ``store`` has them, its own or pulled. Errors as of `Storage.read`,
    DamagedStoreError for what is missing or changed.
    """
    if maker == store.store_id:
        for number in range(first, last + 1):
            yield _bytes(store, commit_name(number))
        return
    for _, pulled in snapshot.foreign.of(maker):
        if pulled.last < first or pulled.first > last:
            continue
        content = _bytes(store, pulled.path)
        digest = hashlib.sha256(content).hexdigest()
        if digest != pulled.sha256:
            raise DamagedStoreError(
                f"{store.storage.where(pulled.path)}: expected {pulled.size} bytes with sha256 {pulled.sha256}, "
                f"found {len(content)} with {digest}",
                hint="restore the file from a backup of the store",
            )
        lines = content.removesuffix(b"\n").split(b"\n")
        if len(lines) != len(pulled.commits):
            raise DamagedStoreError(
                f"{store.storage.where(pulled.path)}: expected {len(pulled.commits)} commits, found {len(lines)}",
                hint="whoever pulled them counted wrong: pull from the store that made them",
            )
        yield from lines[max(first - pulled.first, 0) : min(last - pulled.first + 1, len(pulled.commits))]


def known(store: Store, snapshot: Snapshot, maker: str) -> int:
    """The newest commit of ``maker`` that ``store`` has."""
    return snapshot.number if maker == store.store_id else snapshot.foreign.known(maker)


def _document(store: Store, snapshot: Snapshot, maker: str, number: int) -> bytes:
    return next(documents_of(store, snapshot, maker, number, number))


def _agree(store: Store, snapshot: Snapshot, other: Store, theirs: Snapshot, maker: str, number: int) -> bool:
    """Whether both have the same commit of a store under a number; erasures may have taken bounds from either."""
    here, there = _document(store, snapshot, maker, number), _document(other, theirs, maker, number)
    if here == there:
        return True
    for one, data in ((store, here), (other, there)):
        _decoded(one, maker, number, data)
    return bounds.same_commit(here, there)


def _chain(other: Store, theirs: Snapshot, maker: str, first: int, last: int) -> Chain | None:
    """The chain up to its last commit with facts; None if it has none."""
    documents = list(documents_of(other, theirs, maker, first, last))
    commits = [_decoded(other, maker, number, data) for number, data in enumerate(documents, start=first)]
    if any(earlier.time >= later.time for earlier, later in pairwise(commits)):
        raise DamagedStoreError(f"{other.storage.location}: commits of store {maker} are not in the order of time")
    while commits and commits[-1].kind in _WITHOUT_FACTS:
        commits.pop()
    return Chain(maker, first, tuple(documents[: len(commits)]), tuple(commits)) if commits else None


def _decoded(other: Store, maker: str, number: int, data: bytes) -> Commit:
    name = f"{other.storage.location}: commit {number} of store {maker}"
    commit = decode(data, name)
    if (commit.store, commit.number) != (maker, number) or b"\n" in data:
        raise DamagedStoreError(f"{name}: found commit {commit.number} of store {commit.store}")
    return commit


def _bytes(store: Store, name: str) -> bytes:
    try:
        return store.storage.read(name)
    except NOT_THERE as error:
        raise lost(store.storage.where(name), error) from error


def _forked(store: Store, other: Store, maker: str, number: int) -> CannotMergeError:
    return CannotMergeError(
        f"{store.storage.location} and {other.storage.location} have different commits {number} of store {maker}: "
        f"it was copied, and both copies were gone on with",
        hint="go on with one of them, and register in it again what is in the other only; to work with a copy of a "
        "store, make it with `pirene pull` into a new store",
    )
