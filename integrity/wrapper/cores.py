"""Several files hashed at once, on as many cores as this process may use: hashing and reading leave Python's lock."""

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
    threads = min(large, len(os.sched_getaffinity(0)))
    if threads < 2:
        return [look(number) for number in range(len(sizes))]
    import threading

    found: "dict[int, T]" = {}
    raised: "dict[int, Exception]" = {}
    # The largest first, so that none of them is left to one core at the end.
    numbers = iter(sorted(range(len(sizes)), key=lambda number: -sizes[number]))
    lock = threading.Lock()

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

    # One that a server does not answer must not keep the process from ending (in_time.py).
    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if raised:
        raise raised[min(raised)]
    return [found[number] for number in range(len(sizes))]


def size_of(path: bytes) -> int:
    """About what there is to hash at a path; 0 where nobody knows."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
