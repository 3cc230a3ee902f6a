"""How a round ended, by the event log of the DAGMan job itself, which all rounds of a run share."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, replace
from pathlib import Path

from planner.engines.pool.event_log import EventLog, LogEvent
from planner.engines.pool.events import exit_of, reason_of

_SUBMITTED, _STARTED, _EVICTED, _ENDED, _REMOVED, _HELD, _RELEASED = 0, 1, 4, 5, 9, 12, 13  # ULogEventNumber


class RoundState(enum.Enum):
    """Where the DAGMan of a round is, or how it ended."""

    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    ENDED = "ended"
    REMOVED = "removed"

    @property
    def over(self) -> bool:
        """Whether this DAGMan does nothing any more."""
        return self in (RoundState.ENDED, RoundState.REMOVED)


@dataclass(frozen=True, slots=True)
class Round:
    """The last word on a round. ``at`` in UTC; ``reason`` is HTCondor's of a DAGMan that is held, was removed (with who
    did it) or was put back to be started again; ``starts`` counts how often it was. Of one that has ended: its exit
    code (0: all nodes done; 1: nodes failed; 2: aborted) or signal.
    """

    cluster: int
    state: RoundState
    at: dt.datetime
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    starts: int = 0


def last_round(path: Path) -> Round | None:
    """The newest round of a run; None if none was ever submitted. Raises OSError."""
    last: Round | None = None
    for event in EventLog(path).news():
        if event.number == _SUBMITTED:
            last = Round(event.cluster, RoundState.IDLE, event.at)
        elif last is not None and event.cluster == last.cluster:
            last = _after(last, event)
    return last


def _after(last: Round, event: LogEvent) -> Round:
    if event.number == _STARTED:
        return replace(last, state=RoundState.RUNNING, at=event.at, starts=last.starts + 1)
    if event.number == _EVICTED:
        return replace(last, state=RoundState.IDLE, at=event.at, reason=reason_of(event))
    if event.number == _ENDED:
        exit_code, signal = exit_of(event)
        return replace(last, state=RoundState.ENDED, at=event.at, exit_code=exit_code, signal=signal)
    state = {_REMOVED: RoundState.REMOVED, _HELD: RoundState.HELD, _RELEASED: RoundState.IDLE}.get(event.number)
    if state is None:
        return last
    return replace(last, state=state, at=event.at, reason=reason_of(event))
