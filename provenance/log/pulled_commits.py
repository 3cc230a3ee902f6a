"""Commits that were pulled from other stores: are they those that the pull brought, and who vouches for them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from integrity.log.note import VerifierKey
from integrity.merkle import root_hash
from provenance.errors import NOT_THERE
from provenance.history.commits import commit_name
from provenance.history.entry import entry_of
from provenance.log.commit_document import Voucher, voucher
from provenance.log.discrepancy import Discrepancy, Gravity

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


def examine_pulled(
    storage: Storage, number: int, document: Mapping[str, Any], trusted: Sequence[VerifierKey]
) -> Iterator[Discrepancy]:
    """The commits of others that commit ``number``, with this document, brings."""
    for pulled in document.get("pulled", ()):
        try:
            content = storage.read(pulled["path"])
        except NOT_THERE:
            yield Discrepancy(Gravity.ALTERED, pulled["path"], "the commits that were pulled", "nothing")
            continue
        digest = hashlib.sha256(content).hexdigest()
        if digest != pulled["sha256"]:
            expected = f"the sha256 {pulled['sha256']} that commit {number} states"
            yield Discrepancy(Gravity.ALTERED, pulled["path"], expected, digest)
            continue
        yield from _examine(commit_name(number), pulled, content.splitlines(), trusted)


def _examine(
    name: str, pulled: Mapping[str, Any], lines: Sequence[bytes], trusted: Sequence[VerifierKey]
) -> Iterator[Discrepancy]:
    path = pulled["path"]
    try:
        root = root_hash(map(entry_of, lines)).hex()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Discrepancy(Gravity.ALTERED, path, "a commit on each line", repr(error))
        return
    if pulled.get("root") not in (None, root):
        yield Discrepancy(Gravity.ALTERED, path, f"commits with the root {pulled['root']}, as {name} states", root)
        return
    if pulled.get("root") is None or pulled.get("pulled_sha256") is None:
        advice = "pull them once more into a new store: an older version pulled these, and recorded no root of them"
        yield Discrepancy(
            Gravity.UNVERIFIED, path, "a root over the commits, in the pull that brought them", "none", advice
        )
    unsigned = unknown = 0
    for line in lines:
        document = json.loads(line)
        match voucher(document, trusted):
            case Voucher.FALSE:
                expected = f"commit {document['number']} as its author signed it"
                yield Discrepancy(Gravity.ALTERED, path, expected, "something else")
            case Voucher.UNKNOWN:
                unknown += 1
            case Voucher.NONE:
                unsigned += 1
            case Voucher.TRUSTED:
                pass
    said = "signatures of keys that you trust"
    if unknown:
        advice = "ask whose keys they are, and `pirene log trust` them"
        yield Discrepancy(Gravity.UNVERIFIED, path, said, f"{unknown} of others", advice)
    if unsigned:
        advice = "ask whoever made the commits in the other store"
        yield Discrepancy(Gravity.UNVERIFIED, path, said, f"none on {unsigned} of {len(lines)} commits", advice)
