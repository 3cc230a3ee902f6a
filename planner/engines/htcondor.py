"""The HTCondor engine: hands a plan to DAGMan, watches it, and says in the store what becomes of it.

HTCondor's queue owns the run: this process may go, come back or run on after a restart of the schedd. It submits one
DAGMan a round. A round that ends with jobs that have to run although they were thought done (a reused file is gone, or
was not what a job was to read) is followed by another one, for all that is left.
"""

from __future__ import annotations

import select
from collections.abc import Iterator

from planner.engine_plan import EnginePlan
from planner.engines.attempts import Attempts
from planner.engines.pool import arrivals, pool_queue
from planner.engines.pool.arrivals import PoolHandOver
from planner.engines.pool.dag import write_done, write_pool_folder
from planner.engines.pool.events import EventKind, NodeEvent
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.pool_status import history
from planner.engines.pool.round_watch import RoundEnd, RoundWatch
from planner.engines.progress import Progress, Watch, refuse_other_store
from planner.engines.recorder import Recorder
from planner.engines.schedule import BAD, DONE, JobState
from planner.engines.stop_signals import StopSignals
from planner.run_folder import RunFolder
from provenance.store import Store

_TICK_SECONDS = 0.5
_TOLD = (
    EventKind.HELD,
    EventKind.RELEASED,
    EventKind.EVICTED,
    EventKind.REMOVED,
)  # and recorded, HTCondor's reason too


def run_htcondor(plan: EnginePlan, store: Store, *, at_once: int | None, watch: Watch) -> str:
    """Run what is left of a plan on the pool; the state that the run ends in: succeeded | failed | incomplete (DAGMan
    was removed or lost, or this process was told to stop watching: then the run goes on).

    Raises OtherStoreError for a store that the plan was not recorded in, RunBusyError when another engine works in the
    folder, QueueError when HTCondor does not take the run.
    """
    refuse_other_store(plan, store)
    folder = RunFolder(plan.run_dir)
    with folder.lock(), StopSignals() as stop:
        pool = PoolFolder.of(plan.run_dir)
        write_pool_folder(plan, pool)
        folder.records.mkdir(exist_ok=True)
        with Recorder(plan, store, watch.note) as recorder:
            return _PoolRun(plan, folder, pool, recorder, stop, watch).run(at_once)


