"""Has wrappers at hand for the jobs of the local engine.

It exists because a job must not pay for an interpreter's start, and because an engine full of libraries is a bad
parent: forking it costs 26 ms, and a subreaper is process-wide. So the engine starts this small server before any heavy
import, as ``python3 -I -S launcher.py``, and talks to it in lines of JSON; ``docs/formats/invocation.md`` lists them.

No job depends on it: when its standard input closes it starts nothing more and ends after its last wrapper; when it is
killed, its wrappers finish all the same. A wrapper that is killed leaves nothing behind: all of its job falls to the
launcher, which ends it. If both are killed the job's lock tells of what is left (integrity/wrapper/start.py).
"""

from __future__ import annotations

import os
import select
import sys

TYPE_CHECKING = False  # the module `typing` would be in every wrapper's memory
if TYPE_CHECKING:
    from typing import Any

if __name__ == "__main__":
    # An isolated interpreter knows no package of ours. Last, so that none hides one of the standard library.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integrity.wrapper.command_line import open_standard_descriptors
from integrity.wrapper.facts import facts
from integrity.wrapper.json_text import parse, unparse
from integrity.wrapper.notation import to_bytes
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, libc_prctl
from integrity.wrapper.run import complain
from integrity.wrapper.signals import signal
from integrity.wrapper.stop import STOP_SIGNALS
from integrity.wrapper.workers import Workers, share_memory

READ_BYTES = 1 << 16


class Task:
    """What a wrapper is at work on."""

    __slots__ = ("attempt", "job", "record")

    def __init__(self, job: int, attempt: int, record: str) -> None:
        self.job = job
        self.attempt = attempt
        self.record = record


class Launcher:
    """The server: its wrappers, and the requests and replies that are on their way."""

    def __init__(self) -> None:
        self._workers = Workers(self._let_go)
        self._requests = bytearray()
        self._replies = bytearray()
        self._listening = True
        self._answering = True
        self._told: list[int] = []
        self._wake, self._wake_end = os.pipe()
        for descriptor in (self._wake, self._wake_end, 1):
            os.set_blocking(descriptor, False)

    def prepare(self) -> None:
        """Leave the terminal's session, take signals, and pay once for what every wrapper needs.

        Files that the engine left open to us (a lock, to show that wrappers live) stay open in wrappers, never in jobs.
        """
        for descriptor in open_descriptors():
            if descriptor > 2:
                os.set_inheritable(descriptor, False)
        if os.getsid(0) != os.getpid():
            os.setsid()  # Ctrl-C at the terminal is the engine's to interpret
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: self._told.append(number))
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
        facts()
        share_memory()

    def serve(self) -> None:
        """Answer requests until standard input has closed and the last wrapper is gone."""
        while self._listening or self._workers.busy or (self._replies and self._answering):
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(self._workers.news, select.POLLIN)
            if self._listening:
                poll.register(0, select.POLLIN)
            if self._replies and self._answering:
                poll.register(1, select.POLLOUT)
            events = dict(poll.poll())
            if self._wake in events:
                self._drain()
            if 0 in events:
                self._read(closed=bool(events[0] & select.POLLHUP))
            while self._told:
                self._listening = False  # told to end: as if standard input had closed
                self._stop(self._told.pop(0), None)
            self._hear()
            self._write()
        self._workers.close()

    def _drain(self) -> None:
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            return

    def _read(self, *, closed: bool) -> None:
        """Take requests. Once the engine is gone, what it had still asked for is not started."""
        chunk = os.read(0, READ_BYTES)
        if not chunk:
            self._listening = False
            return
        self._requests += chunk
        *lines, rest = self._requests.split(b"\n")
        self._requests = rest
        for line in lines:
            if line.strip():
                self._answer(line, closed=closed)

    def _answer(self, line: bytes | bytearray, *, closed: bool) -> None:
        try:
            request = parse(line.decode("utf-8"))
            if "start" in request:
                description = request["start"]
                job, attempt, record = int(description["job"]), int(description["attempt"]), str(request["record"])
                if not closed:
                    self._start(description, Task(job, attempt, record))
            else:
                job_to_stop = request.get("job")
                self._stop(int(request["stop"]), None if job_to_stop is None else int(job_to_stop))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._reply({"error": f"unusable request: {type(error).__name__}: {error}"})

    def _start(self, description: dict[str, Any], task: Task) -> None:
        try:
            pid = self._workers.start(description, task.record, task)
        except OSError as error:
            # The system is out of processes or memory: to the engine, an attempt that ended without a record.
            self._reply({"ended": task.job, "attempt": task.attempt, "status": 4, "record": False})
            complain(f"cannot fork a wrapper for job {task.job}: {error.strerror}", 4)
            return
        self._reply({"started": task.job, "attempt": task.attempt, "pid": pid})

    def _let_go(self) -> None:
        """In a forked wrapper: without the server's pipes and handlers."""
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)
        os.close(signal.set_wakeup_fd(-1))
        os.close(self._wake)
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # the server may have been started with SIGINT ignored

    def _stop(self, number: int, job: int | None) -> None:
        self._workers.stop(number, lambda task: job is None or task.job == job)

    def _hear(self) -> None:
        for task, status in self._workers.ended():
            there = os.path.exists(to_bytes(task.record))
            self._reply({"ended": task.job, "attempt": task.attempt, "status": status, "record": there})

    def _reply(self, document: dict[str, Any]) -> None:
        self._replies += unparse(document).encode("ascii") + b"\n"

    def _write(self) -> None:
        """Send what the pipe takes; an engine that does not read must not keep us from reading what it writes."""
        while self._replies and self._answering:
            try:
                del self._replies[: os.write(1, self._replies)]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._answering = False  # the engine is gone: nobody wants to know, the records are what counts


def open_descriptors() -> list[int]:
    """The files that this process has open; the one that the folder was listed through is closed again."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.append(int(name))
    return found


def main() -> int:
    """Serve standard input and output."""
    open_standard_descriptors()
    launcher = Launcher()
    launcher.prepare()
    launcher.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
