"""One round of a run on the pool, from its submission to DAGMan's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from planner.engines.pool import pool_queue
from planner.engines.pool.dagman_log import Round, RoundState, last_round
from planner.engines.pool.events import EventKind, EventReader, NodeEvent
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.schedd import QueueUnreachableError

_ASK_SECONDS = 15.0  # between questions to the schedd, which is to know no less than DAGMan's log
_OFF_THE_MACHINE = (EventKind.ENDED, EventKind.EVICTED, EventKind.HELD, EventKind.REMOVED)
_DID_ALL = (0, 1)  # DAGMan's exit codes when it has tried every node that it could


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """How a round ended. ``problem``: why DAGMan did not do all that it could; None: it did."""

    problem: str | None


class RoundWatch:
    """Looks at the log of one DAGMan, and at the events of its nodes. ``note`` is told what a person should hear."""

    def __init__(self, pool: PoolFolder, run_id: str, cluster: int, note: Callable[[str], None]) -> None:
        self._pool = pool
        self._run_id = run_id
        self._cluster = cluster
        self._note = note
        self._noted: str | None = None
        self._reader = EventReader(pool.events)
        self._running: set[int] = set()
        self._asked = time.monotonic()
        self._gone_before = False

    def events(self) -> Iterator[NodeEvent]:
        """What happened to nodes since the last call."""
        for event in self._reader.news():
            if event.kind is EventKind.STARTED:
                self._running.add(event.job)
            elif event.kind in _OFF_THE_MACHINE:
                self._running.discard(event.job)
            yield event

    def running(self) -> int:
        """How many jobs are on a machine, as far as the events that were read tell."""
        return len(self._running)

    def ended(self) -> RoundEnd | None:
        """How DAGMan ended; None while it is, or will be again, at work."""
        last = last_round(self._pool.dagman_events)
        if last is not None and last.cluster == self._cluster:
            if last.state.over:
                return RoundEnd(_problem(last))
            held = last.state is RoundState.HELD
            self._say(
                f"DAGMan {self._cluster} is held: {last.reason}; `condor_release` lets it go on" if held else None
            )
        if time.monotonic() - self._asked < _ASK_SECONDS:
            return None
        self._asked = time.monotonic()
        return self._vanished()

    def _vanished(self) -> RoundEnd | None:
        """DAGMan left the queue without a word in its log: a queue that was lost, a log that could not be written."""
        try:
            there = pool_queue.find(self._run_id)
        except QueueUnreachableError as error:
            self._say(f"{error}; waiting for it")
            return None
        if there is None and self._gone_before:  # twice: what ended just now is in the log by then
            return RoundEnd(f"DAGMan {self._cluster} vanished from HTCondor's queue, and its log does not say why")
        self._gone_before = there is None
        return None

    def _say(self, text: str | None) -> None:
        """Tell what is so now, once."""
        if text is not None and text != self._noted:
            self._note(text)
        self._noted = text


def _problem(last: Round) -> str | None:
    if last.state is RoundState.REMOVED:
        return f"DAGMan {last.cluster} was removed: {last.reason or 'HTCondor does not say why'}"
    if last.exit_code in _DID_ALL:
        return None
    how = f"with exit code {last.exit_code}" if last.signal is None else f"by signal {last.signal}"
    return f"DAGMan {last.cluster} ended {how} (see pool/run.dag.dagman.out)"
