"""One attempt from its first step to the contents of its record."""

import os
import signal
import time

from integrity.wrapper.command import Command
from integrity.wrapper.description import REWRITTEN_ROLES, Job
from integrity.wrapper.errors import StoppedError, UnpreparedError
from integrity.wrapper.executable import not_run, resolve
from integrity.wrapper.facts import facts
from integrity.wrapper.metadata import read_metadata
from integrity.wrapper.notation import clock_ns, reason, signal_name, time_text, to_text
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, libc_prctl, signal_descendants
from integrity.wrapper.staging import prepare
from integrity.wrapper.stop import Stop
from integrity.wrapper.streams import Streams
from integrity.wrapper.verification import Verified, changed_input, hash_output, verify_input

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

RECORD_SCHEMA = "pirene.invocation/1"


class Attempt:
    """One attempt from its first step to its record; ``record`` fills up on the way."""

    def __init__(self, job: Job, stop: Stop) -> None:
        self.job = job
        self.stop = stop
        self.command: "Command | None" = None
        self.streams: "Streams | None" = None
        self.verified: "list[Verified]" = []
        document = job.document
        self.record: "dict[str, Any]" = {"schema": RECORD_SCHEMA}
        for key in ("run_id", "job", "id", "attempt", "transformation", "site", "reuse_key"):
            self.record[key] = document.get(key)
        self.record.update(status="failed", failure=None, interrupted=False, start=time_text(clock_ns()), end=None)
        self.record.update(duration=None, exit_code=None, signal=None, pid=os.getpid(), cwd=to_text(job.work_dir))
        self.record.update(facts())
        self.record["argument_vector"] = [to_text(argument) for argument in job.argv]
        self.record["executable"] = None
        self.record["environment"] = {
            to_text(name): to_text(job.environment[name]) for name in job.recorded_names if name in job.environment
        }
        nothing = {"size": 0, "text": ""}
        self.record.update(usage=None, inputs=[], changed_inputs=[], outputs=[], stdout=nothing, stderr=nothing)
        self.record["metadata"] = None

    def run(self) -> None:
        """Prepare, verify, execute, look again, hash outputs. What goes wrong ends up in the record."""
        try:
            libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
            prepare(self.job, self.stop.check)
            if not self._verify():
                return
            self.stop.check()
            self._execute()
        except UnpreparedError as error:
            self._fail(str(error))
            self.record["exit_code"] = error.exit_code
        except StoppedError as error:
            self._fail("%s before the command started" % error)
        if self.command is not None:
            self._look_again()
            if self.job.deliver is not None:
                self._deliver(self.job.deliver)

    def finish(self) -> "dict[str, Any]":
        """The record as it is written: a success only if nothing said otherwise."""
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

    def _verify(self) -> bool:
        for given in self.job.inputs:
            path = self.job.absolute(given["path"], "inputs.path")
            verified = verify_input(given, path, "pre-exec", self.stop)
            self.record["inputs"].append(verified.entry)
            if verified.entry["finding"] is not None:
                self._fail(describe(verified.entry), "integrity_failed")
            elif verified.found is not None and verified.entry["role"] not in REWRITTEN_ROLES:
                self.verified.append(verified)
        return self.record["failure"] is None

    def _execute(self) -> None:
        executable, absolute = resolve(self.job)
        self.record["executable"] = to_text(absolute)
        self.streams = Streams(self.job)
        command = Command(self.job, executable, self.streams, self.stop)
        command.wait()
        if command.exec_errno is not None:
            raise not_run(absolute, command.exec_errno)
        self.command = command
        self.record["usage"] = command.usage
        self.record["duration"] = round(command.duration or 0.0, 6)
        status = command.status or 0
        if command.told is not None and self.stop.signal is not None:
            self._fail("stopped by %s while the command ran" % signal.Signals(self.stop.signal).name)
        if os.WIFSIGNALED(status):
            self.record["signal"] = os.WTERMSIG(status)
            self._fail("the command was ended by %s" % signal_name(os.WTERMSIG(status)))
        else:
            self.record["exit_code"] = os.WEXITSTATUS(status)
            if self.record["exit_code"] != 0:
                self._fail("the command exited with code %d" % self.record["exit_code"])

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
        for given in self.job.outputs:
            entry = hash_output(given, self.job.absolute(given["path"], "outputs.path"), succeeded, self.stop)
            self.record["outputs"].append(entry)
            if entry["finding"] is not None:
                self._fail("output %r: %s" % (entry["name"], entry["error"]))
        self.record["metadata"] = read_metadata(self.job.metadata_file)
        if self.streams is not None:
            self.record.update(self.streams.documents())

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
