"""Commits that were pulled from other stores: are they those that the pull brought, does each follow from those before
it, and who vouches for them there.
"""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from integrity.log.note import VerifierKey
from integrity.merkle import Tree, leaf_hash, root_hash
from provenance.errors import NOT_THERE
from provenance.history.commits import commit_name
from provenance.history.entry import entry
from provenance.log.commit_document import Voucher, document_in, says_nothing_before, unvouched_merges, voucher
from provenance.log.discrepancy import Discrepancy, Gravity

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


@dataclass(slots=True)
class PulledCommits:
    """Those of all pulls of one store, to be examined pull by pull, in order; one may be examined again."""

    storage: Storage
    trusted: Sequence[VerifierKey]
    _trees: dict[tuple[str, int], Tree] = field(default_factory=dict)
    """(store, number) -> the tree over its commits before that one, where each of them is known."""

    def examine(self, number: int, document: Mapping[str, Any]) -> Iterator[Discrepancy]:
        """What is wrong with the commits of others that commit ``number``, with this document, brings. Raises
        ReadFailedError, UnsupportedStoreError for one of a newer format.
        """
        yield from _through_merges(commit_name(number), unvouched_merges(document))
        for pulled in document.get("pulled", ()):
            try:
                content = self.storage.read(pulled["path"])
            except NOT_THERE:
                yield Discrepancy(Gravity.ALTERED, pulled["path"], "the commits that were pulled", "nothing")
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest != pulled["sha256"]:
                expected = f"the sha256 {pulled['sha256']} that commit {number} states"
                yield Discrepancy(Gravity.ALTERED, pulled["path"], expected, digest)
                continue
            yield from self._lines(commit_name(number), pulled, content.splitlines())

    def _lines(self, name: str, pulled: Mapping[str, Any], lines: Sequence[bytes]) -> Iterator[Discrepancy]:
        path, store = pulled["path"], pulled["store"]
        documents = list[Mapping[str, Any]]()
        for number, line in enumerate(lines, start=pulled["first"]):
            document = document_in(line, store, number, path)
            if isinstance(document, str):
                yield Discrepancy(Gravity.ALTERED, path, f"commit {number} of store {store} on its line", document)
                return
            documents.append(document)
        entries = list(map(entry, documents))
        root = root_hash(entries).hex()
        if pulled.get("root") not in (None, root):
            yield Discrepancy(Gravity.ALTERED, path, f"commits with the root {pulled['root']}, as {name} states", root)
            return
        if pulled.get("root") is None or pulled.get("pulled_sha256") is None:
            advice = "pull them once more into a new store: an older version pulled these, and recorded no root of them"
            said = "a root over the commits, in the pull that brought them"
            yield Discrepancy(Gravity.UNVERIFIED, path, said, "none", advice)
        yield from _through_merges(path, sum(map(unvouched_merges, documents)))
        yield from _signatures(path, documents, self.trusted)
        yield from self._histories(pulled, documents, entries)

    def _histories(
        self, pulled: Mapping[str, Any], documents: Sequence[Mapping[str, Any]], entries: Sequence[bytes]
    ) -> Iterator[Discrepancy]:
        """The root that each states, over the commits before it in its own store; after the first that is another,
        nothing is known of those before later ones.
        """
        store, first = pulled["store"], pulled["first"]
        before = Tree() if first == 1 else self._trees.get((store, first))
        if before is None:
            return
        tree = copy.deepcopy(before)
        for number, (document, data) in enumerate(zip(documents, entries, strict=True), start=first):
            root = tree.root().hex()
            if document["log_root"] not in (None, root):
                expected = f"a history before commit {number} with the root {document['log_root']}, as it states"
                yield Discrepancy(Gravity.ALTERED, pulled["path"], expected, f"one with {root}")
                return
            tree.append(leaf_hash(data))
        self._trees[store, first + len(documents)] = tree


def _through_merges(path: str, unvouched: int) -> Iterator[Discrepancy]:
    """Rows are held to how many each commit brought, and no further where a merge has written them anew."""
    if unvouched:
        yield Discrepancy(
            Gravity.UNVERIFIED,
            path,
            "signatures of keys that you trust on all merges that pulled rows came through",
            f"none on {unvouched} when they were pulled",
            "`pirene log check` of the store that they came from names them; once somebody whom you trust vouches for "
            "its rows, pull into a new store",
        )


def _signatures(
    path: str, documents: Sequence[Mapping[str, Any]], trusted: Sequence[VerifierKey]
) -> Iterator[Discrepancy]:
    vouchers = Counter[Voucher]()
    rootless = 0
    for document in documents:
        vouched = voucher(document, trusted)
        vouchers[vouched] += 1
        rootless += vouched is Voucher.TRUSTED and says_nothing_before(document)
        if vouched is Voucher.FALSE:
            expected = f"commit {document['number']} as its author signed it"
            yield Discrepancy(Gravity.ALTERED, path, expected, "something else")
    said = "signatures of keys that you trust"
    if unknown := vouchers[Voucher.UNKNOWN]:
        advice = "ask whose keys they are, and `pirene log trust` them"
        yield Discrepancy(Gravity.UNVERIFIED, path, said, f"{unknown} of others", advice)
    if unsigned := vouchers[Voucher.NONE]:
        advice = "ask whoever made the commits in the other store"
        yield Discrepancy(Gravity.UNVERIFIED, path, said, f"none on {unsigned} of {len(documents)} commits", advice)
    if rootless:
        advice = "ask their authors whether commits before them were damaged then: what they were, these do not say"
        found = f"none in {rootless} of {len(documents)} commits"
        yield Discrepancy(Gravity.UNVERIFIED, path, "the roots over the commits before them", found, advice)
