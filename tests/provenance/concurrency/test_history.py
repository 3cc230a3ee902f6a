"""The checker of histories refuses what cannot be, and nothing else."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.provenance.concurrency.history import Read, Write, WriteId, violations

History = tuple[list[WriteId], list[Write], list[Read]]


def true_history(seed: int, writers: int = 4, each: int = 12, readers: int = 3, reads: int = 15) -> History:
    """What processes that wait for their answers see of a log in which everything happens at one moment."""
    chance = random.Random(seed)
    operations: list[tuple[float, float, float, WriteId | None]] = []
    for process in range(writers + readers):
        time = chance.random()
        for number in range(each if process < writers else reads):
            invoked = time + chance.expovariate(5)
            moment = invoked + chance.expovariate(5)
            time = moment + chance.expovariate(5)
            operations.append((moment, invoked, time, (process, number) if process < writers else None))
    order: list[WriteId] = []
    writes: list[Write] = []
    seen: list[Read] = []
    for _, invoked, returned, write in sorted(operations):
        if write is None:
            seen.append(Read(invoked, returned, frozenset(order)))
        else:
            order.append(write)
            writes.append(Write(write, invoked, returned))
    return order, writes, seen


@pytest.mark.parametrize("seed", range(50))
def test_what_can_be_is_accepted(seed: int) -> None:
    assert violations(*true_history(seed)) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_write_without_an_answer_may_have_taken_effect_or_not(seed: int) -> None:
    order, writes, reads = true_history(seed)
    last = order[-1]
    unanswered = [replace(write, returned=None) if write.id == last else write for write in writes]
    assert violations(order, unanswered, reads) == []
    unseen = [read for read in reads if last not in read.seen]
    assert violations(order[:-1], unanswered, unseen) == []
    assert violations(order[:-1], writes, unseen) == [f"write {last} was answered and is lost"]


@pytest.mark.parametrize("seed", range(20))
def test_lost_doubled_and_stray_writes_are_refused(seed: int) -> None:
    order, writes, reads = true_history(seed)
    place = random.Random(seed).randrange(len(order))
    assert "is lost" in violations(order[:place] + order[place + 1 :], writes, reads)[0]
    assert "took effect twice" in violations([*order, order[place]], writes, reads)[0]
    assert "nobody asked for it" in violations([*order, (99, 0)], writes, reads)[0]


@pytest.mark.parametrize("seed", range(20))
def test_a_read_with_a_hole_is_refused(seed: int) -> None:
    order, writes, reads = true_history(seed)
    chance = random.Random(seed)
    at = chance.choice([number for number, read in enumerate(reads) if len(read.seen) > 1])
    hole = order[chance.randrange(len(reads[at].seen) - 1)]
    reads[at] = replace(reads[at], seen=reads[at].seen - {hole})
    assert "not the first ones" in violations(order, writes, reads)[0]


@pytest.mark.parametrize("seed", range(20))
def test_a_read_that_misses_its_own_processs_write_is_refused(seed: int) -> None:
    """A read by the writer itself, right after its answer, of the state before."""
    order, writes, reads = true_history(seed)
    write = random.Random(seed).choice(writes)
    assert write.returned is not None
    stale = Read(write.returned + 1e-6, write.returned + 1e9, frozenset(order[: order.index(write.id)]))
    assert any("misses a write that had been answered" in each for each in violations(order, writes, [*reads, stale]))


@pytest.mark.parametrize("seed", range(20))
def test_a_read_of_the_future_is_refused(seed: int) -> None:
    order, writes, reads = true_history(seed)
    write = random.Random(seed).choice(writes)
    early = Read(-1.0, write.invoked - 1e-6, frozenset(order[: order.index(write.id) + 1]))
    assert any("that was asked for later" in each for each in violations(order, writes, [*reads, early]))


def test_reads_that_go_back_are_refused() -> None:
    """The write is still under way: either may be seen, but not first the one and then the other."""
    write = Write((0, 0), 0.0, 10.0)
    after, before = Read(1.0, 2.0, frozenset({(0, 0)})), Read(3.0, 4.0, frozenset())
    assert violations([(0, 0)], [write], [after]) == []
    assert violations([(0, 0)], [write], [before]) == []
    assert violations([(0, 0)], [write], [after, before]) == ["the read at 3.0 sees 0 writes, an earlier one saw 1"]


@pytest.mark.parametrize("seed", range(20))
def test_an_order_against_time_is_refused(seed: int) -> None:
    order, writes, _ = true_history(seed)
    asked = {write.id: write for write in writes}
    one = next(
        n
        for n in range(len(order) - 1)
        if (asked[order[n]].returned or math.inf) < asked[order[n + 1]].invoked or order[n][0] == order[n + 1][0]
    )
    order[one], order[one + 1] = order[one + 1], order[one]
    assert "answered before it was asked for" in violations(order, writes, [])[0]


@st.composite
def tiny_histories(draw: st.DrawFn) -> History:
    """Up to three writes and three reads, at any times, that see anything."""
    times = st.integers(0, 12)
    spans = st.tuples(times, times).filter(lambda span: span[0] < span[1])
    writes = [
        Write((number, 0), span[0], span[1] if draw(st.booleans()) else None)
        for number, span in enumerate(draw(st.lists(spans, max_size=3)))
    ]
    order = draw(st.permutations([write.id for write in writes]))
    effective = [each for each in order if draw(st.integers(0, 5))]
    seen = st.sets(st.sampled_from(order)) if order else st.just(set())
    prefixes = st.integers(0, len(effective)).map(lambda length: set(effective[:length]))
    reads = [Read(*span, frozenset(draw(st.one_of(prefixes, seen)))) for span in draw(st.lists(spans, max_size=3))]
    return effective, writes, reads


def has_moments(history: History) -> bool:
    """The definition itself: some sequence of all operations respects time and explains every read."""
    order, writes, reads = history
    if any(write.returned is not None and write.id not in order for write in writes):
        return False
    effective: list[Write | Read] = [write for write in writes if write.id in order]
    for sequence in permutations([*effective, *reads]):
        if any(
            later.returned is not None and later.returned < earlier.invoked
            for place, earlier in enumerate(sequence)
            for later in sequence[place + 1 :]
        ):
            continue
        log: list[WriteId] = []
        explained = True
        for operation in sequence:
            if isinstance(operation, Write):
                log.append(operation.id)
            else:
                explained = explained and operation.seen == frozenset(log)
        if explained and log == order:
            return True
    return False


@given(tiny_histories())
def test_it_agrees_with_the_definition(history: History) -> None:
    assert (violations(*history) == []) == has_moments(history)
