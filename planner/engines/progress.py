"""What has become of every job of a run, whichever engine runs it.

Invocation records are the truth: a job has succeeded when its record says so and its outputs are in their place.
Nothing else is kept on disk, so an engine can be killed at any moment and taken up again: it reads the records,
finishes what was left half done (moving outputs is idempotent, so is ingest) and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.attempts import Attempts
from planner.engines.hand_over import HandOver, ReusedFileBadError
from planner.engines.recorder import Recorder
from planner.engines.recovery import Lost, Recovered, Recovery
from planner.engines.schedule import BAD, DONE, JobState, Schedule
from planner.errors import PlannerError
from planner.transfer import TransferError
from provenance.checked_json import MalformedError
from provenance.ingest.record_files import record_bytes
from provenance.ingest.record_reader import read_record
from provenance.ingest.records import Record
from provenance.store import Store

_BECAME = {JobState.FAILED: "failed", JobState.INTEGRITY_FAILED: "was refused (integrity)"}  # of jobs in BAD


class OtherStoreError(PlannerError):
    """A plan belongs to the store that recorded it: another one knows neither its jobs nor what they read."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run tells a person about itself: ``progress(done, total, running, failed)`` and one-line notes."""

    progress: Callable[[int, int, int, int], None]
    note: Callable[[str], None]


def refuse_other_store(plan: EnginePlan, store: Store) -> None:
    """Raise OtherStoreError for a store that the plan was not recorded in."""
    if store.store_id != plan.store_id:
        raise OtherStoreError(
            f"{plan.run_dir} was planned with the store {plan.store} (id {plan.store_id}), "
            f"this is {store.storage.location} (id {store.store_id})",
            hint="Name that store with --store if it was moved, or plan again.",
        )


