"""Where the jobs of a round stand, folded from their events: what `pirene status` shows when nobody watches the run."""

from __future__ import annotations

import datetime as dt
import enum
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from planner.engines.pool.events import EventKind, NodeEvent

_QUIET = dt.timedelta(seconds=10)  # what happened later than that may not have reached both queue and log


class NodeState(enum.Enum):
    """Where the job of a node is, as HTCondor sees it."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    REMOVED = "removed"
    ENDED = "ended"
    """DAGMan, or its POST step, looks into it."""
    POSTED = "posted"
    """Its POST step has ended."""

    @property
    def queued(self) -> bool:
        """Whether HTCondor's queue has it."""
        return self in (NodeState.IDLE, NodeState.RUNNING, NodeState.HELD)


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """The last attempt of a node and what was before. ``since`` when it got there, ``reason`` why it is held, removed
    or, while it runs, out of contact; ``host`` where it runs or ran; how often it was evicted in all attempts, and why
    last.
    """

    cluster: int
    state: NodeState
    since: dt.datetime
    reason: str | None = None
    host: str | None = None
    evictions: int = 0
    eviction: str | None = None


class Standing:
    """A fold over events. Memory: one entry for each job that was ever submitted."""

    def __init__(self, events: Iterable[NodeEvent] = ()) -> None:
        self._jobs: dict[int, NodeStanding] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: NodeEvent) -> None:
        """Take in what happened next."""
        before = self._jobs.get(event.job)
        evictions, eviction = (before.evictions, before.eviction) if before else (0, None)
        host = event.host or (before.host if before and before.cluster == event.cluster else None)
        reason = event.reason
        match event.kind:
            case EventKind.SUBMITTED | EventKind.RELEASED:
                state, reason = NodeState.IDLE, None
            case EventKind.EVICTED:
                state, reason = NodeState.IDLE, None
                evictions, eviction = evictions + 1, event.reason
            case EventKind.STARTED | EventKind.RECONNECTED | EventKind.DISCONNECTED:
                state = NodeState.RUNNING
            case EventKind.HELD:
                state = NodeState.HELD
            case EventKind.REMOVED:
                state = NodeState.REMOVED
            case EventKind.ENDED:
                state = NodeState.ENDED
            case EventKind.POST:
                state = NodeState.POSTED
                if before is not None and before.state is NodeState.REMOVED:
                    reason = before.reason
            case never:
                assert_never(never)
        self._jobs[event.job] = NodeStanding(event.cluster, state, event.at, reason, host, evictions, eviction)

    @property
    def jobs(self) -> Mapping[int, NodeStanding]:
        """By number of the job; jobs that were never submitted are not in it."""
        return self._jobs

    def counts(self) -> dict[NodeState, int]:
        """How many jobs are in each state."""
        counted = Counter(job.state for job in self._jobs.values())
        return {state: counted[state] for state in NodeState}

    def vanished(self, in_queue: Collection[int], asked: dt.datetime) -> list[int]:
        """Jobs that were submitted, have not ended and are not in the queue: nobody will ever end them.

        ``in_queue`` are the clusters that were there at ``asked``, before the log was read.
        """
        return sorted(
            number
            for number, job in self._jobs.items()
            if job.state.queued and job.cluster not in in_queue and job.since < asked - _QUIET
        )
