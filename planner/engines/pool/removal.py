"""Takes a run off the pool, whoever put it there, and leaves a state in the store that `pirene run` goes on from."""

from __future__ import annotations

import contextlib
import datetime as dt
import time

from planner.engines.pool import pool_queue
from planner.errors import PlannerError
from planner.run_folder import RunBusyError, RunFolder
from provenance.answers.runs import Run, last_state
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.users import current_user

_REASON = "removed"
_NOT_OVER = (None, "planned", "running")
_ENGINE_SECONDS = 30.0  # an engine at work has noticed, and committed its last records, by then
_POLL_SECONDS = 0.2


class NotOnPoolError(PlannerError):
    """A run is no matter of HTCondor's."""


def remove_run(store: Store, run: Run) -> int:
    """Take ``run`` out of HTCondor's queue and wait until it has gone; how many jobs were there, DAGMan included (0:
    it was not there).

    An engine at work on the run notices, and says in the store that it is incomplete; where there is none, that is done
    here. Raises NotOnPoolError for a run of another engine, QueueError.
    """
    if run.engine != "htcondor":
        raise NotOnPoolError(
            f"{run.name} ({run.submit_dir}) does not run on the pool: its engine is {run.engine}",
            hint="A local run is ended by interrupting its `pirene run` (Ctrl-C).",
        )
    with contextlib.ExitStack() as stack:
        alone = _enter(stack, run)  # and no engine begins meanwhile
        jobs = pool_queue.remove(run.run_id, "pirene remove")
        deadline = time.monotonic() + _ENGINE_SECONDS
        while jobs and not alone and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            alone = _enter(stack, run)
        if jobs and alone:
            _say_incomplete(store, run.run)
    return jobs


def _say_incomplete(store: Store, run: int) -> None:
    """Commit that the run is incomplete, unless it is over, whoever says so meanwhile."""

    def rows(snapshot: Snapshot) -> Batch:
        batch = Batch()
        if last_state(store, run, snapshot=snapshot) in _NOT_OVER:
            batch.add("workflow_states", run=run, state="incomplete", at=dt.datetime.now(dt.UTC), reason=_REASON)
        return batch

    snapshot = store.snapshot()
    store.commit(
        CommitKind.INGEST,
        rows(snapshot),
        author=current_user(),
        rebase=lambda newest, _: rows(newest),
        base=snapshot,
    )


def _enter(stack: contextlib.ExitStack, run: Run) -> bool:
    """Lock the run folder, where there is still one; False if an engine is at work in it."""
    if not run.submit_dir.is_dir():
        return True
    try:
        stack.enter_context(RunFolder(run.submit_dir).lock())
    except RunBusyError:
        return False
    return True
