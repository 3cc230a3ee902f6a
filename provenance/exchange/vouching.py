"""Who vouches for commits that are to be pulled: none is taken over that its author did not sign so.

What was pulled cannot be given back, and others pull it from here. So a signature that is not of what the commit says,
and a commit that states another history before it than the one that is there, keep all of it out. Commits that nobody
signed whom the user trusts are taken, and counted: `pirene log check` calls them unverified.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from integrity.errors import EvidenceError
from integrity.merkle import Tree, leaf_hash
from provenance.exchange.chains import Chain, documents_of
from provenance.history.entry import entry, entry_of
from provenance.log.commit_document import Voucher, voucher

if TYPE_CHECKING:
    from integrity.log.note import VerifierKey
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


def require_genuine(
    store: Store, snapshot: Snapshot, other: Store, chains: Sequence[Chain], trusted: Sequence[VerifierKey]
) -> int:
    """How many commits of the chains, as ``other`` has them, have no signature of a ``trusted`` key.

    Raises EvidenceError for the first that was altered, or that was made after others than ``store`` as of ``snapshot``
    knows and the chain has.
    """
    unverified = 0
    for chain in chains:
        tree = Tree()
        for data in documents_of(store, snapshot, chain.store, 1, chain.first - 1):
            tree.append(leaf_hash(entry_of(data)))
        for document in map(json.loads, chain.documents):
            vouched = voucher(document, trusted)
            if vouched is Voucher.FALSE:
                raise _refused(other, document, "it is not what its author signed")
            if document["log_root"] not in (None, tree.root().hex()):
                raise _refused(other, document, "it was made after other commits than those that are there before it")
            unverified += vouched is not Voucher.TRUSTED
            tree.append(leaf_hash(entry(document)))
    return unverified


def _refused(other: Store, document: dict[str, Any], why: str) -> EvidenceError:
    return EvidenceError(
        f"{other.storage.location}: commit {document['number']} of store {document['store']}: {why}; nothing was taken",
        hint=f"`pirene --store {other.storage.location} log check` names what was altered; restore it there from a "
        "backup, then pull again",
    )
