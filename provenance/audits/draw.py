"""The seed of a sample: what the store had come to, which nobody could choose and everybody can look up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.merkle import leaf_hash
from provenance.history.commits import encode

if TYPE_CHECKING:
    from provenance.store import Store


def seed(store: Store, number: int) -> bytes:
    """32 bytes that stand for the store as of commit ``number``: the leaf hash of that commit; of an empty store (0)
    that of nothing.
    """
    newest = next(store.commits(after=number - 1), None) if number else None
    return leaf_hash(b"" if newest is None else encode(newest))
