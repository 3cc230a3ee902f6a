"""The schedule against a second opinion: a plain simulation that looks at all parents every time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planner.engines.schedule import BAD, DONE, JobState, Schedule


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    size = draw(st.integers(1, 9))
    pairs = [(parent, child) for parent in range(1, size + 1) for child in range(parent + 1, size + 1)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return size, sorted(edges)


def parents_of(job: int, edges: list[tuple[int, int]]) -> list[int]:
    return [parent for parent, child in edges if child == job]


@given(graphs(), st.data())
def test_jobs_start_only_after_their_parents_and_all_that_can_run_does(
    graph: tuple[int, list[tuple[int, int]]], data: st.DataObject
) -> None:
    size, edges = graph
    reused = data.draw(st.sets(st.integers(1, size)))
    bad = data.draw(st.sets(st.integers(1, size)))
    schedule = Schedule(size, edges, [(job, JobState.REUSED) for job in reused])
    running: list[int] = []
    ran: list[int] = []
    while True:
        while (job := schedule.start_next()) is not None:
            assert all(schedule.state(parent) in DONE for parent in parents_of(job, edges))
            running.append(job)
            ran.append(job)
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        if ended in bad:
            schedule.failed(ended)
        else:
            schedule.succeeded(ended)
    assert len(ran) == len(set(ran))
    for job in range(1, size + 1):
        startable = job not in reused and all(schedule.state(parent) in DONE for parent in parents_of(job, edges))
        assert (job in ran) == startable
    blocked = dict(schedule.blocked())
    assert set(blocked) == {job for job in range(1, size + 1) if schedule.state(job) is JobState.WAITING}
    assert all(schedule.state(cause) in BAD for cause in blocked.values())


@given(graphs(), st.data())
def test_a_revived_job_runs_before_those_that_need_it(
    graph: tuple[int, list[tuple[int, int]]], data: st.DataObject
) -> None:
    size, edges = graph
    reused = data.draw(st.sets(st.integers(1, size), min_size=1))
    revived = data.draw(st.sampled_from(sorted(reused)))
    schedule = Schedule(size, edges, [(job, JobState.REUSED) for job in reused])
    before = schedule.start_next() if data.draw(st.booleans()) else None
    schedule.revive(revived)
    order: list[int] = []
    if before is not None:
        schedule.again(before)
    while (job := schedule.start_next()) is not None:
        order.append(job)
        schedule.succeeded(job)
    assert sorted(order) == sorted({*range(1, size + 1)} - (reused - {revived}))
    for parent, child in edges:
        if parent in order and child in order:
            assert order.index(parent) < order.index(child)


@given(graphs(), st.data())
def test_a_job_that_runs_again_starts_when_none_of_its_children_runs(
    graph: tuple[int, list[tuple[int, int]]], data: st.DataObject
) -> None:
    """Brought back at any moment, by any of its children; each job at most once."""
    size, edges = graph
    schedule = Schedule(size, edges, [])
    running: list[int] = []
    brought_back: set[int] = set()
    while True:
        while (job := schedule.start_next()) is not None:
            assert not {child for parent, child in edges if parent == job} & set(running)
            assert all(schedule.state(parent) in DONE for parent in parents_of(job, edges))
            running.append(job)
        if not running:
            break
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        candidates = [parent for parent in parents_of(ended, edges) if parent not in brought_back]
        if candidates and data.draw(st.booleans()):
            again = data.draw(st.sampled_from(candidates))
            brought_back.add(again)
            schedule.revive(again)
            schedule.again(ended)
        else:
            schedule.succeeded(ended)
    assert set(schedule.states()) <= {JobState.SUCCEEDED}


def test_the_smallest_number_starts_first() -> None:
    schedule = Schedule(3, [], [])
    assert [schedule.start_next() for _ in range(4)] == [1, 2, 3, None]
