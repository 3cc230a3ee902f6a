"""Several files hashed at once, on as many cores as this process may use: hashing and reading leave Python's lock."""

import _thread  # not `threading`, which before Python 3.9 takes who imports it, here maybe a thread, for the main one
import os

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    T = TypeVar("T")

WORTH_A_THREAD_BYTES = 4 << 20  # what is hashed in the time that threads cost to start


def each(look: "Callable[[int], T]", sizes: "Sequence[int]") -> "list[T]":
    """What ``look`` gives for each of the files, by their number, in order. ``sizes`` are about what they hold.

    What one of them raises is raised once all have ended, the first in order first.
    """
    large = sum(size >= WORTH_A_THREAD_BYTES for size in sizes)
    threads = 1 if large < 2 else min(large, len(os.sched_getaffinity(0)))
    if threads < 2:
        return [look(number) for number in range(len(sizes))]
    found: "dict[int, T]" = {}
    raised: "dict[int, Exception]" = {}
    # The largest first, so that none of them is left to one core at the end.
    numbers = iter(sorted(range(len(sizes)), key=lambda number: -sizes[number]))
    lock = _thread.allocate_lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                found[number] = look(number)
            except Exception as error:  # noqa: BLE001 - raised below, in the thread that asked
                raised[number] = error

    _in_threads(work, threads)
    if raised:
        raise raised[min(raised)]
    return [found[number] for number in range(len(sizes))]


def _in_threads(work: "Callable[[], None]", count: int) -> None:
    """Do the same in so many threads, until the last of them has ended. One that hangs in a read does not keep the
    process from ending (in_time.py).
    """

    def do(at_work: "_thread.LockType") -> None:
        work()
        at_work.release()

    all_at_work = [_thread.allocate_lock() for _ in range(count)]
    for at_work in all_at_work:
        at_work.acquire()
        try:
            _thread.start_new_thread(do, (at_work,))
        except RuntimeError:
            do(at_work)  # the system has no room for a thread
    for at_work in all_at_work:
        at_work.acquire()


def size_of(path: bytes) -> int:
    """About what there is to hash at a path; 0 where nobody knows."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
