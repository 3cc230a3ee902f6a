"""Faults: each does what its name says, and never nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from integrity.faults import Fault, Surroundings, damaged

AROUND = Surroundings(b"another valid file", b"an earlier version")
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=500, max_size=5_000),
    st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(0, 9_000)),
)


def tcp_checksum(data: bytes) -> int:
    """RFC 1071, over 16-bit words."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def bits_that_differ(one: bytes, two: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(one, two, strict=True))


@given(CONTENTS, st.integers())
@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_changes_something(fault: Fault, data: bytes, seed: int) -> None:
    found = damaged(fault, data, AROUND, random.Random(seed))
    assert found != data
    if found is not None:
        assert damaged(fault, data, AROUND, random.Random(seed)) == found, "the same chance, the same fault"


@given(st.binary(min_size=1, max_size=600), st.integers())
def test_what_each_does(data: bytes, seed: int) -> None:
    found = {fault: damaged(fault, data, AROUND, random.Random(seed)) for fault in Fault}
    assert bits_that_differ(found[Fault.BIT_FLIP] or b"", data) == 1
    assert found[Fault.EMPTIED] == b""
    appended = found[Fault.APPENDED] or b""
    assert appended.startswith(data) and len(appended) > len(data)
    assert (found[Fault.SWAPPED], found[Fault.STALE]) == (AROUND.other, AROUND.earlier)
    for fault in (Fault.WORD_SWAP, Fault.ZEROED_SECTOR, Fault.ZEROED_PAGE, Fault.SHIFTED, Fault.DUPLICATED_BLOCK):
        assert len(found[fault] or data) == len(data)
    shorter = found[Fault.TRUNCATED]
    assert (shorter is None) is (len(data) == 1)
    if shorter is not None:
        assert data.startswith(shorter) and 0 < len(shorter) < len(data)


@given(st.binary(min_size=4, max_size=2_000), st.integers())
def test_swapped_words_have_the_same_tcp_checksum(data: bytes, seed: int) -> None:
    found = damaged(Fault.WORD_SWAP, data, AROUND, random.Random(seed))
    assume(found is not None)
    assert found is not None
    assert tcp_checksum(found) == tcp_checksum(data)
    assert sorted(found) == sorted(data)


@given(st.binary(min_size=5_000, max_size=10_000), st.integers())
def test_zeroed_blocks_are_aligned_and_whole(data: bytes, seed: int) -> None:
    for fault, size in ((Fault.ZEROED_SECTOR, 512), (Fault.ZEROED_PAGE, 4096)):
        found = damaged(fault, data, AROUND, random.Random(seed))
        assume(found is not None)
        assert found is not None
        changed = [place for place in range(len(data)) if found[place] != data[place]]
        start = changed[0] // size * size
        assert changed[-1] < start + size
        assert not any(found[start : start + size])


@given(st.binary(min_size=1_100, max_size=3_000), st.integers())
def test_a_duplicated_block_is_there_twice(data: bytes, seed: int) -> None:
    found = damaged(Fault.DUPLICATED_BLOCK, data, AROUND, random.Random(seed))
    assume(found is not None)
    assert found is not None
    places = [p for p in range(0, len(data) - 1_023, 512) if found[p : p + 512] == found[p + 512 : p + 1_024]]
    assert any(found[: p + 512] == data[: p + 512] and found[p + 1_024 :] == data[p + 1_024 :] for p in places)


@given(st.binary(min_size=2, max_size=300), st.integers())
def test_a_shift_loses_the_last_byte(data: bytes, seed: int) -> None:
    found = damaged(Fault.SHIFTED, data, AROUND, random.Random(seed))
    assume(found is not None)
    assert any(found == data[:p] + data[p : p + 1] + data[p:-1] for p in range(len(data)))


def test_what_cannot_happen() -> None:
    nothing = {Fault.APPENDED, Fault.SWAPPED, Fault.STALE}
    for fault in Fault:
        assert (damaged(fault, b"", AROUND, random.Random(1)) is not None) is (fault in nothing)
    assert damaged(Fault.WORD_SWAP, b"aaaaaa", AROUND, random.Random(1)) is None
    assert damaged(Fault.ZEROED_SECTOR, bytes(2_000), AROUND, random.Random(1)) is None
    assert damaged(Fault.SHIFTED, b"aaaa", AROUND, random.Random(1)) is None
    assert damaged(Fault.DUPLICATED_BLOCK, b"abab" * 512, AROUND, random.Random(1)) is None
    assert damaged(Fault.SWAPPED, AROUND.other, AROUND, random.Random(1)) is None
