"""The running command with all of its descendants, from its start to the end of the last one."""

import os
import resource  # noqa: F401 - wait4 needs it, and would load it anew in every forked child
import select
import time

from integrity.wrapper.description import Job
from integrity.wrapper.notation import clock_ns, time_text
from integrity.wrapper.processes import descendants, process_tree, send, signal_descendants, started, ticks
from integrity.wrapper.record_file import Lock
from integrity.wrapper.signals import signal
from integrity.wrapper.start import forked, spawned
from integrity.wrapper.stop import Stop, milliseconds_until
from integrity.wrapper.streams import Streams

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

KILL_INTERVAL_SECONDS = 0.05  # between rounds of SIGKILL, for processes that were forked during the last one
# What the record calls it, what the system calls it, and the unit that the system counts it in (seconds, bytes or one).
USAGE = {
    "utime": ("ru_utime", 1),
    "stime": ("ru_stime", 1),
    "maxrss": ("ru_maxrss", 1024),
    "minflt": ("ru_minflt", 1),
    "majflt": ("ru_majflt", 1),
    "nvcsw": ("ru_nvcsw", 1),
    "nivcsw": ("ru_nivcsw", 1),
    "inblock": ("ru_inblock", 512),
    "outblock": ("ru_oublock", 512),
}


class Due:
    """When something is to happen to a command, by the monotonic clock in seconds; None: never.

    ``heard`` stop signals came before it was started and do not concern it.
    """

    def __init__(self, end_at: "float | None" = None, heard: int = 0) -> None:
        self.end_at = end_at
        self.heard = heard
        self.checkpoint_at: "float | None" = None
        self.checkpoint_signal = 0


class Command:
    """A running command and all of its descendants, until the last one has ended.

    ``status`` is the wait status of the command itself; ``usage`` sums up everything that was reaped. ``told``: those
    that were told to end, because the wrapper was or, if it ``overran``, because its time was over. Made, it runs;
    UnpreparedError where the system has no room for another process or file. Without a ``lock`` that tells of it, the
    command dies with this process.
    """

    def __init__(
        self,
        job: Job,
        program: "tuple[bytes, list[bytes]]",
        streams: Streams,
        stop: Stop,
        due: Due,
        lock: "Lock | None",
    ) -> None:
        self._stop = stop
        self._streams = streams
        self._grace_seconds = job.grace_seconds
        self._due = due
        self._kill_at: "float | None" = None
        self._reaped = False
        self._errors = -1  # what tells why exec was refused; none where nobody need ask
        self.exec_errno: "int | None" = None
        self.told: "set[int] | None" = None
        self.overran = False
        self.checkpoint_sent: "str | None" = None  # the time of day
        self.status: "int | None" = None
        self.duration: "float | None" = None
        self.usage: "dict[str, Any]" = dict.fromkeys(USAGE, 0)
        self._begin = time.monotonic()
        pid = None
        if lock is not None:
            since = ticks()
            pid = spawned(job, program, streams.ends)
            if pid is not None:
                lock.name(pid, since if since == ticks() else started(pid))
        if pid is None:
            pid, self._errors = forked(job, program, streams.ends, stop)
        self.pid = pid
        streams.close_ends()

    def wait(self) -> None:
        """Read the pipes and reap until no descendant is left; at its end by signal or clock TERM to all, after the
        grace KILL.
        """
        poll = select.poll()
        poll.register(self._stop.wake, select.POLLIN)
        self._streams.watch(poll)
        while self._reap():
            self._checkpoint_if_due()
            self._end_if_due()
            for descriptor, _ in poll.poll(self._pause_milliseconds()):
                if descriptor == self._stop.wake:
                    self._stop.drain()
                else:
                    self._streams.ready(descriptor, poll)
        self._hear_of_exec()
        self._streams.drain()
        self._wait_for_readers()
        self._streams.close()

    def _wait_for_readers(self) -> None:
        """What was written last is passed on before the streams are closed. A reader that has stopped is waited for
        until the time of the command is over (if it was told to end: for the grace), or the wrapper is told to stop.
        """
        until = self._due.end_at if self.told is None else time.monotonic() + self._grace_seconds
        heard = self._due.heard if self.told is None else self._stop.count
        while self._stop.count == heard and (until is None or time.monotonic() < until):
            behind = self._streams.behind()
            if not behind:
                return
            poll = select.poll()
            poll.register(self._stop.wake, select.POLLIN)
            for descriptor in behind:
                poll.register(descriptor, select.POLLOUT)
            poll.poll(milliseconds_until(until))
            self._stop.drain()

    def _checkpoint_if_due(self) -> None:
        at = self._due.checkpoint_at
        if at is not None and self.checkpoint_sent is None and self.status is None and time.monotonic() >= at:
            self.checkpoint_sent = time_text(clock_ns())
            send(self.pid, self._due.checkpoint_signal)

    def _end_if_due(self) -> None:
        now = time.monotonic()
        if self.told is None:
            self.overran = self._due.end_at is not None and now >= self._due.end_at
            if self.overran or self._stop.count > self._due.heard:
                self._kill_at = now + self._grace_seconds
                self.told = set()
                self._tell(descendants(process_tree(), [os.getpid()]))
        elif self._reaped:
            # Forked while the others were told, and its parent is gone. A child of one that lives may be its way of
            # ending well: that is left alone.
            self._tell(process_tree().get(os.getpid(), []))
        self._reaped = False
        if self._kill_at is not None and (self._stop.count > self._due.heard + 1 or now >= self._kill_at):
            signal_descendants(signal.SIGKILL)
            self._kill_at = time.monotonic() + KILL_INTERVAL_SECONDS

    def _pause_milliseconds(self) -> "float | None":
        """How long nothing is to be done by the clock; or the longest pause, after which it is asked again."""
        times = [self._due.end_at if self.told is None else self._kill_at]
        if self.checkpoint_sent is None and self.status is None:
            times.append(self._due.checkpoint_at)
        return milliseconds_until(min([at for at in times if at is not None], default=None))

    def _tell(self, pids: "list[int]") -> None:
        for pid in pids:
            if self.told is not None and pid not in self.told:
                self.told.add(pid)
                send(pid, signal.SIGTERM)
                send(pid, signal.SIGCONT)  # a stopped process must wake up to end

    def _hear_of_exec(self) -> None:
        """Whether exec was refused: the child ended at once then, and nobody need be woken before."""
        if self._errors < 0:
            return
        text = os.read(self._errors, 16)
        self.exec_errno = int(text) if text else None
        os.close(self._errors)

    def _reap(self) -> bool:
        """Take all that has ended; False once there is no descendant left."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._reaped = True
            if pid == self.pid:
                self.status = status
                self.duration = time.monotonic() - self._begin
            self._add(usage)

    def _add(self, usage: "Any") -> None:
        for name, (field, unit) in USAGE.items():
            value = getattr(usage, field) * unit
            self.usage[name] = max(self.usage[name], value) if name == "maxrss" else round(self.usage[name] + value, 6)
