"""How fast copies are read: no faster than somebody else leaves room for, no longer than there is time.

What has begun to be read is read to its end: a file that takes longer than the time there is would otherwise be begun
for ever, and never be verified.
"""

from __future__ import annotations

import threading
import time


class StoppedError(Exception):
    """Nobody waits for what is being read any more."""


class Pace:
    """A watch (integrity/digest.py) over all readers together, and the clock that says when to begin no more.

    ``bytes_per_second`` None: as fast as the disk gives them; ``seconds`` None: until the end. Thread-safe.
    """

    def __init__(self, *, bytes_per_second: float | None = None, seconds: float | None = None) -> None:
        self._bytes_per_second = bytes_per_second
        self._begin = time.monotonic()
        self._end = None if seconds is None else self._begin + seconds
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._read_bytes = 0
        self._free_at = self._begin

    @property
    def read_bytes(self) -> int:
        """How many bytes were read so far."""
        return self._read_bytes

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._begin

    @property
    def is_over(self) -> bool:
        """Whether the time is up, or it was stopped: nothing more is to be begun."""
        return self._stopped.is_set() or (self._end is not None and time.monotonic() >= self._end)

    def stop(self) -> None:
        """Let readers end at once: what they have read of a file counts for nothing."""
        self._stopped.set()

    def __call__(self, count: int) -> None:
        """``count`` bytes were read: wait until that many more may be. Raises StoppedError."""
        with self._lock:
            self._read_bytes += count
            if self._bytes_per_second is not None:
                # Time that nobody used is lost: after a pause there is no burst.
                self._free_at = max(self._free_at, time.monotonic()) + count / self._bytes_per_second
            free_at = self._free_at
        if self._stopped.wait(max(0.0, free_at - time.monotonic())):
            raise StoppedError
