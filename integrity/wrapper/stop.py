"""Being told to stop: signals to the wrapper, how long it may still go on after them, and the end of a job's time."""

import os
import time

from integrity.wrapper.errors import OverranError, StoppedError
from integrity.wrapper.signals import name_of, signal

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
AT_ONCE_SECONDS = 0.5  # sent to a process group (timeout, batch systems) it comes from there and from who passes it on
LONGEST_PAUSE_MILLISECONDS = 2**31 - 1  # what poll(2) takes: 24.8 days


class Stop:
    """Whether the wrapper was told to stop, and for how much longer it may go on. Also wakes a sleeping poll.

    ``count`` is how often; signals that come at once are one. ``patience_seconds`` is what it may still take after the
    signal, or after ``since``, whichever is later. ``until``: when it has to be through with what it is at, by the
    monotonic clock, whatever anybody says.
    """

    def __init__(self) -> None:
        self.signal: "int | None" = None
        self.count = 0
        self.patience_seconds = 0.0
        self.since = 0.0
        self.until: "float | None" = None
        self._at = 0.0
        self._counted_at = 0.0
        self.wake, self._wake_end = os.pipe()
        self.inherited: "dict[int, Any]" = {}

    def install(self) -> None:
        """Take the stop signals, except those that were ignored from the start (nohup), and the ends of children.

        Whoever forks this process may block them before: what came in between is taken now.
        """
        for descriptor in (self.wake, self._wake_end):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_end)
        for number in STOP_SIGNALS:
            self.inherited[number] = signal.getsignal(number)
            if self.inherited[number] != signal.SIG_IGN:
                signal.signal(number, self._told)
        self.inherited[signal.SIGCHLD] = signal.SIG_DFL
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOP_SIGNALS, signal.SIGCHLD))

    def close(self) -> None:
        """In a forked process that is to have signals of its own."""
        signal.set_wakeup_fd(-1)
        os.close(self.wake)
        os.close(self._wake_end)

    def retire(self) -> None:
        """After an attempt: handlers as they were. The signals stay blocked, for the process ends now or waits for
        another attempt.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP_SIGNALS, signal.SIGCHLD))
        for number, handler in self.inherited.items():
            signal.signal(number, handler)
        self.close()

    def reset(self) -> None:
        """What the command gets: signals as the wrapper got them; Python's own ignored SIGPIPE and SIGXFSZ undone."""
        signal.set_wakeup_fd(-1)
        for number, handler in self.inherited.items():
            signal.signal(number, signal.SIG_IGN if handler == signal.SIG_IGN else signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

    def _told(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self.signal is None:
            self.signal = number
            self._at = now
        elif now - self._counted_at < AT_ONCE_SECONDS:
            return
        self._counted_at = now
        self.count += 1

    def check(self) -> None:
        """Raise StoppedError once it was told to stop and its patience is over, OverranError after ``until``."""
        if self.is_due():
            raise self.reason()

    def is_due(self, seconds: float = 0.0) -> bool:
        """Whether that was so many seconds ago."""
        at = self.ends_at()
        return at is not None and time.monotonic() >= at + seconds

    def ends_at(self) -> "float | None":
        """When that is, by the monotonic clock; None: nobody has said so."""
        if self.signal is None:
            return self.until
        told = max(self._at, self.since) + self.patience_seconds
        return told if self.until is None else min(told, self.until)

    def reason(self) -> StoppedError:
        """Why work has to end."""
        return OverranError() if self.signal is None else StoppedError("stopped by %s" % name_of(self.signal))

    def drain(self) -> None:
        """Forget the wake-ups so far."""
        try:
            while os.read(self.wake, 4096):
                pass
        except BlockingIOError:
            return


def milliseconds_until(at: "float | None") -> "float | None":
    """What a poll may wait until a moment of the monotonic clock, or the longest pause, after which it is asked again;
    None: for ever.
    """
    if at is None:
        return None
    return min(max(0.0, at - time.monotonic()) * 1000, LONGEST_PAUSE_MILLISECONDS)
