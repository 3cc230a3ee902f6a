"""The local engine: runs a plan's jobs on this machine, in dependency order, some at a time.

Invocation records are the truth: a job has succeeded when its record says so and its outputs are in their place. The
engine keeps nothing else on disk, so it can be killed at any moment and taken up again: it reads the records, finishes
what was left half done (moving outputs is idempotent, so is ingest) and goes on.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.attempts import Attempts
from planner.engines.describe import describe
from planner.engines.hand_over import HandOver, NotMadeError, ReusedFileBadError
from planner.engines.launch import Ended, Launcher
from planner.engines.recorder import Recorder
from planner.engines.schedule import BAD, DONE, JobState, Schedule
from planner.engines.stop_signals import StopSignals
from planner.engines.survivors import wait_for_survivors
from planner.errors import PlannerError
from planner.run_folder import RunFolder
from planner.transfer import TransferError
from provenance.checked_json import MalformedError
from provenance.records import Record, read_record
from provenance.store import Store

_WRAPPER_UNRECORDED = 4  # its exit status when it could not keep a record (docs/formats/invocation.md)
_BECAME = {JobState.FAILED: "failed", JobState.INTEGRITY_FAILED: "was refused (integrity)"}  # of jobs in BAD
_TICK_SECONDS = 0.5  # how long at most until the engine looks whether a commit is due


class UnrecordedError(PlannerError):
    """Attempts cannot be recorded: nobody would know later what they did, so no more jobs start."""


class OtherStoreError(PlannerError):
    """A plan belongs to the store that recorded it: another one knows neither its jobs nor what they read."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run tells a person about itself: ``progress(done, total, running, failed)`` and one-line notes."""

    progress: Callable[[int, int, int, int], None]
    note: Callable[[str], None]


