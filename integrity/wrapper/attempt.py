"""One attempt from its first step to the contents of its record."""

import os
import time

from integrity.wrapper.command import Due
from integrity.wrapper.cores import each, size_of
from integrity.wrapper.description import REWRITTEN_ROLES, Job
from integrity.wrapper.errors import OverranError, StoppedError, UnpreparedError
from integrity.wrapper.execution import Execution
from integrity.wrapper.facts import facts
from integrity.wrapper.in_time import hangs, in_time
from integrity.wrapper.metadata import read_metadata
from integrity.wrapper.notation import clock_ns, reason, time_text, to_text
from integrity.wrapper.private_copies import PrivateCopies
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, libc_prctl, signal_descendants
from integrity.wrapper.record_file import Lock
from integrity.wrapper.signals import signal
from integrity.wrapper.staging import prepare
from integrity.wrapper.stop import Stop
from integrity.wrapper.verification import Verified, changed_input, hash_output, verify_input

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

RECORD_SCHEMA = "pirene.invocation/1"


class Attempt:
    """One attempt from its first step to its record; ``record`` fills up on the way.

    Commands die with this process, unless there is a ``lock`` that they inherit.
    """

    def __init__(self, job: Job, stop: Stop, lock: "Lock | None" = None) -> None:
        self.job = job
        self.stop = stop
        self._lock = lock
        self.main: "Execution | None" = None
        self.end_at: "float | None" = None  # of all steps and the looks at inputs, by the monotonic clock
        if job.walltime_seconds is not None:
            self.end_at = time.monotonic() + job.walltime_seconds
        self._at_work_on: "set[str]" = set()  # names of inputs that are being read
        self.verified: "list[Verified]" = []
        self.private_copies = PrivateCopies(job, stop.check)
        document = job.document
        self.record: "dict[str, Any]" = {"schema": RECORD_SCHEMA}
        for key in ("run_id", "job", "id", "attempt", "transformation", "site", "reuse_key"):
            self.record[key] = document.get(key)
        self.record.update(status="failed", failure=None, interrupted=False, start=time_text(clock_ns()), end=None)
        self.record.update(duration=None, exit_code=None, signal=None, pid=os.getpid(), cwd=to_text(job.work_dir))
        self.record.update(facts())
        self.record["argument_vector"] = [to_text(argument) for argument in job.main.argv]
        self.record["executable"] = None
        self.record["environment"] = {
            to_text(name): to_text(job.environment[name]) for name in job.recorded_names if name in job.environment
        }
        nothing = {"size": 0, "text": ""}
        self.record.update(usage=None, inputs=[], changed_inputs=[], outputs=[], stdout=nothing, stderr=nothing)
        self.record.update(metadata=None, steps=[], exceeded=None, checkpoint_signalled=None)

    def run(self) -> None:
        """Prepare, run all steps, look again, hash outputs. What goes wrong ends up in the record."""
        try:
            adopt_orphans()
            self._in_time(lambda: prepare(self.job, self.stop.check))
        except (UnpreparedError, StoppedError) as error:
            self._not_started(error)
            return
        self._run_steps()
        self._clean_up()
        if self.main is not None and self.main.started:
            self._look_again()
            if self.job.deliver is not None:
                self._deliver(self.job.deliver)

    def finish(self) -> "dict[str, Any]":
        """The record as it is written: a success only if nothing said otherwise."""
        if not hangs():  # else it may still write to what is open, and must not write to what is opened next
            self.private_copies.close()
        if self.record["failure"] is None:
            self.record["status"] = "succeeded"
        self.record["interrupted"] = self.stop.signal is not None
        self.record["end"] = time_text(clock_ns())
        return self.record

    def abandon(self, error: Exception) -> None:
        """After a bug of ours: no process may stay behind, and the record says what happened."""
        while True:
            signal_descendants(signal.SIGKILL)
            try:
                os.wait4(-1, 0)
            except ChildProcessError:
                break
        self.record["failure"] = None
        self._fail("a bug in the wrapper: %s: %s" % (type(error).__name__, error))

    def _fail(self, failure: str, status: str = "failed") -> None:
        """The first thing that went wrong is the one that is told; the lists have the rest."""
        if self.record["failure"] is None:
            self.record["failure"] = failure
            self.record["status"] = status

    def _not_started(self, error: "UnpreparedError | StoppedError") -> None:
        """Say why the command did not start."""
        if isinstance(error, OverranError):
            self.record["exceeded"] = "walltime_seconds"
            text = "the job may take %g s: they were over before the command started"
            busy = ", ".join("%r" % name for name in sorted(self._at_work_on))
            self._fail(text % self.job.walltime_seconds + (", while %s was read" % busy if busy else ""))
        elif isinstance(error, StoppedError):
            self._fail("%s before the command started" % error)
        else:
            self._fail(str(error))

    def _in_time(self, work: "Callable[[], T]") -> "T":
        self.stop.until = self.end_at
        made = in_time(work, self.stop)
        self.stop.until = None  # not after an error: what was given up may come back, and is to go no further
        return made

    def _verify(self) -> bool:
        for verified in self._in_time(self._look_at_inputs):
            self.record["inputs"].append(verified.entry)
            if verified.entry["finding"] is not None:
                self._fail(describe(verified.entry), "integrity_failed")
            elif verified.entry["role"] not in REWRITTEN_ROLES:
                self.verified.append(verified)
        return self.record["failure"] is None

    def _reading(self, given: "dict[str, Any]", read: "Callable[[dict[str, Any]], T]") -> "T":
        """What ``read`` makes of an input; one that it does not come back from is named."""
        self._at_work_on.add(given["name"])
        made = read(given)
        self._at_work_on.discard(given["name"])
        return made

    def _look_at_inputs(self) -> "list[Verified]":
        """Every input, made private where that was asked for, and looked at."""
        paths = [self.job.absolute(given["path"], "inputs.path") for given in self.job.inputs]
        private = [self._reading(given, self.private_copies.take) for given in self.job.inputs]

        def look(number: int) -> Verified:
            return self._reading(
                self.job.inputs[number],
                lambda given: verify_input(given, paths[number], "pre-exec", self.stop, private[number]),
            )

        return each(look, [size_of(path) for path in paths])

    def _run_steps(self) -> None:
        """All but the last, each if none before it failed; inputs are verified once they have been set up."""
        try:
            if self._step("setup") and self._verify():
                self.stop.check()
                if self._step("pre"):
                    self._execute()
        except (UnpreparedError, StoppedError) as error:
            self._not_started(error)
        if self.record["failure"] is None:
            self._step("post")

    def _step(self, name: str) -> bool:
        """Run a step, where the job has it; whether nothing has failed so far."""
        if name in self.job.steps:
            execution = Execution(self.job, self.job.steps[name])
            execution.run(self.stop, Due(self.end_at), self._lock)
            self._note(execution)
        return self.record["failure"] is None

    def _clean_up(self) -> None:
        """The last step runs whatever has become of the others, and changes nothing about that: its own failure is in
        its entry. Told to stop, or out of time, it has the grace.
        """
        step = self.job.steps.get("cleanup")
        if step is None:
            return
        end_at = self.end_at
        if end_at is not None or self.stop.signal is not None:
            end_at = max(end_at or 0.0, time.monotonic() + self.job.grace_seconds)
        execution = Execution(self.job, step)
        execution.run(self.stop, Due(end_at, heard=self.stop.count), self._lock)
        self._note(execution)

    def _note(self, execution: Execution) -> None:
        entry = dict(execution.entry, failure=execution.failure, **execution.tails())
        self.record["steps"].append(entry)
        if execution.failure is not None and execution.step.name != "cleanup":
            self._fail(execution.failure)
            self.record["exceeded"] = execution.exceeded

    def _execute(self) -> None:
        due = Due(self.end_at)
        if self.job.checkpoint_seconds is not None:
            due.checkpoint_at = time.monotonic() + self.job.checkpoint_seconds
            due.checkpoint_signal = self.job.checkpoint_signal
        self.main = Execution(self.job, self.job.main)
        self.main.run(self.stop, due, self._lock)
        for key in ("executable", "usage", "duration", "exit_code", "signal"):
            self.record[key] = self.main.entry[key]
        self.record.update(exceeded=self.main.exceeded, checkpoint_signalled=self.main.checkpoint_sent)
        if self.main.failure is not None:
            self._fail(self.main.failure)

    def _look_again(self) -> None:
        """After the last descendant has ended: inputs as they were, outputs as they are."""
        self.stop.since = time.monotonic()
        self.stop.patience_seconds = self.job.grace_seconds
        succeeded = self.record["failure"] is None
        try:
            for verified in self.verified:
                changed = changed_input(verified, self.stop)
                if changed is not None:
                    self.record["changed_inputs"].append(changed)
                    self._fail("input %r changed while the command ran: %s" % (changed["name"], changed["finding"]))
        except StoppedError as error:
            self._fail("%s before the inputs were looked at again" % error)
        paths = [self.job.absolute(given["path"], "outputs.path") for given in self.job.outputs]

        def look(number: int) -> "dict[str, Any]":
            return hash_output(self.job, self.job.outputs[number], succeeded, self.stop)

        for entry in each(look, [size_of(path) for path in paths]):
            self.record["outputs"].append(entry)
            if entry["finding"] is not None:
                self._fail("output %r: %s" % (entry["name"], entry["error"]))
        self.record["metadata"] = read_metadata(self.job.metadata_file)
        if self.main is not None:
            self.record.update(self.main.tails())

    def _deliver(self, folder: bytes) -> None:
        """Move every output that was hashed to where it is fetched from, named by its position: lists of files to
        transfer could not hold every name. Also those of a command that failed: they may tell why.
        """
        for position, entry in enumerate(self.record["outputs"]):
            if entry["sha256"] is None:
                continue
            try:
                os.rename(self.job.absolute(entry["path"], "outputs.path"), os.path.join(folder, b"%d" % position))
            except OSError as error:
                self._fail("output %r cannot be delivered: %s" % (entry["name"], reason(error)))


def adopt_orphans() -> None:
    """Have what outlives its parent below this process become its child. Raises UnpreparedError."""
    try:
        libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
    except OSError as error:
        raise UnpreparedError("all that the command starts could not be waited for: %s" % reason(error)) from error


def describe(entry: "Mapping[str, Any]") -> str:
    """One sentence on an input that is not as expected."""
    place = "" if entry["path"] == entry["name"] else " (%s)" % entry["path"]
    start = "input %r%s is %s" % (entry["name"], place, entry["finding"])
    if entry["error"] is not None:
        return "%s: %s" % (start, entry["error"])
    expected = "sha256 %s" % entry["sha256"] if entry["sha256"] else "%d bytes" % entry["size"]
    actual = "sha256 %s" % entry["actual_sha256"] if entry["sha256"] else "%d bytes" % entry["actual_size"]
    return "%s: expected %s, found %s" % (start, expected, actual)


def made(attempt: Attempt) -> "dict[str, Any]":
    """The record of an attempt, which is made now; whatever happens, there is one."""
    try:
        attempt.run()
    except Exception as error:  # noqa: BLE001 - the process boundary
        attempt.abandon(error)
    return attempt.finish()