class Progress:
    """The jobs of a run while an engine is at work on it. The engine starts jobs and says what ended.

    ``brought_back`` are jobs that were thought to be done, or done for, and are to run (again) because of what others
    found: an engine that cannot start them at once does so later, and takes them out.
    """

    def __init__(
        self, plan: EnginePlan, attempts: Attempts, hand_over: HandOver, recorder: Recorder, watch: Watch
    ) -> None:
        self.schedule = Schedule(0, (), ())
        self.brought_back: set[int] = set()
        self._plan = plan
        self._attempts = attempts
        self._hand_over = hand_over
        self._recorder = recorder
        self._recovery = Recovery(plan, hand_over, recorder.copies)
        self._watch = watch
        self._finished = 0
        self._bad = 0
        self._not_started: list[tuple[int, str]] = []

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
                if record is not None:
                    self._recovery.altered(job, record)
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
        self.schedule = Schedule(len(self._plan.jobs), self._plan.edges, done)
        self._finished = len(done)
        self._recorder.running()
        called_failed = self._recorder.called_failed() if succeeded else ()
        for job, record in succeeded:
            if (job.number, record.attempt) in called_failed:
                self._recorder.mended(job, record.attempt)
            self._revive_readers_of_changed(job, record)
        for job in self._plan.jobs:
            if self.schedule.state(job.number) is JobState.REUSED:
                self._check_reused(job)

    def over_already(self) -> bool:
        """Whether there is nothing to do and nothing to record: the times of a run that has ended are not moved."""
        return all(each in DONE for each in self.schedule.states()) and self._recorder.has_succeeded()

    def conclude(self, *, stopped: str | None) -> str:
        """Record how the run ended and why jobs did not run; the state of the run. ``stopped``: who or what stopped it,
        if somebody did.
        """
        states = self.schedule.states()
        not_run = self._not_started + [
            (job, f"{self._plan.jobs[cause - 1].id}, which it depends on, {_BECAME[self.schedule.state(cause)]}")
            for job, cause in self.schedule.blocked()
        ]
        state, reason = "failed", f"{sum(each in BAD for each in states)} of {len(states)} jobs failed"
        if all(each in DONE for each in states):
            state, reason = "succeeded", ""
        elif stopped is not None:
            state, reason = "incomplete", stopped
        self._recorder.ended(state, reason or None, not_run if state == "failed" else [])
        return state

    def ended(self, job: EngineJob, attempt: int, path: Path, *, stopping: bool) -> bool:
        """An attempt has left a record, which decides what becomes of the job; whether it succeeded.

        ``stopping``: attempts are being interrupted, which is no failure of theirs.
        """
        try:
            record = read_record(record_bytes(path))
        except MalformedError as error:
            self._recorder.add(path)  # ingest puts it into quarantine, with this reason
            self.lost(job, attempt, f"its record cannot be believed: {error}", retry=False)
            return False
        if record.status == "succeeded":
            return self._succeeded(job, record, path)
        self._recorder.add(path)
        self._recovery.altered(job, record)
        if record.interrupted and stopping:
            self.schedule.failed(job.number)  # not counted: a stopped run is incomplete, and goes on later
        elif record.status == "integrity_failed":
            self._integrity_failed(job, record)
        else:
            self._failed(job, record.failure or "it failed", retry=True)
        return False

    def guarded(self, job: EngineJob) -> EngineJob:
        """The job as its next attempt is to be described; see `Recovery.guarded`."""
        return self._recovery.guarded(job)

    def lost(self, job: EngineJob, attempt: int, reason: str, *, retry: bool) -> None:
        """An attempt failed, although its record, if there is one, does not say so."""
        self._recorder.failed(job, attempt, reason)
        self._failed(job, reason, retry=retry)

    def not_started(self, job: EngineJob, reason: str) -> None:
        """A job that was ready could not be started at all."""
        self._not_started.append((job.number, reason))
        self._failed(job, reason, retry=False)

    def refused(self, job: EngineJob, path: Path) -> bool:
        """Whether the last attempt of a job, whose record is there and which is not tried again, was refused because of
        an input; what follows from that is done.
        """
        record = self._believed(job, path)
        if record is None or record.status != "integrity_failed":
            return False
        self._integrity_failed(job, record)
        return True

    def sent_altered(self, job: EngineJob, attempt: int, name: str, reason: str) -> None:
        """What the engine sent for an attempt did not arrive as it was, so that it did not start: it is sent again."""
        self._recover(job, attempt, reason, self._recovery.sent_altered(job, name))

    def gave_up(self, job: EngineJob, reason: str) -> None:
        """A job that was to be tried again will not be."""
        self._failed(job, reason, retry=False)

    def show(self, running: int) -> None:
        """Tell how far the run is."""
        self._watch.progress(self._finished, len(self._plan.jobs), running, self._bad)

    def _succeeded(self, job: EngineJob, record: Record, path: Path) -> bool:
        otherwise = self._hand_over.made_otherwise(job, record)
        problem = self._accept(job, record)
        if problem is not None:
            self._recorder.add(path)
            self.lost(job, record.attempt, problem, retry=False)
            return False
        self._recorder.add(path, self._hand_over.published(job.number))
        self._finished += 1
        self.schedule.succeeded(job.number)
        self._revive_readers_of_changed(job, record)
        self._repeat_readers_of_changed(job, record, otherwise)
        return True

    def _believed(self, job: EngineJob, path: Path) -> Record | None:
        """The record that an earlier engine left; None if it is damaged: the job runs again, ingest keeps it apart."""
        try:
            return read_record(record_bytes(path))
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
        """An input was not what it must be: the job runs again if that can be made good, else it has failed."""
        outcome = self._recovery.of(job, record, self.schedule.state)
        self._recover(job, record.attempt, record.failure or "an input did not match", outcome)

    def _recover(self, job: EngineJob, attempt: int, failure: str, outcome: Recovered | Lost) -> None:
        for number, placed in outcome.placed:
            self._recorder.placed(self._plan.jobs[number - 1], placed)
        for place in outcome.found:
            self._recorder.found(place)
        if isinstance(outcome, Lost):
            self._recorder.unrecoverable(job, attempt, outcome.reason)
            self._failed(job, f"{failure} ({outcome.reason})", retry=False, integrity=True)
            return
        for sentence in outcome.said:
            self._watch.note(f"{job.id} runs again: {sentence}")
            self._recorder.recovering(job, attempt, sentence)
        for number, reason in outcome.producers:
            self._revive(self._plan.jobs[number - 1], reason)
        self.brought_back.add(job.number)
        self.schedule.again(job.number)

    def _failed(self, job: EngineJob, reason: str, *, retry: bool, integrity: bool = False) -> None:
        if retry and self._attempts.may_retry(job):
            self._watch.note(f"{job.id}: {reason}; trying again")
            self.schedule.again(job.number)
            return
        self._watch.note(f"{job.id}: {reason}")
        self._bad += 1
        self.schedule.failed(job.number, integrity=integrity)

    def _check_reused(self, job: EngineJob) -> None:
        """Let a reused job's outputs appear in the output folder; revive it if one of them is gone or changed."""
        try:
            for placed in self._hand_over.show_reused(job):
                self._recorder.placed(job, placed)
        except (ReusedFileBadError, TransferError) as error:
            self._revive(job, str(error))

    def _revive(self, job: EngineJob, reason: str) -> None:
        """A job that is done runs after all, or again, and so do reused producers of what it reads if their outputs are
        gone too.
        """
        waiting = [(job, reason)]  # a stack of its own: chains may be longer than Python's
        while waiting:
            revived, why = waiting.pop()
            if self.schedule.state(revived.number) not in DONE:
                continue  # another job has brought it back already
            was_reused = self.schedule.state(revived.number) is JobState.REUSED
            self._watch.note(f"{revived.id} runs {'after all' if was_reused else 'again'}: {why}")
            self._finished -= 1
            self.schedule.revive(revived.number)
            self.brought_back.add(revived.number)
            self._recorder.revived(revived, why)
            for parent in self.schedule.parents(revived.number):
                if self.schedule.state(parent) is JobState.REUSED:
                    problem = self._hand_over.missing_for(self._plan.jobs[parent - 1], revived)
                    if problem:
                        waiting.append((self._plan.jobs[parent - 1], problem))

    def _revive_readers_of_changed(self, job: EngineJob, record: Record) -> None:
        """A job came out otherwise than the store had it: reused jobs that read it were left out on a false ground."""
        for name in self._hand_over.unexpected(job, record):
            for child in self.schedule.children(job.number):
                reader = self._plan.jobs[child - 1]
                if self.schedule.state(child) is JobState.REUSED and any(use.name == name for use in reader.uses):
                    self._revive(reader, f"{job.id} made another {name} this time: it is not deterministic")

    def _repeat_readers_of_changed(self, job: EngineJob, record: Record, names: Collection[str]) -> None:
        """A job that ran again made other bytes: those of its readers that were done had the former ones, and one run
        is to have one of them.
        """
        for name in names:
            why = f"{job.id} made another {name} this time: it is not deterministic"
            self._watch.note(why)
            self._recorder.nondeterministic(job, record.attempt, why)
            for child in self.schedule.children(job.number):
                reader = self._plan.jobs[child - 1]
                if self.schedule.state(child) in DONE and any(use.name == name for use in reader.uses):
                    self._revive(reader, why)