def run_local(plan: EnginePlan, store: Store, *, at_once: int, watch: Watch) -> str:
    """Run what is left of a plan; the state that the run ends in: succeeded | failed | incomplete (interrupted).

    Raises OtherStoreError for a store that the plan was not recorded in, RunBusyError when another engine works in the
    folder, UnrecordedError when it takes no records. However this ends, no process of the run is left behind, except
    when this process itself is killed: then its wrappers finish their jobs, and the next engine waits for them.
    """
    if store.store_id != plan.store_id:
        raise OtherStoreError(
            f"{plan.run_dir} was planned with the store {plan.store} (id {plan.store_id}), "
            f"this is {store.root} (id {store.store_id})",
            hint="Name that store with --store if it was moved, or plan again.",
        )
    folder = RunFolder(plan.run_dir)
    with folder.lock(), StopSignals() as stop:
        if not wait_for_survivors(folder, stopped=stop.requested, note=watch.note):
            return "incomplete"
        folder.records.mkdir(exist_ok=True)
        with Launcher(folder.launcher_lock) as launcher, Recorder(plan, store, watch.note) as recorder:
            run = _LocalRun(plan, folder, launcher, recorder, stop, watch)
            run.take_up()
            if run.over_already():
                return "succeeded"
            run.work(at_once)
            return run.conclude()


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
        self._finished = 0
        self._bad = 0
        self._not_started: list[tuple[int, str]] = []
        self._schedule = Schedule(0, (), ())

    def take_up(self) -> None:
        """Read what earlier engines left, then show or bring back what is reused."""
        done: list[tuple[int, JobState]] = []
        succeeded: list[tuple[EngineJob, Record]] = []
        for job in self._plan.jobs:
            left = self._attempts.last_record(job.number)
            if left is None:
                if job.decision == "reuse":
                    done.append((job.number, JobState.REUSED))
                continue
            record = self._believed(job, left.path)
            if record is None or record.status != "succeeded":
                continue
            problem = self._accept(job, record)
            if problem is None:
                done.append((job.number, JobState.SUCCEEDED))
                succeeded.append((job, record))
            else:
                self._watch.note(f"{job.id} runs again: {problem}")
        for spooled in self._attempts.earlier_records():
            # A kill may have come between moving outputs and recording where to: it is said again, and counts once.
            self._recorder.add(spooled.path, self._hand_over.published(spooled.job))
        self._schedule = Schedule(len(self._plan.jobs), self._plan.edges, done)
        self._finished = len(done)
        self._recorder.running()
        called_failed = self._recorder.called_failed() if succeeded else ()
        for job, record in succeeded:
            if (job.number, record.attempt) in called_failed:
                self._recorder.mended(job, record.attempt)
            self._revive_readers_of_changed(job, record)
        for job in self._plan.jobs:
            if self._schedule.state(job.number) is JobState.REUSED:
                self._check_reused(job)

    def over_already(self) -> bool:
        """Whether there is nothing to do and nothing to record: the times of a run that has ended are not moved."""
        return all(each in DONE for each in self._schedule.states()) and self._recorder.has_succeeded()

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
                while not stopping and self._running < at_once and (number := self._schedule.start_next()):
                    self._start(self._plan.jobs[number - 1])
                self._show()
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

    def conclude(self) -> str:
        """Record how the run ended and why jobs did not run; the state of the run."""
        states = self._schedule.states()
        not_run = self._not_started + [
            (job, f"{self._plan.jobs[cause - 1].id}, which it depends on, {_BECAME[self._schedule.state(cause)]}")
            for job, cause in self._schedule.blocked()
        ]
        state, reason = "failed", f"{sum(each in BAD for each in states)} of {len(states)} jobs failed"
        if all(each in DONE for each in states):
            state, reason = "succeeded", ""
        elif self._stop.requested():
            state, reason = "incomplete", "interrupted"
        self._recorder.ended(state, reason or None, not_run if state == "failed" else [])
        return state

    def _start(self, job: EngineJob) -> None:
        try:
            inputs = self._hand_over.inputs_of(job)
        except NotMadeError as error:
            self._not_started.append((job.number, str(error)))
            self._failed(job, str(error), retry=False)
            return
        attempt = self._attempts.next(job.number)
        work_dir = self._folder.work_dir(job.number, attempt)
        record = self._folder.record_path(job.number, attempt)
        record.parent.mkdir(exist_ok=True)
        self._launcher.start(describe(self._plan, job, attempt, inputs, work_dir), record)
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
            self._lost(job, ended.attempt, f"its wrapper {_how(ended.status)} and left no record", retry=True)
            return
        path = self._folder.record_path(ended.job, ended.attempt)
        try:
            record = read_record(path.read_bytes())
        except MalformedError as error:
            self._recorder.add(path)  # ingest puts it into quarantine, with this reason
            self._lost(job, ended.attempt, f"its record cannot be believed: {error}", retry=False)
            return
        if record.status == "succeeded":
            problem = self._accept(job, record)
            if problem is None:
                self._recorder.add(path, self._hand_over.published(job.number))
                self._finished += 1
                self._schedule.succeeded(job.number)
                self._hand_over.tidy(self._folder.work_dir(ended.job, ended.attempt))
                self._revive_readers_of_changed(job, record)
            else:
                self._recorder.add(path)
                self._lost(job, ended.attempt, problem, retry=False)
            return
        self._recorder.add(path)
        if record.interrupted and self._stop.requested():
            self._schedule.failed(job.number)  # not counted: a stopped run is incomplete, and goes on later
        elif record.status == "integrity_failed":
            self._integrity_failed(job, record)
        else:
            self._failed(job, record.failure or "it failed", retry=True)

    def _believed(self, job: EngineJob, path: Path) -> Record | None:
        """The record that an earlier engine left; None if it is damaged: the job runs again, ingest keeps it apart."""
        try:
            return read_record(path.read_bytes())
        except MalformedError as error:
            self._watch.note(f"{job.id} runs again: {path} cannot be believed: {error}")
            return None

    def _accept(self, job: EngineJob, record: Record) -> str | None:
        """Bring the outputs of a successful attempt to their places; why that cannot be done, or None."""
        try:
            self._hand_over.accept(job, record)
        except TransferError as error:
            return str(error)
        return None

    def _integrity_failed(self, job: EngineJob, record: Record) -> None:
        """An input was not what it must be. If a reused job gave it, that job runs after all and this one again."""
        producers = self._hand_over.reused_producers(job, record)
        for number in producers:  # another reader may have brought it back already
            self._revive(self._plan.jobs[number - 1], f"its output did not match when {job.id} was to read it")
        if producers:
            self._schedule.again(job.number)
            return
        self._failed(job, record.failure or "an input did not match", retry=False, integrity=True)

    def _lost(self, job: EngineJob, attempt: int, reason: str, *, retry: bool) -> None:
        """An attempt failed, although its record, if there is one, does not say so."""
        self._recorder.failed(job, attempt, reason)
        self._failed(job, reason, retry=retry)

    def _failed(self, job: EngineJob, reason: str, *, retry: bool, integrity: bool = False) -> None:
        if retry and self._attempts.may_retry(job):
            self._watch.note(f"{job.id}: {reason}; trying again")
            self._schedule.again(job.number)
            return
        self._watch.note(f"{job.id}: {reason}")
        self._bad += 1
        self._schedule.failed(job.number, integrity=integrity)

    def _check_reused(self, job: EngineJob) -> None:
        """Let a reused job's outputs appear in the output folder; revive it if one of them is gone or changed."""
        try:
            for placed in self._hand_over.show_reused(job):
                self._recorder.placed(job, placed)
        except (ReusedFileBadError, TransferError) as error:
            self._revive(job, str(error))

    def _revive(self, job: EngineJob, reason: str) -> None:
        """A reused job runs after all, and so do reused producers of what it reads if their outputs are gone too."""
        waiting = [(job, reason)]  # a stack of its own: chains may be longer than Python's
        while waiting:
            revived, why = waiting.pop()
            if self._schedule.state(revived.number) is not JobState.REUSED:
                continue  # another job has brought it back already
            self._watch.note(f"{revived.id} runs after all: {why}")
            self._finished -= 1
            self._schedule.revive(revived.number)
            self._recorder.revived(revived, why)
            for parent in self._schedule.parents(revived.number):
                if self._schedule.state(parent) is JobState.REUSED:
                    problem = self._hand_over.missing_for(self._plan.jobs[parent - 1], revived)
                    if problem:
                        waiting.append((self._plan.jobs[parent - 1], problem))

    def _revive_readers_of_changed(self, job: EngineJob, record: Record) -> None:
        """A job came out otherwise than the store had it: reused jobs that read it were left out on a false ground."""
        for name in self._hand_over.unexpected(job, record):
            for child in self._schedule.children(job.number):
                reader = self._plan.jobs[child - 1]
                if self._schedule.state(child) is JobState.REUSED and any(use.name == name for use in reader.uses):
                    self._revive(reader, f"{job.id} made another {name} this time: it is not deterministic")

    def _show(self) -> None:
        self._watch.progress(self._finished, len(self._plan.jobs), self._running, self._bad)


def _how(status: int) -> str:
    """How a wrapper ended that should have left a record."""
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
