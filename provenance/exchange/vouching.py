"""Who vouches for commits that are to be pulled: none is taken over that its author did not sign so.

What was pulled cannot be given back, and others pull it from here. So a signature that is not of what the commit says,
and a commit that states another history before it than the one that is there, keep all of it out. Commits that nobody
signed whom the user trusts are taken, and counted: `pirene log check` calls them unverified.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integrity.errors import EvidenceError
from integrity.merkle import Tree, leaf_hash
from provenance.exchange.chains import Chain, documents_of, known
from provenance.history.entry import entry, entry_of
from provenance.log.commit_document import Voucher, says_nothing_before, unvouched_merges, voucher

if TYPE_CHECKING:
    from integrity.log.note import VerifierKey
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Unvouched:
    """How many ``commits`` have no signature of a key that is trusted, do not say what was before them, or pulled what
    came through such; those of them that are ``merges`` stay in the other store, and only their rows come.
    """

    commits: int
    merges: int


def require_genuine(
    store: Store,
    snapshot: Snapshot,
    other: Store,
    theirs: Snapshot,
    chains: Sequence[Chain],
    trusted: Sequence[VerifierKey],
) -> Unvouched:
    """Of the commits that ``store`` as of ``snapshot`` does not know: those of the chains, and all of ``other`` itself
    as of ``theirs``.

    Raises EvidenceError for the first that was altered, or that was made after others than those before it.
    """
    offered = {chain.store: chain.documents for chain in chains}
    # Not only what is taken over: a merge that came last stays there, and its rows are those that are copied.
    own = other.store_id
    offered[own] = tuple(documents_of(other, theirs, own, known(store, snapshot, own) + 1, theirs.number))
    taken = {(chain.store, number) for chain in chains for number in range(chain.first, chain.last + 1)}
    commits = merges = 0
    for maker, documents in sorted(offered.items()):
        tree = Tree()
        for data in documents_of(store, snapshot, maker, 1, known(store, snapshot, maker)):
            tree.append(leaf_hash(entry_of(data)))
        for number in _unverified(other, map(json.loads, documents), tree, trusted):
            commits += 1
            merges += (maker, number) not in taken
    return Unvouched(commits, merges)


def _unverified(
    other: Store, documents: Iterable[dict[str, Any]], tree: Tree, trusted: Sequence[VerifierKey]
) -> Iterator[int]:
    """The numbers of those among some commits; ``tree``, over the commits before them, grows by them."""
    for document in documents:
        vouched = voucher(document, trusted)
        if vouched is Voucher.FALSE:
            raise _refused(other, document, "it is not what its author signed")
        if document["log_root"] not in (None, tree.root().hex()):
            raise _refused(other, document, "it was made after other commits than those that are there before it")
        if vouched is not Voucher.TRUSTED or says_nothing_before(document) or unvouched_merges(document):
            yield document["number"]
        tree.append(leaf_hash(entry(document)))


def _refused(other: Store, document: dict[str, Any], why: str) -> EvidenceError:
    return EvidenceError(
        f"{other.storage.location}: commit {document['number']} of store {document['store']}: {why}; nothing was taken",
        hint=f"`pirene --store {other.storage.location} log check` names what was altered; restore it there from a "
        "backup, then pull again",
    )