class _PoolRun:
    """One run while it is watched; every method is a step of `run_htcondor`."""

    def __init__(
        self,
        plan: EnginePlan,
        folder: RunFolder,
        pool: PoolFolder,
        recorder: Recorder,
        stop: StopSignals,
        watch: Watch,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._pool = pool
        self._recorder = recorder
        self._stop = stop
        self._watch = watch
        self._run_id = str(plan.run_id)
        self._attempts = Attempts(folder)
        self._hand_over = PoolHandOver(plan, folder, pool)
        self._progress = Progress(plan, self._attempts, self._hand_over, recorder, watch)
        self._settled: set[tuple[int, int]] = set()

    def run(self, at_once: int | None) -> str:
        """Rounds, until nothing is left to do or nothing more can be done."""
        dagman = pool_queue.find(self._run_id)
        if dagman is None:
            arrivals.finish_steps(self._pool)
        self._take_up()
        for event in history(self._plan.run_dir):  # also what happened while nobody watched
            self._tell(event)
        if dagman is None and self._progress.over_already():
            return "succeeded"
        cluster = None if dagman is None else dagman.cluster
        if cluster is not None:
            self._watch.note(f"watching DAGMan {cluster}, which is at work on this run")
        end = RoundEnd(None)
        while cluster is not None or self._has_more():
            ended = self._until_round_ends(cluster or self._submit(at_once))
            if ended is None:
                return self._left_alone()
            end, cluster = ended, None
            if end.problem is not None:
                break
            self._settle_round()
            if not self._progress.brought_back:
                break
        return self._progress.conclude(stopped=end.problem)

    def _take_up(self) -> None:
        """Read what is there, records and refusals, whoever was watching when they came."""
        for _, _, path in arrivals.news(self._pool):
            path.unlink()
        self._attempts = Attempts(self._folder)
        self._progress = Progress(self._plan, self._attempts, self._hand_over, self._recorder, self._watch)
        self._settled = set()
        told = self._recorder.called_failed()
        for refused in arrivals.refusals(self._pool):
            self._settled.add((refused.job, refused.attempt))
            if refused.started and (refused.job, refused.attempt) not in told:
                self._recorder.failed(self._plan.jobs[refused.job - 1], refused.attempt, refused.reason)
        self._progress.take_up()
        for spooled in self._attempts.earlier_records():
            # A step may be about to hand over what this record tells of: then its news still counts.
            succeeded = self._progress.schedule.state(spooled.job) is JobState.SUCCEEDED
            if succeeded or self._attempts.last_record(spooled.job) != spooled:
                self._settled.add((spooled.job, spooled.attempt))

    def _has_more(self) -> bool:
        return any(state not in DONE for state in self._progress.schedule.states())

    def _submit(self, at_once: int | None) -> int:
        """Start a round: DAGMan runs every node that is not said to be done. Its cluster."""
        states = list(enumerate(self._progress.schedule.states(), start=1))
        self._pool.keep_events()
        self._pool.give_up(job for job, state in states if state in BAD)
        write_done(self._pool, (job for job, state in states if state in DONE))
        self._progress.brought_back.clear()
        self._attempts.begin_anew()
        cluster = pool_queue.submit(self._pool, self._run_id, self._plan.name, at_once)
        self._watch.note(f"submitted to HTCondor: DAGMan {cluster}")
        return cluster

    def _until_round_ends(self, cluster: int) -> RoundEnd | None:
        """Take in what comes until DAGMan has gone: how the round ended; None: told to stop watching."""
        round_watch = RoundWatch(self._pool, self._run_id, cluster, self._watch.note)
        while True:
            end = round_watch.ended()  # first: what came before the end is then taken in below
            for event in round_watch.events():
                self._tell(event)
            self._take_in_news()
            self._progress.show(round_watch.running())
            if end is not None:
                return end
            if self._stop.requested():
                return None
            select.select([self._stop], [], [], _TICK_SECONDS)
            self._recorder.commit_if_due()

    def _tell(self, event: NodeEvent) -> None:
        if event.kind in _TOLD and self._recorder.happened(event.job, event.kind.value, event.at, event.reason):
            self._watch.note(f"{self._plan.jobs[event.job - 1].id} was {event.kind.value}: {event.reason}")

    def _take_in_news(self) -> None:
        for number, attempt, path in arrivals.news(self._pool):
            if (number, attempt) not in self._settled:
                self._settled.add((number, attempt))
                self._attempts.began(number)
                self._settle(number, attempt)
            path.unlink(missing_ok=True)

    def _settle(self, number: int, attempt: int) -> None:
        """An attempt has ended: its record decides, unless the step on this side refused it."""
        job = self._plan.jobs[number - 1]
        record = self._folder.record_path(number, attempt)
        refused = arrivals.refusal(self._pool, number, attempt)
        if refused is None:
            self._progress.ended(job, attempt, record, stopping=False)
        elif not refused.started:
            self._progress.not_started(job, refused.reason)
        else:
            if record.exists():
                self._recorder.add(record)
            if refused.altered is not None:
                self._recorder.failed(job, attempt, refused.reason)
                self._progress.sent_altered(job, attempt, refused.altered, refused.reason)
                return
            self._progress.lost(job, attempt, refused.reason, retry=refused.retry)

    def _settle_round(self) -> None:
        """DAGMan has done what it could: what was ready and did not run to an end, it gave up, unless the next round is
        to run it.
        """
        left = Attempts(self._folder)
        refusals = {each.job: each for each in arrivals.refusals(self._pool)}  # the last of each
        for number in list(self._given_up()):
            job, last, refused = self._plan.jobs[number - 1], left.last_record(number), refusals.get(number)
            if refused is not None and last is not None and refused.attempt <= last.attempt:
                refused = None  # there was another attempt after it
            if refused is not None and not refused.started:
                self._progress.not_started(job, refused.reason)
            elif refused is not None and refused.altered is not None:
                self._progress.sent_altered(job, refused.attempt, refused.altered, refused.reason)
            elif last is not None and self._progress.refused(job, last.path):
                continue
            else:
                where = f"see node_step.log and {self._pool.dag.name}.dagman.out in {self._pool.root}"
                self._progress.gave_up(job, f"DAGMan gave it up ({where})")

    def _given_up(self) -> Iterator[int]:
        for number, state in enumerate(self._progress.schedule.states(), start=1):
            if state is JobState.READY and number not in self._progress.brought_back:
                yield number

    def _left_alone(self) -> str:
        """Stop watching; HTCondor goes on."""
        self._recorder.flush()
        self._watch.note(
            f"the run goes on without being watched: `pirene run {self._plan.run_dir}` watches it again, "
            f"`pirene remove {self._plan.run_dir}` ends it"
        )
        return "incomplete"
