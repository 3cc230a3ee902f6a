"""One step of a job, run to its end: what the record says of it, and why it did not succeed."""

import os

from integrity.wrapper.command import Command, Due
from integrity.wrapper.description import Job, Step
from integrity.wrapper.errors import UnpreparedError
from integrity.wrapper.executable import not_run, resolve
from integrity.wrapper.limits import WORDS, exceeded, in_force
from integrity.wrapper.notation import clock_ns, time_text, to_text
from integrity.wrapper.record_file import Lock
from integrity.wrapper.signals import name_of
from integrity.wrapper.stop import Stop
from integrity.wrapper.streams import Streams

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any


class Execution:
    """A step that was run, or could not be: ``started`` tells.

    ``entry`` is what the record says of it; ``failure`` one sentence or None; ``exceeded`` the limit that ended it.
    """

    def __init__(self, job: Job, step: Step) -> None:
        self.job = job
        self.step = step
        self.who = "the command" if step.name == "main" else "the %s step" % step.name
        self.started = False
        self.failure: "str | None" = None
        self.exceeded: "str | None" = None
        self.checkpoint_sent: "str | None" = None
        self.streams: "Streams | None" = None
        self.entry: "dict[str, Any]" = {
            "step": step.name,
            "argument_vector": [to_text(argument) for argument in step.argv],
            "executable": None,
            "start": time_text(clock_ns()),
            "duration": None,
            "exit_code": None,
            "signal": None,
            "usage": None,
        }

    def run(self, stop: Stop, due: Due, lock: "Lock | None") -> None:
        """Run it, with all that it starts. Without a lock that it inherits it dies with this process."""
        try:
            executable, absolute = resolve(self.job, self.step.argv[0])
            self.entry["executable"] = to_text(absolute)
            self.streams = Streams(self.step, self.job.tail_bytes)
            command = Command(self.job, (executable, self.step.argv), self.streams, stop, due, lock)
            command.wait()
            if command.exec_errno is not None:
                raise not_run(absolute, command.exec_errno)
        except UnpreparedError as error:
            self.failure = str(error)
            self.entry["exit_code"] = error.exit_code
            if self.streams is not None:
                self.streams.close()
            return
        self.started = True
        self.checkpoint_sent = command.checkpoint_sent
        self.entry.update(usage=command.usage, duration=round(command.duration or 0.0, 6))
        if command.told is not None:
            self.failure = self._ended_early(command.overran, stop)
        self._ended(command.status or 0)

    def tails(self) -> "dict[str, Any]":
        """The ends of what it wrote, once nothing of it runs any more."""
        nothing = {"size": 0, "text": ""}
        return {"stdout": nothing, "stderr": nothing} if self.streams is None else self.streams.documents()

    def _ended_early(self, overran: bool, stop: Stop) -> str:
        if not overran and stop.signal is not None:
            return "stopped by %s while %s ran" % (name_of(stop.signal), self.who)
        if self.step.name == "cleanup" or self.job.walltime_seconds is None:
            return "%s took longer than what time was left" % self.who
        self.exceeded = "walltime_seconds"
        return "%s was stopped: the job may take %g s" % (self.who, self.job.walltime_seconds)

    def _ended(self, status: int) -> None:
        limit = exceeded(self.job.limits, status)
        if os.WIFSIGNALED(status):
            self.entry["signal"] = os.WTERMSIG(status)
            how = "was ended by %s" % name_of(os.WTERMSIG(status))
        else:
            self.entry["exit_code"] = os.WEXITSTATUS(status)
            how = "exited with code %d" % os.WEXITSTATUS(status)
        if status == 0 or self.failure is not None:
            return
        if limit is not None:
            self.exceeded = limit
            words = WORDS[limit] % self.job.limits[limit]
            self.failure = "%s %s: it reached its limit of %s" % (self.who, how, words)
        else:
            self.failure = "%s %s%s" % (self.who, how, in_force(self.job.limits))
