"""One commit's document, for itself: is it whole, is it of this place, and who vouches for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from integrity.log.note import Signature, VerifierKey
from provenance.errors import DamagedStoreError
from provenance.history.canonical import canonical
from provenance.history.commits import decode
from provenance.history.entry import signed_text


class Voucher(Enum):
    """What the signature of a commit is worth."""

    TRUSTED = "of a key that is trusted, and right"
    FALSE = "of a key that is trusted, and of something else"
    UNKNOWN = "of a key that nobody said is to be trusted"
    NONE = "there is none"


def document_in(data: bytes | None, store_id: str, number: int, place: str) -> dict[str, Any] | str:
    """The document of commit ``number`` of a store, whose file is at ``place``; what is wrong with it, if something is.

    Raises UnsupportedStoreError for one of a newer format: nothing is known of it.
    """
    if data is None:
        return "nothing"
    try:
        commit = decode(data, place)
    except DamagedStoreError as error:
        return str(error).removeprefix(f"{place}: ")
    if (commit.store, commit.number) != (store_id, number):
        return f"commit {commit.number} of store {commit.store}"
    document: dict[str, Any] = json.loads(data)
    return document if canonical(document) == data else "the same in other JSON"


def says_nothing_before(document: Mapping[str, Any]) -> bool:
    """Whether a commit that has others before it does not say what they were: their damage it would not contradict."""
    return document["log_root"] is None and document["number"] > 1


def unvouched_merges(document: Mapping[str, Any]) -> int:
    """How many merges nobody vouched for that rows came through which a commit pulled."""
    return sum(pulled.get("unvouched", 0) for pulled in document.get("pulled", ()))


def voucher(document: Mapping[str, Any], trusted: Sequence[VerifierKey]) -> Voucher:
    """What the signature of a commit is worth, given its document."""
    if document["signature"] is None:
        return Voucher.NONE
    try:
        signature = Signature.parse(document["signature"])
    except ValueError:
        return Voucher.FALSE
    keys = [key for key in trusted if signature.is_of(key)]
    if not keys:
        return Voucher.UNKNOWN
    text = signed_text(document).encode()
    return Voucher.TRUSTED if any(key.verifies(signature.signature, text) for key in keys) else Voucher.FALSE
