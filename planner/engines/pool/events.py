"""What happens to the jobs of a run on the pool, in HTCondor's own words.

DAGMan has all nodes write into one event log. HTCondor tells some things twice (a job that is held was evicted just
before) and one not at all (a job that starts again because its shadow died); here each thing is told once.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.engines.pool.event_log import EventLog, LogEvent

_SUBMITTED, _STARTED, _CANNOT_EXECUTE, _EVICTED, _ENDED, _SHADOW_EXCEPTION = 0, 1, 2, 4, 5, 7  # ULogEventNumber
_REMOVED, _HELD, _RELEASED, _POST_ENDED, _DISCONNECTED, _RECONNECTED, _RECONNECT_FAILED = 9, 12, 13, 16, 22, 23, 24
_SETTLED = dt.timedelta(seconds=2)  # by then what explains an eviction is in the log too
_NODE = re.compile(r'DAGNodeName = "([0-9]+)"|DAG Node: ([0-9]+)$')
_SLOT = re.compile(r"SlotName: (?:[^@]*@)?(.+)")
_ADDRESS = re.compile(r"<([^?>]*)")
_CODES = re.compile(r"\bCode ([0-9]+) Subcode ([0-9]+)$")
_EXIT = re.compile(r"\([01]\) (?:Normal termination \(return value ([0-9]+)|Abnormal termination \(signal ([0-9]+))")
_USAGE = re.compile(  # lines that every event of this kind has, and that give no reason
    r"Usr [0-9]|[0-9]+ +- +(?:Run|Total) Bytes|\(0\) (?:CPU times|No core file)|Partitionable Res|\w+(?: \(\w+\))? +:"
)
_UNEXPLAINED = "HTCondor started it again and does not say why: its shadow died, or the schedd did"


class EventKind(enum.Enum):
    """What can happen to a node's job."""

    SUBMITTED = "submitted"
    STARTED = "started"
    HELD = "held"
    RELEASED = "released"
    EVICTED = "evicted"
    """Off its machine before it had ended; it is tried again."""
    DISCONNECTED = "disconnected"
    """HTCondor has lost contact with its machine and tries to find it again."""
    RECONNECTED = "reconnected"
    REMOVED = "removed"
    ENDED = "ended"
    POST = "post"
    """Its POST step has ended: DAGMan has its verdict."""


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """One thing that happened to the job of a node. ``job`` is the plan's number, ``at`` in UTC to the second.

    ``reason`` is HTCondor's text with its codes, of what was held, released, evicted, removed or disconnected; ``host``
    where it started; of what ended, ``exit_code`` or ``signal``.
    """

    job: int
    kind: EventKind
    at: dt.datetime
    cluster: int
    reason: str | None = None
    host: str | None = None
    exit_code: int | None = None
    signal: int | None = None


@dataclass(slots=True)
class _Job:
    """A job that has not ended: its node, what was told of it last, an eviction that may get an explanation."""

    node: int
    last: EventKind
    eviction: NodeEvent | None = None


