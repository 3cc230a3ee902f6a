"""What several processes did to one store, and whether one process could have done it, one thing after the other.

A store is a log: a write appends to it, a read sees all that is there. A history of such operations is linearizable
(Herlihy and Wing 1990, https://doi.org/10.1145/78969.78972) if each of them can be given a moment between the time when
it was asked for and the time when it was answered, so that every read sees just the writes before it. The order of the
writes is known, the store says it; that leaves four conditions, each of them checked in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

WriteId = tuple[int, int]
"""(writer, position among its writes from 0)."""


@dataclass(frozen=True, slots=True)
class Write:
    """Asked for at ``invoked``, answered at ``returned`` (one clock for all processes; None: never answered)."""

    id: WriteId
    invoked: float
    returned: float | None


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader asked for at ``invoked`` and had at ``returned``: these writes."""

    invoked: float
    returned: float
    seen: frozenset[WriteId]


def violations(order: Sequence[WriteId], writes: Sequence[Write], reads: Sequence[Read]) -> list[str]:
    """What of a history cannot be. ``order`` are the writes that took effect, as the store has them in the end."""
    wrong = list(_of_order(order, writes))
    if wrong:
        return wrong
    asked = {write.id: write for write in writes}
    placed = [asked[each] for each in order]
    # From each position on: when the first of these writes was answered. Up to it: when the last was asked for.
    first_answer = [*accumulate((_answer(write) for write in reversed(placed)), min, initial=math.inf)][::-1]
    last_question = [*accumulate((write.invoked for write in placed), max, initial=-math.inf)]
    for position, write in enumerate(placed):
        if first_answer[position + 1] < write.invoked:
            wrong.append(f"write {write.id} comes before one that was answered before it was asked for")
    prefixes: list[tuple[Read, int]] = []
    for read in reads:
        length = len(read.seen)
        if read.seen != frozenset(order[:length]):
            wrong.append(f"the read at {read.invoked} sees {length} writes, and not the first ones")
            continue
        prefixes.append((read, length))
        if first_answer[length] < read.invoked:
            wrong.append(f"the read at {read.invoked} misses a write that had been answered")
        if last_question[length] > read.returned:
            wrong.append(f"the read at {read.invoked} sees a write that was asked for later")
    return wrong + list(_of_reads(prefixes))


def _of_order(order: Sequence[WriteId], writes: Sequence[Write]) -> Iterator[str]:
    """Whether the order has every write that was answered, once, and no other."""
    if len(set(order)) < len(order):
        yield f"{len(order) - len(set(order))} writes took effect twice"
    if len({write.id for write in writes}) < len(writes):
        yield "two writes are called alike"
    for lost in sorted({write.id for write in writes if write.returned is not None} - set(order)):
        yield f"write {lost} was answered and is lost"
    for stray in sorted(set(order) - {write.id for write in writes}):
        yield f"write {stray} took effect and nobody asked for it"


def _of_reads(prefixes: Sequence[tuple[Read, int]]) -> Iterator[str]:
    """Whether no read sees less than one that was answered before it was asked for, whoever asked."""
    answered = sorted(prefixes, key=lambda each: each[0].returned)
    position = most = 0
    for read, length in sorted(prefixes, key=lambda each: each[0].invoked):
        while position < len(answered) and answered[position][0].returned < read.invoked:
            most = max(most, answered[position][1])
            position += 1
        if length < most:
            yield f"the read at {read.invoked} sees {length} writes, an earlier one saw {most}"


def _answer(write: Write) -> float:
    return math.inf if write.returned is None else write.returned
