"""The local engine: runs a plan's jobs on this machine, in dependency order, some at a time."""

from __future__ import annotations

import selectors

from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.attempts import Attempts
from planner.engines.checkpoints import checkpoints_for
from planner.engines.describe import describe
from planner.engines.hand_over import HandOver, NotMadeError
from planner.engines.launch import Ended, Launcher
from planner.engines.progress import Progress, Watch, refuse_other_store
from planner.engines.recorder import Recorder
from planner.engines.stop_signals import StopSignals
from planner.engines.survivors import wait_for_survivors
from planner.errors import PlannerError
from planner.run_folder import RunFolder
from provenance.store import Store

_WRAPPER_UNRECORDED = 4  # its exit status when it could not keep a record (docs/formats/invocation.md)
_TICK_SECONDS = 0.5  # how long at most until the engine looks whether a commit is due


class UnrecordedError(PlannerError):
    """Attempts cannot be recorded: nobody would know later what they did, so no more jobs start."""


def run_local(plan: EnginePlan, store: Store, *, at_once: int, watch: Watch) -> str:
    """Run what is left of a plan; the state that the run ends in: succeeded | failed | incomplete (interrupted).

    Raises OtherStoreError for a store that the plan was not recorded in, RunBusyError when another engine works in the
    folder, UnrecordedError when it takes no records. However this ends, no process of the run is left behind, except
    when this process itself is killed: then its wrappers finish their jobs, and the next engine waits for them.
    """
    refuse_other_store(plan, store)
    folder = RunFolder(plan.run_dir)
    with folder.lock(), StopSignals() as stop:
        if not wait_for_survivors(folder, stopped=stop.requested, note=watch.note):
            return "incomplete"
        folder.records.mkdir(exist_ok=True)
        with Launcher(folder.launcher_lock) as launcher, Recorder(plan, store, watch.note) as recorder:
            run = _LocalRun(plan, folder, launcher, recorder, stop, watch)
            run.progress.take_up()
            if run.progress.over_already():
                return "succeeded"
            run.work(at_once)
            return run.progress.conclude(stopped="interrupted" if stop.requested() else None)


class _LocalRun:
    """One run while it is at work; every method is a step of `run_local`."""

    def __init__(
        self,
        plan: EnginePlan,
        folder: RunFolder,
        launcher: Launcher,
        recorder: Recorder,
        stop: StopSignals,
        watch: Watch,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._launcher = launcher
        self._recorder = recorder
        self._stop = stop
        self._watch = watch
        self._attempts = Attempts(folder)
        self._hand_over = HandOver(plan, folder)
        self._running = 0
        self.progress = Progress(plan, self._attempts, self._hand_over, recorder, watch)

    def work(self, at_once: int) -> None:
        """Start jobs as they become ready and take in what ends, until nothing can start and nothing runs."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._launcher, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            stopping = False
            while True:
                if not stopping and self._stop.requested():
                    self._watch.note("stopping: ending the jobs that run")
                    self._launcher.stop(self._stop.TERM)
                    stopping = True
                while not stopping and self._running < at_once and (number := self.progress.schedule.start_next()):
                    self._start(self._plan.jobs[number - 1])
                self.progress.show(self._running)
                if not self._running:
                    return
                for key, _ in selector.select(_TICK_SECONDS):
                    if key.fileobj is self._launcher:
                        for reply in self._launcher.replies():
                            if isinstance(reply, Ended):
                                self._ended(reply)
                    else:
                        self._stop.drain()
                self._recorder.commit_if_due()

    def _start(self, job: EngineJob) -> None:
        try:
            inputs = self._hand_over.inputs_of(job)
        except NotMadeError as error:
            self.progress.not_started(job, str(error))
            return
        attempt = self._attempts.next(job.number)
        inputs += checkpoints_for(self._plan, self._folder, job, attempt, inputs)
        work_dir = self._folder.work_dir(job.number, attempt)
        record = self._folder.record_path(job.number, attempt)
        record.parent.mkdir(exist_ok=True)
        description = describe(self._plan, self.progress.guarded(job), attempt, inputs, work_dir)
        self._launcher.start(description, record)
        self._running += 1

    def _ended(self, ended: Ended) -> None:
        """A wrapper is gone: its record decides what becomes of the job."""
        self._running -= 1
        job = self._plan.jobs[ended.job - 1]
        if not ended.recorded and ended.status == _WRAPPER_UNRECORDED:
            raise UnrecordedError(
                f"{self._folder.records}: what {job.id} did could not be recorded",
                hint="look at the file system (space, quota, permissions), then run the folder again",
            )
        if not ended.recorded:
            reason = f"its wrapper {_how(ended.status)} and left no record"
            self.progress.lost(job, ended.attempt, reason, retry=True)
            return
        path = self._folder.record_path(ended.job, ended.attempt)
        if self.progress.ended(job, ended.attempt, path, stopping=self._stop.requested()):
            self._hand_over.tidy(self._folder.work_dir(ended.job, ended.attempt))


def _how(status: int) -> str:
    """How a wrapper ended that should have left a record."""
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
