"""The smallest repair, against one that tries everything: circles, contents that several jobs made, owners."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.repair import Needed, Past, needed


@dataclass(frozen=True)
class Contents:
    """Contents are numbers. ``jobs``: (what it read, what it made) of each."""

    jobs: tuple[tuple[frozenset[int], frozenset[int]], ...]
    copies: frozenset[int]
    owned: frozenset[int]
    wanted: tuple[int, ...]

    def past(self) -> Past[int, int]:
        return Past(
            has_copy=self.copies.__contains__,
            makers=lambda content: [job for job, (_, made) in enumerate(self.jobs) if content in made],
            inputs=lambda job: self.jobs[job][0],
            has_owner=self.owned.__contains__,
        )

    def can_be_had(self, rerun: Collection[int], restored: Collection[int]) -> bool:
        """Whether all that is wanted is there once these jobs have run, told by running them while one more can."""
        there = self.copies | set(restored)
        left = set(rerun)
        while ready := {job for job in left if self.jobs[job][0] <= there}:
            left -= ready
            there |= {content for job in ready for content in self.jobs[job][1]}
        return set(self.wanted) <= there

    def smallest(self) -> tuple[int, int]:
        """(to restore, jobs): all sets of both are tried, small ones first."""
        made = {content for _, outputs in self.jobs for content in outputs}
        read = {content for inputs, _ in self.jobs for content in inputs}
        asked = [c for c in {*self.wanted, *read, *made} - self.copies if c in self.owned or c not in made]
        for restored in range(len(asked) + 1):
            for jobs in range(len(self.jobs) + 1):
                for some in itertools.combinations(asked, restored):
                    if any(self.can_be_had(run, some) for run in itertools.combinations(range(len(self.jobs)), jobs)):
                        return restored, jobs
        raise AssertionError("nobody knows where they came from")


@st.composite
def histories(draw: st.DrawFn) -> Contents:
    """What can have happened: a job reads what is there by then, which is what somebody brought or jobs made. It may
    make once more what was there before, even what it read.
    """
    names = st.integers(0, 7)
    owned = draw(st.frozensets(names, min_size=1, max_size=3))
    there, jobs = set(owned), []
    for _ in range(draw(st.integers(0, 6))):
        inputs = draw(st.frozensets(st.sampled_from(sorted(there)), max_size=3))
        outputs = draw(st.frozensets(names, min_size=1, max_size=2))
        jobs.append((inputs, outputs))
        there |= outputs
    copies = draw(st.frozensets(st.sampled_from(sorted(there))))
    wanted = draw(st.lists(st.sampled_from(sorted(there)), unique=True))
    return Contents(tuple(jobs), copies, owned, tuple(wanted))


@settings(deadline=None, max_examples=400)
@given(histories())
def test_no_smaller_repair_does_it_and_each_step_can_be_done_in_its_turn(contents: Contents) -> None:
    found = needed(contents.wanted, contents.past())
    there = contents.copies | set(found.to_restore)
    for job in found.jobs:
        assert contents.jobs[job][0] <= there, "in this order"
        there |= contents.jobs[job][1]
    assert set(contents.wanted) <= there
    assert len(set(found.jobs)) == len(found.jobs)
    assert not contents.copies & set(found.to_restore)
    assert (len(found.to_restore), len(found.jobs)) == contents.smallest()


def test_a_copy_that_a_job_made_does_not_bring_back_its_own_lost_input() -> None:
    """The very bytes of the raw file, made of nothing but them."""
    cp = (frozenset({0}), frozenset({0}))
    past = Contents((cp,), frozenset(), frozenset({0}), (0,)).past()
    assert needed([0], past) == Needed((), (0,))


def test_packing_and_unpacking_begin_with_what_somebody_brought() -> None:
    raw, packed = 0, 1
    jobs = ((frozenset({raw}), frozenset({packed})), (frozenset({packed}), frozenset({raw})))
    assert needed([packed, raw], Contents(jobs, frozenset(), frozenset({raw}), ()).past()) == Needed((0,), (raw,))
    assert needed([packed, raw], Contents(jobs, frozenset(), frozenset(), ()).past()).to_restore, "nobody knows whose"


def test_a_job_that_makes_both_is_run_instead_of_two() -> None:
    jobs = (
        (frozenset({9}), frozenset({0})),
        (frozenset({9}), frozenset({1})),
        (frozenset({9}), frozenset({0, 1})),
    )
    assert needed([0, 1], Contents(jobs, frozenset({9}), frozenset({9}), ()).past()).jobs == (2,)


def test_what_was_made_the_same_way_many_times_is_made_once() -> None:
    jobs = tuple((frozenset({9}), frozenset({0})) for _ in range(5000))
    assert needed([0], Contents(jobs, frozenset({9}), frozenset({9}), ()).past()).jobs == (0,)


def test_a_chain_that_is_longer_than_the_stack_of_python() -> None:
    length = 50_000
    past: Past[int, int] = Past(lambda at: at == 0, lambda at: [at - 1], lambda job: [job], lambda at: at == 0)
    assert needed([length], past).jobs == tuple(range(length))


def test_many_ways_end_with_one_that_can_be_gone() -> None:
    """More ways than are tried: two jobs that are not alike for each of forty contents, one after the other."""
    jobs = tuple(
        (frozenset({at} | ({100} if second else set())), frozenset({at + 1})) for at in range(40) for second in (0, 1)
    )
    found = needed([40], Contents(jobs, frozenset({0, 100}), frozenset({0, 100}), ()).past())
    assert len(found.jobs) == 40 and not found.to_restore
