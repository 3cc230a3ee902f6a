"""Digests of many files at once, in the way that is quickest for their sizes.

Large files are read by a thread a core: reading and hashing happen outside the interpreter's lock. A thread that is
done takes the next file, so that one huge file keeps one core busy and not all the others waiting.

Small files are read by the calling thread alone, for theirs is mostly work under that lock: two threads that pass it to
each other take half as long again as one (10 000 files of 10 KB, in memory: 0.25 s by one, 0.42 s by two). Where that
thread has to wait for the system (a cold disk, a network), many threads wait together instead.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from integrity.digest import Hashed, Place, hash_path

Progress = Callable[[int, int], None]
"""Told of the files that are done and of the bytes that were read, since the start; in the calling thread."""

_SMALL_BYTES = 1 << 16
"""Hashing this much takes as long as the calls that open, look at and close a file."""
_PROBE_FILES = 64
_BLOCK_FILES = 4096
"""So many small files are read as their first few said that it is best."""
_WAITING_THREADS = 16
"""For files that are waited for: a disk or server has that many requests in hand without being drowned."""
_TICK_SECONDS = 0.1


def available_cores() -> int:
    """The cores that this process may use: containers and batch systems give fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def hash_many(
    paths: Sequence[Place],
    *,
    sizes: Sequence[int | None] | None = None,
    checksums: Sequence[Sequence[str]] | None = None,
    workers: int | None = None,
    stop_at_error: bool = False,
    progress: Progress | None = None,
) -> list[Hashed | OSError | None]:
    """Hash many files and folders; for each, in order, its digest or why it has none.

    ``sizes`` (bytes, about; None: large) tell small files from large ones, ``checksums`` are the foreign algorithms of
    each path, ``workers`` threads read large files (default: one a core). ``stop_at_error`` ends the work at the first
    path that has no digest; those that were not reached are None. An exception of another kind, or an interrupt, ends
    all of it.
    """
    work = _Work(paths, checksums, stop_at_error, progress)
    known = sizes or [None] * len(paths)
    small = [number for number, size in enumerate(known) if size is not None and size < _SMALL_BYTES]
    large = [number for number, size in enumerate(known) if size is None or size >= _SMALL_BYTES]
    for start in range(0, len(small), _BLOCK_FILES):
        block = small[start : start + _BLOCK_FILES]
        if work.had_to_wait(block[:_PROBE_FILES]):
            work.by_threads(block[_PROBE_FILES:], _WAITING_THREADS)
        else:
            work.alone(block[_PROBE_FILES:])
    work.by_threads(large, available_cores() if workers is None else workers)
    work.tell_the_end()
    return work.found


class _Work:
    """What is to be read, what was found, and what the threads share."""

    def __init__(
        self,
        paths: Sequence[Place],
        checksums: Sequence[Sequence[str]] | None,
        stop_at_error: bool,
        progress: Progress | None,
    ) -> None:
        self.found: list[Hashed | OSError | None] = [None] * len(paths)
        self.stopped = False
        self._paths = paths
        self._checksums = checksums
        self._stop_at_error = stop_at_error
        self._progress = progress
        self._begun = self._told = time.monotonic()
        self._before = _Tally(self)

    def had_to_wait(self, numbers: Sequence[int]) -> bool:
        """Read files, and whether that was mostly waiting: the thread gave its core away for every second file."""
        before = _waits()
        self.alone(numbers)
        return 2 * (_waits() - before) > len(numbers)

    def alone(self, numbers: Iterable[int]) -> None:
        """Read files in this thread."""
        for number in numbers:
            if self.stopped:
                return
            self.read(number, self._before)
            self._tell(self._before.files, self._before.bytes)

    def by_threads(self, numbers: Sequence[int], workers: int) -> None:
        """Read files in so many threads; raises what ended one of them."""
        queue = _Queue(numbers)
        readers = [_Reader(self, queue) for _ in range(min(workers, len(numbers)))]
        for reader in readers:
            reader.start()
        try:
            for reader in readers:
                while reader.is_alive():
                    reader.join(_TICK_SECONDS)
                    self._tell_of(readers)
        except BaseException:
            self.stopped = True
            raise
        for reader in readers:
            self._before.files += reader.tally.files
            self._before.bytes += reader.tally.bytes
            if reader.failure is not None:
                raise reader.failure

    def read(self, number: int, tally: _Tally) -> None:
        """Read one file and keep what was found."""
        checksums = () if self._checksums is None else self._checksums[number]
        try:
            self.found[number] = hash_path(self._paths[number], checksums=checksums, watch=tally.count)
        except OSError as error:
            self.found[number] = error
            self.stopped = self.stopped or self._stop_at_error
        tally.files += 1

    def tell_the_end(self) -> None:
        """Say that all is done, if anything was said of it before: work that is done at once needs no words."""
        if self._progress is not None and self._told > self._begun:
            self._progress(self._before.files, self._before.bytes)

    def _tell_of(self, readers: Iterable[_Reader]) -> None:
        tallies = [self._before, *(reader.tally for reader in readers)]
        self._tell(sum(tally.files for tally in tallies), sum(tally.bytes for tally in tallies))

    def _tell(self, files: int, size: int) -> None:
        if self._progress is not None and (now := time.monotonic()) - self._told >= _TICK_SECONDS:
            self._told = now
            self._progress(files, size)


class _Tally:
    """How far one thread is: every thread has its own, for adding to a number of several would lose some."""

    __slots__ = ("_work", "bytes", "files")

    def __init__(self, work: _Work) -> None:
        self._work = work
        self.files = 0
        self.bytes = 0

    def count(self, size: int) -> None:
        """Bytes were read. Ends the reading of a file that nobody waits for any more."""
        if self._work.stopped:
            raise _StoppedError
        self.bytes += size


class _Queue:
    """Numbers that several threads take, each once."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._rest = iter(numbers)
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """The next one; None: there are no more."""
        with self._lock:
            return next(self._rest, None)


class _Reader(threading.Thread):
    """A thread that reads files until there are none left; ``failure`` is what ended it before."""

    def __init__(self, work: _Work, queue: _Queue) -> None:
        super().__init__(daemon=True)
        self.failure: BaseException | None = None
        self.tally = _Tally(work)
        self._work = work
        self._queue = queue

    def run(self) -> None:
        try:
            while not self._work.stopped and (number := self._queue.take()) is not None:
                self._work.read(number, self.tally)
        except _StoppedError:
            return
        except BaseException as failure:  # noqa: BLE001 - a thread's boundary: raised again where it is waited for
            self.failure = failure
            self._work.stopped = True


class _StoppedError(Exception):
    """Raised in threads that are told to stop in the middle of a file; never seen outside."""


def _waits() -> int:
    """How often this thread gave its core away to wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