class EventReader:
    """The event log of a run's nodes; what is told of one job is in order of time. Remembers jobs in the queue only.

    DAGMan begins the log anew each time it is submitted: events of earlier rounds are gone then.
    """

    def __init__(self, path: Path) -> None:
        self._log = EventLog(path)
        self._jobs: dict[int, _Job] = {}

    def news(self) -> Iterator[NodeEvent]:
        """What happened since the last call. An eviction of the last two seconds waits for the next. Raises OSError."""
        for event in self._log.news():
            yield from self._tell(event)
        settled = dt.datetime.now(dt.UTC) - _SETTLED
        for job in self._jobs.values():
            if job.eviction is not None and job.eviction.at < settled:
                yield job.eviction
                job.eviction = None

    def _tell(self, event: LogEvent) -> Iterator[NodeEvent]:
        if event.number in (_SUBMITTED, _POST_ENDED):
            node = _node(event)
            if node is not None:
                yield _node_event(event, node)
            if node is not None and event.number == _SUBMITTED:
                self._jobs[event.cluster] = _Job(node, EventKind.SUBMITTED)
            return
        job = self._jobs.get(event.cluster)
        if job is None or event.number not in _KINDS:
            return
        told = _node_event(event, job.node)
        if told.kind is EventKind.EVICTED:
            if job.last is not EventKind.EVICTED:
                job.eviction = told  # it may be told as something else
                job.last = told.kind
            return
        yield from self._before(job, told)
        job.last = told.kind
        if told.kind in (EventKind.ENDED, EventKind.REMOVED):
            del self._jobs[event.cluster]
        yield told

    def _before(self, job: _Job, next_told: NodeEvent) -> Iterator[NodeEvent]:
        """An eviction that has to be told before the next thing, if it is not what was meant by it."""
        eviction, job.eviction = job.eviction, None
        same = next_told.kind in (EventKind.HELD, EventKind.REMOVED)
        if eviction is not None and not (same and next_told.at - eviction.at <= _SETTLED):
            yield eviction
        if next_told.kind is EventKind.STARTED and job.last is EventKind.STARTED:
            yield NodeEvent(job.node, EventKind.EVICTED, next_told.at, next_told.cluster, _UNEXPLAINED)


_KINDS = {
    _SUBMITTED: EventKind.SUBMITTED,
    _STARTED: EventKind.STARTED,
    _CANNOT_EXECUTE: EventKind.EVICTED,
    _EVICTED: EventKind.EVICTED,
    _ENDED: EventKind.ENDED,
    _SHADOW_EXCEPTION: EventKind.EVICTED,
    _REMOVED: EventKind.REMOVED,
    _HELD: EventKind.HELD,
    _RELEASED: EventKind.RELEASED,
    _POST_ENDED: EventKind.POST,
    _DISCONNECTED: EventKind.DISCONNECTED,
    _RECONNECTED: EventKind.RECONNECTED,
    _RECONNECT_FAILED: EventKind.EVICTED,
}
_WITH_REASON = {kind for kind in EventKind if kind.name in ("HELD", "RELEASED", "EVICTED", "REMOVED", "DISCONNECTED")}


def _node(event: LogEvent) -> int | None:
    match = next((match for line in event.lines if (match := _NODE.search(line))), None)
    return int(match[1] or match[2]) if match else None


def _node_event(event: LogEvent, node: int) -> NodeEvent:
    kind = _KINDS[event.number]
    exit_code, signal = exit_of(event) if kind in (EventKind.ENDED, EventKind.POST) else (None, None)
    return NodeEvent(
        job=node,
        kind=kind,
        at=event.at,
        cluster=event.cluster,
        reason=reason_of(event) if kind in _WITH_REASON else None,
        host=_host(event) if kind is EventKind.STARTED else None,
        exit_code=exit_code,
        signal=signal,
    )


def exit_of(event: LogEvent) -> tuple[int | None, int | None]:
    """(exit code, signal) of what has ended."""
    match = next((match for line in event.lines if (match := _EXIT.search(line))), None)
    if match is None:
        return None, None
    return (int(match[1]), None) if match[1] else (None, int(match[2]))


def _host(event: LogEvent) -> str | None:
    slot = next((match for line in event.lines if (match := _SLOT.match(line))), None)
    if slot is not None:
        return slot[1]
    address = _ADDRESS.search(event.title)
    return address[1] if address else None


def reason_of(event: LogEvent) -> str | None:
    """Why, in HTCondor's words, with its code and subcode where it gives them; None if it says nothing."""
    given = [line.removeprefix("Reason: ") for line in event.lines if line.startswith("Reason: ")]
    words = given or [line for line in event.lines if not _USAGE.match(line) and not _CODES.fullmatch(line)]
    codes = next((match for line in (event.title, *event.lines) if (match := _CODES.search(line))), None)
    said = "; ".join(words)
    if codes is not None:
        said = f"{said} (code {codes[1]}, subcode {codes[2]})".lstrip()
    return said or None
