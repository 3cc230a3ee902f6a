"""Faults as disks, networks and people make them: what becomes of the bytes of a file.

Each is a function of the bytes alone, and never gives back what it was given: a fault that changes nothing would be
missed, and prove nothing. Where a fault cannot happen to some bytes (a bit of an empty file cannot flip) there is none.

How often they happen, and in which sizes: Panzer-Steindel, Data Integrity, CERN/IT 2007; Bairavasundaram et al., An
Analysis of Data Corruption in the Storage Stack, FAST 2008; Stone and Partridge, When the CRC and TCP Checksum
Disagree, SIGCOMM 2000.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

SECTOR_BYTES = 512
PAGE_BYTES = 4096
_APPENDED_AT_MOST = 64


class Fault(StrEnum):
    """What happens to a file."""

    BIT_FLIP = "bit-flip"  # one bit is another
    WORD_SWAP = "word-swap"  # two 16-bit words change places: TCP's checksum stays the same
    ZEROED_SECTOR = "zeroed-sector"  # 512 bytes were never written
    ZEROED_PAGE = "zeroed-page"  # 4096 bytes were never written
    TRUNCATED = "truncated"  # the end was lost
    APPENDED = "appended"  # something was added at the end
    EMPTIED = "emptied"  # nothing is left
    SHIFTED = "shifted"  # from some byte on all is one place further on; the last byte is lost
    DUPLICATED_BLOCK = "duplicated-block"  # a block was written once more in the place of the next one
    SWAPPED = "swapped"  # the content of another valid file is in its place
    STALE = "stale"  # an earlier version came back


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else there is: ``other`` is the content of another valid file, ``earlier`` that of an earlier version."""

    other: bytes
    earlier: bytes


def damaged(fault: Fault, data: bytes, around: Surroundings, chance: random.Random) -> bytes | None:
    """``data`` with this fault, at a place that ``chance`` decides; None: it cannot happen to these bytes."""
    found = _damaged(fault, data, around, chance)
    return None if found == data else found


def _damaged(fault: Fault, data: bytes, around: Surroundings, chance: random.Random) -> bytes | None:
    match fault:
        case Fault.BIT_FLIP:
            return _bit_flip(data, chance)
        case Fault.WORD_SWAP:
            return _word_swap(data, chance)
        case Fault.ZEROED_SECTOR:
            return _zeroed(data, SECTOR_BYTES, chance)
        case Fault.ZEROED_PAGE:
            return _zeroed(data, PAGE_BYTES, chance)
        case Fault.TRUNCATED:
            return data[: chance.randrange(1, len(data))] if len(data) > 1 else None
        case Fault.APPENDED:
            return data + chance.randbytes(chance.randint(1, _APPENDED_AT_MOST))
        case Fault.EMPTIED:
            return b""
        case Fault.SHIFTED:
            return _shifted(data, chance)
        case Fault.DUPLICATED_BLOCK:
            return _duplicated(data, chance)
        case Fault.SWAPPED:
            return around.other
        case Fault.STALE:
            return around.earlier
    assert_never(fault)


def _bit_flip(data: bytes, chance: random.Random) -> bytes | None:
    if not data:
        return None
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _word_swap(data: bytes, chance: random.Random) -> bytes | None:
    """Two words at even places that differ: the sum of all words stays what it was."""
    words = [data[place : place + 2] for place in range(0, len(data) - 1, 2)]
    if len(set(words)) < 2:
        return None
    first = chance.randrange(len(words))
    others = [place for place, word in enumerate(words) if word != words[first]]
    second = chance.choice(others)
    words[first], words[second] = words[second], words[first]
    return b"".join(words) + data[2 * len(words) :]


def _zeroed(data: bytes, size: int, chance: random.Random) -> bytes | None:
    """One aligned block, as far as the file has one, that is not zero already."""
    places = [place for place in range(0, len(data), size) if any(data[place : place + size])]
    if not places:
        return None
    place = chance.choice(places)
    return data[:place] + bytes(len(data[place : place + size])) + data[place + size :]


def _shifted(data: bytes, chance: random.Random) -> bytes | None:
    """A byte came in at a place from which on not all bytes are the same: there nobody could tell."""
    last = len(data.rstrip(data[-1:])) if data else 0
    if not last:
        return None
    place = chance.randrange(last)
    return data[:place] + data[place : place + 1] + data[place:-1]


def _duplicated(data: bytes, chance: random.Random) -> bytes | None:
    """A block over the one after it; of 512 bytes, or of half of a file that is shorter than two."""
    size = min(SECTOR_BYTES, len(data) // 2)
    if not size:
        return None
    places = [
        p for p in range(0, len(data) - 2 * size + 1, size) if data[p : p + size] != data[p + size : p + 2 * size]
    ]
    if not places:
        return None
    place = chance.choice(places)
    block = data[place : place + size]
    return data[: place + size] + block + data[place + 2 * size :]
