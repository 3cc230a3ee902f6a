"""Ctrl-C, SIGTERM and SIGHUP become a readable descriptor: the engine decides when to act on them."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While this context is open, signals that ask to stop are noted instead of ending the process."""

    TERM = int(signal.SIGTERM)

    def __init__(self) -> None:
        self._requested = False
        self._before: dict[int, object] = {}
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = -1

    def __enter__(self) -> StopSignals:
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _STOPPING:
            # A signal that was ignored when we started (nohup) stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave, signal takes
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader

    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self._requested

    def drain(self) -> None:
        """Make the descriptor quiet again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
