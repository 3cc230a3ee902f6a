"""Work that ends when a job's time is over, whatever it waits for.

A read from a server that does not answer (NFS, FUSE) returns for no signal but the one that kills: no check between two
blocks is ever reached. So where a job has a limit, files are looked at in a thread, which is given up after it. The
kernel ends that thread with the process, which makes no other attempt.
"""

import _thread  # what `threading` is made of: that takes 2 ms to import
import os
import select

from integrity.wrapper.stop import Stop, milliseconds_until

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

HUNG_SECONDS = 1.0  # for the work to end by itself: it asks before every block that it reads

_given_up: "list[Callable[[], Any]]" = []


def hangs() -> bool:
    """Whether work of this process was given up, and may go on at any time."""
    return bool(_given_up)


def in_time(work: "Callable[[], T]", stop: Stop) -> "T":
    """What ``work`` gives, which asks ``stop.check``. Raises what it raises, OverranError or StoppedError."""
    if stop.until is None:
        return work()
    made: "list[T]" = []
    raised: "list[BaseException]" = []
    ended, end = os.pipe()

    def do() -> None:
        try:
            made.append(work())
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            raised.append(error)
        os.write(end, b".")

    try:
        _thread.start_new_thread(do, ())
    except RuntimeError:
        do()  # the system has no room for a thread: then nothing ends a read that hangs
    if not _has_ended(ended, stop):
        _given_up.append(work)
        raise stop.reason()
    os.close(ended)
    os.close(end)
    if raised:
        raise raised[0]
    return made[0]


def _has_ended(ended: int, stop: Stop) -> bool:
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(stop.wake, select.POLLIN)
    while not stop.is_due(HUNG_SECONDS):
        at = stop.ends_at()
        ready = poll.poll(milliseconds_until(None if at is None else at + HUNG_SECONDS))
        if any(descriptor == ended for descriptor, _ in ready):
            return True
        stop.drain()
    return False
