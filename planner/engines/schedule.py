"""Which job may start next: the state of every job of a run, and nothing else.

Pure: no clocks, no processes, no files. A job is ready when all of its parents have succeeded or are reused. A job that
is done can be revived: what it gave, or was to give, turned out to be gone or damaged, so it runs (again), and what
needs it waits for it. It starts once no child of it runs: what that reads must not be replaced under its hands.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from enum import Enum


class JobState(Enum):
    """Where a job is."""

    WAITING = "waiting"  # for its parents
    READY = "ready"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    FAILED = "failed"
    INTEGRITY_FAILED = "integrity_failed"


DONE = frozenset({JobState.SUCCEEDED, JobState.REUSED})
BAD = frozenset({JobState.FAILED, JobState.INTEGRITY_FAILED})


class Schedule:
    """States of jobs 1..n and the order in which they may start: the smallest number first."""

    def __init__(self, jobs: int, edges: Iterable[tuple[int, int]], done: Iterable[tuple[int, JobState]]) -> None:
        self._states = [JobState.WAITING] * (jobs + 1)
        self._parents: list[list[int]] = [[] for _ in range(jobs + 1)]
        self._children: list[list[int]] = [[] for _ in range(jobs + 1)]
        for parent, child in edges:
            self._parents[child].append(parent)
            self._children[parent].append(child)
        for job, state in done:
            self._states[job] = state
        self._missing = [0] * (jobs + 1)
        self._ready: list[int] = []
        for job in range(1, jobs + 1):
            self._reconsider(job)

    def state(self, job: int) -> JobState:
        """The state of a job."""
        return self._states[job]

    def states(self) -> Sequence[JobState]:
        """The states of jobs 1..n, in order."""
        return self._states[1:]

    def parents(self, job: int) -> Sequence[int]:
        """The jobs that must end before this one."""
        return self._parents[job]

    def children(self, job: int) -> Sequence[int]:
        """The jobs that wait for this one."""
        return self._children[job]

    def start_next(self) -> int | None:
        """Take the first ready job and call it running; None if none is ready."""
        while self._ready:
            job = heapq.heappop(self._ready)
            if self._states[job] is JobState.READY:
                self._states[job] = JobState.RUNNING
                return job
        return None

    def succeeded(self, job: int) -> None:
        """A running job succeeded: its children may have become ready."""
        self._left_running(job, JobState.SUCCEEDED)
        for child in self._children[job]:
            if self._states[child] is JobState.WAITING:
                self._missing[child] -= 1
                if self._missing[child] == 0:
                    self._make_ready(child)

    def failed(self, job: int, *, integrity: bool = False) -> None:
        """A running job failed for good; what depends on it will not run."""
        self._left_running(job, JobState.INTEGRITY_FAILED if integrity else JobState.FAILED)

    def again(self, job: int) -> None:
        """A running job is to run once more, as soon as its parents allow."""
        self._left_running(job, JobState.WAITING)
        self._reconsider(job)

    def revive(self, job: int) -> None:
        """A job that is done runs after all, or again; children that have not started wait for it."""
        if self._states[job] not in DONE:
            return
        self._states[job] = JobState.WAITING
        self._reconsider(job)
        for child in self._children[job]:
            if self._states[child] in (JobState.WAITING, JobState.READY):
                self._reconsider(child)

    def blocked(self) -> list[tuple[int, int]]:
        """Jobs that did not run because of a failure: (job, the failed ancestor), in order."""
        cause: dict[int, int] = {}
        stack = [job for job in range(len(self._states) - 1, 0, -1) if self._states[job] in BAD]
        for origin in list(reversed(stack)):
            frontier = [origin]
            while frontier:
                for child in self._children[frontier.pop()]:
                    if self._states[child] is JobState.WAITING and child not in cause:
                        cause[child] = origin
                        frontier.append(child)
        return sorted(cause.items())

    def _left_running(self, job: int, state: JobState) -> None:
        """A job has ended: parents that were to run again may have waited for that."""
        self._states[job] = state
        for parent in self._parents[job]:
            self._reconsider(parent)

    def _reconsider(self, job: int) -> None:
        if self._states[job] not in (JobState.WAITING, JobState.READY):
            return
        self._states[job] = JobState.WAITING
        awaited = sum(self._states[parent] not in DONE for parent in self._parents[job])
        self._missing[job] = awaited + sum(self._states[child] is JobState.RUNNING for child in self._children[job])
        if self._missing[job] == 0:
            self._make_ready(job)

    def _make_ready(self, job: int) -> None:
        self._states[job] = JobState.READY
        heapq.heappush(self._ready, job)
