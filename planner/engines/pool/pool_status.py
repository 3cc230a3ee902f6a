"""Where a run is on the pool, whether or not anybody watches it: HTCondor's queue and event logs put together.

The queue knows what is there now, the logs what has been. A queue that does not answer leaves the logs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.engines.pool import pool_queue
from planner.engines.pool.dagman_log import Round, RoundState, last_round
from planner.engines.pool.events import EventKind, EventReader, NodeEvent
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.pool_queue import DagmanJob, NodeJob, QueueStatus
from planner.engines.pool.schedd import QueueError
from planner.engines.pool.standing import NodeState, Standing

_ON_A_MACHINE = (QueueStatus.RUNNING, QueueStatus.TRANSFERRING_OUTPUT, QueueStatus.SUSPENDED)
_QUIET = dt.timedelta(seconds=10)  # as long as that a log may be behind the queue


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that HTCondor holds until somebody releases or removes it. ``job`` is the plan's number."""

    job: int
    reason: str


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Where a run is on the pool.

    ``dagman`` is the cluster of the newest DAGMan (None: none was ever submitted) and ``dagman_state`` idle | running |
    held | removed | ended | vanished | not submitted, with the ``dagman_reason`` that HTCondor gives. Jobs that are in
    the queue: ``idle`` and ``running`` are counts. ``evictions`` so far, of all jobs; ``vanished`` are numbers of jobs
    that neither ended nor are in the queue. ``problem`` is why the queue did not answer: then all is from the logs, and
    nothing is called vanished.
    """

    dagman: int | None
    dagman_state: str
    dagman_reason: str | None
    idle: int
    running: int
    held: tuple[HeldJob, ...]
    evictions: int
    vanished: tuple[int, ...]
    problem: str | None

    @property
    def at_work(self) -> bool:
        """Whether HTCondor goes on with the run, or will."""
        return self.dagman_state in ("idle", "running", "held")


def look(run_dir: Path, run_id: str) -> PoolStatus:
    """Where a run is now. Raises OSError for logs that cannot be read."""
    asked = dt.datetime.now(dt.UTC)  # before the logs are read: who has left the queue by then is in them
    try:
        dagman, nodes, problem = pool_queue.find(run_id), pool_queue.node_jobs(run_id), None
    except QueueError as error:
        dagman, nodes, problem = None, None, str(error)
    folder = PoolFolder.of(run_dir)
    standing = Standing(_events(folder.events))
    last = last_round(folder.dagman_events)
    state, reason = _dagman(dagman, last, asked, answered=problem is None)
    idle, running, held = _by_log(standing) if nodes is None else _by_queue(nodes)
    return PoolStatus(
        dagman=dagman.cluster if dagman else last.cluster if last else None,
        dagman_state=state,
        dagman_reason=reason,
        idle=idle,
        running=running,
        held=held,
        evictions=_evictions(_rounds_before(folder)) + sum(job.evictions for job in standing.jobs.values()),
        vanished=() if nodes is None else tuple(standing.vanished({_cluster(node) for node in nodes}, asked)),
        problem=problem,
    )


def history(run_dir: Path) -> Iterator[NodeEvent]:
    """All events of a run's nodes, in all of its rounds, as far as their logs are there. Raises OSError."""
    folder = PoolFolder.of(run_dir)
    yield from _rounds_before(folder)
    yield from _events(folder.events)


def _rounds_before(folder: PoolFolder) -> Iterator[NodeEvent]:
    earlier = folder.root.glob(f"{folder.events.name}.[0-9]*")
    for log in sorted(earlier, key=lambda path: int(path.suffix[1:])):
        yield from _events(log)


def _events(log: Path) -> Iterator[NodeEvent]:
    return EventReader(log).news()


def _evictions(events: Iterator[NodeEvent]) -> int:
    return sum(event.kind is EventKind.EVICTED for event in events)


def _cluster(node: NodeJob) -> int:
    return int(node.id.partition(".")[0])


def _dagman(
    found: DagmanJob | None, last: Round | None, asked: dt.datetime, *, answered: bool
) -> tuple[str, str | None]:
    """What DAGMan does, and why it does not do more."""
    if found is not None:
        return found.status.word, found.reason
    if last is None:
        return "not submitted", None
    if last.state is RoundState.ENDED:
        how = f"exit code {last.exit_code}" if last.signal is None else f"signal {last.signal}"
        return "ended", how
    if answered and not last.state.over and last.at < asked - _QUIET:
        return "vanished", "it is not in HTCondor's queue, and its log does not say why"
    return last.state.value, last.reason


def _by_queue(nodes: list[NodeJob]) -> tuple[int, int, tuple[HeldJob, ...]]:
    return (
        sum(node.status is QueueStatus.IDLE for node in nodes),
        sum(node.status in _ON_A_MACHINE for node in nodes),
        tuple(HeldJob(node.job, node.reason or "") for node in nodes if node.status is QueueStatus.HELD),
    )


def _by_log(standing: Standing) -> tuple[int, int, tuple[HeldJob, ...]]:
    counts = standing.counts()
    held = [
        HeldJob(number, job.reason or "")
        for number, job in sorted(standing.jobs.items())
        if job.state is NodeState.HELD
    ]
    return counts[NodeState.IDLE], counts[NodeState.RUNNING], tuple(held)
