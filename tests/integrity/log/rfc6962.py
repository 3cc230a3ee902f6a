"""The tree, its proofs and their use as RFC 6962 defines them, word for word: recursive, nothing of it shared."""

from __future__ import annotations

import hashlib
from functools import cache

Leaves = tuple[bytes, ...]


def _h(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@cache
def mth(leaves: Leaves) -> bytes:
    """MTH(D[n]) of section 2.1."""
    if not leaves:
        return _h(b"")
    if len(leaves) == 1:
        return _h(b"\x00" + leaves[0])
    k = _k(len(leaves))
    return _h(b"\x01" + mth(leaves[:k]) + mth(leaves[k:]))


def path(m: int, leaves: Leaves) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = _k(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Leaves) -> list[bytes]:
    """PROOF(m, D[n]) of section 2.1.2."""
    return _subproof(m, leaves, True)


def _subproof(m: int, leaves: Leaves, b: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if b else [mth(leaves)]
    k = _k(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], b), mth(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def root_by_path(m: int, n: int, leaf: bytes, steps: list[bytes]) -> bytes:
    """The root that an audit path gives, by going down the definition of PATH and up again."""
    if n == 1:
        assert not steps
        return _h(b"\x00" + leaf)
    k = _k(n)
    if m < k:
        return _h(b"\x01" + root_by_path(m, k, leaf, steps[:-1]) + steps[-1])
    return _h(b"\x01" + steps[-1] + root_by_path(m - k, n - k, leaf, steps[:-1]))
