"""Which copies to read first when there is no time to read all of them, and which to draw by chance.

Order: those that failed when they were last looked at, then those that nobody ever verified, then the others, the one
that was verified longest ago first. So a scrub that is cut short goes on where it stopped, from what is recorded alone.

A sample is drawn by a seed that nobody could choose: each copy gets the SHA-256 of the seed and its name, and those
with the smallest are drawn. Anyone who has the seed can draw it again; nobody can know beforehand what will be read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a copy stands: whether it ``failed`` when it was last looked at; when its bytes were last read and found
    good, None: never.
    """

    failed: bool
    verified: dt.datetime | None


def in_order(items: Iterable[Item], standing: Callable[[Item], Standing]) -> list[Item]:
    """``items`` in the order in which they are to be read; equal ones as they came."""
    return sorted(items, key=lambda item: _rank(standing(item)))


def _rank(standing: Standing) -> tuple[int, float]:
    if standing.failed:
        return 0, 0.0
    if standing.verified is None:
        return 1, 0.0
    return 2, standing.verified.timestamp()


def drawn(items: Iterable[Item], count: int, seed: bytes, name: Callable[[Item], bytes]) -> list[Item]:
    """``count`` of the items (all, if there are no more), each as likely as any other, in the order of the draw.

    ``name`` is what an item is told from all others by.
    """
    return sorted(items, key=lambda item: hashlib.sha256(seed + name(item)).digest())[:count]
