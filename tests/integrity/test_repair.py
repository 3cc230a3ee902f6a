"""The smallest set of jobs, against one that tries all sets."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.repair import needed


@st.composite
def pasts(draw: st.DrawFn) -> tuple[dict[int, int], dict[int, set[int]], set[int], list[int]]:
    """(maker of each made file, what each job reads, files with a good copy, files that are wanted): seven jobs at most,
    each of which reads files with smaller numbers than those that it makes.
    """
    makers: dict[int, int] = {}
    reads: dict[int, set[int]] = {}
    files = list(range(draw(st.integers(1, 4))))
    for job in range(draw(st.integers(0, 7))):
        reads[job] = draw(st.sets(st.sampled_from(files), max_size=3))
        for _ in range(draw(st.integers(1, 2))):
            makers[len(files)] = job
            files.append(len(files))
    copies = draw(st.sets(st.sampled_from(files)))
    wanted = draw(st.lists(st.sampled_from(files), unique=True))
    return makers, reads, copies, wanted


def can_be_had(copies: set[int], rerun: set[int], makers: dict[int, int], reads: dict[int, set[int]]) -> set[int]:
    """What there is once these jobs have run, told by running them for as long as one more can."""
    there = set(copies)
    ran: set[int] = set()
    while True:
        ready = {job for job in rerun - ran if reads[job] <= there}
        if not ready:
            return there
        ran |= ready
        there |= {file for file, job in makers.items() if job in ran}


@settings(deadline=None, max_examples=150)
@given(pasts())
def test_no_smaller_set_of_jobs_does_it(past: tuple[dict[int, int], dict[int, set[int]], set[int], list[int]]) -> None:
    makers, reads, copies, wanted = past
    found = needed(wanted, copies.__contains__, makers.get, reads.__getitem__)
    restored = copies | set(found.to_restore)
    assert set(wanted) <= can_be_had(restored, set(found.jobs), makers, reads)
    sizes = [
        size
        for size in range(len(reads) + 1)
        if any(
            set(wanted) <= can_be_had(restored, set(some), makers, reads)
            for some in itertools.combinations(reads, size)
        )
    ]
    assert len(found.jobs) == len(set(found.jobs)) == sizes[0]


@settings(deadline=None, max_examples=150)
@given(pasts())
def test_each_step_can_be_done_when_its_turn_comes(
    past: tuple[dict[int, int], dict[int, set[int]], set[int], list[int]],
) -> None:
    makers, reads, copies, wanted = past
    found = needed(wanted, copies.__contains__, makers.get, reads.__getitem__)
    there = copies | set(found.to_restore)
    for job in found.jobs:
        assert reads[job] <= there
        there |= {file for file, maker in makers.items() if maker == job}


@settings(deadline=None, max_examples=100)
@given(pasts())
def test_only_what_no_job_makes_is_asked_of_the_owner(
    past: tuple[dict[int, int], dict[int, set[int]], set[int], list[int]],
) -> None:
    makers, reads, copies, wanted = past
    found = needed(wanted, copies.__contains__, makers.get, reads.__getitem__)
    assert not copies & set(found.to_restore)
    assert not set(makers) & set(found.to_restore)
    for file in found.to_restore:
        without = copies | (set(found.to_restore) - {file})
        assert not set(wanted) <= can_be_had(without, set(reads), makers, reads), "it was not needed"


def test_a_chain_that_is_longer_than_the_stack_of_python() -> None:
    length = 50_000
    found = needed([length], lambda file: file == 0, lambda file: file - 1, lambda job: [job])
    assert found.jobs == tuple(range(length))
