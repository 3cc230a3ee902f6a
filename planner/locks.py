"""Locks on files, which say that somebody is at work and end with the process that holds them, however it ends.

Some file systems have none: NFS without its lock service, some that run in user space. Work goes on there, and what a
lock would have told is unknown; no fact in a store depends on one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from enum import Enum
from pathlib import Path

_UNKNOWN = "?"
"""Where the system does not say."""
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})


class Lock(Enum):
    """What came of trying to lock a file."""

    OURS = "it is locked, until the descriptor is closed"
    OTHERS = "somebody else holds it"
    UNKNOWN = "this file system has no locks"


def try_lock(descriptor: int) -> Lock:
    """Lock an open file for this process and its children, without waiting. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Lock.OTHERS
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return Lock.UNKNOWN
        raise
    return Lock.OURS


def lock_if_possible(descriptor: int) -> None:
    """Lock an open file as soon as nobody else does; without a word where there are no locks. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


class Owner(Enum):
    """Who a file without a lock says has it."""

    NOBODY = "nobody, this process, or one that has ended"
    ALIVE = "a process of this machine that is alive"
    ELSEWHERE = "a process of another machine, of which nothing can be known from here"


def hold(descriptor: int) -> bool:
    """Lock an open file, without waiting; False: a process that is alive has it.

    Where there are no locks its text decides, which says who has it: then a process of another machine has it for as
    long as it says so, and of two that come at the very same moment both may think that they have it. Raises OSError.
    """
    lock = try_lock(descriptor)
    if lock is not Lock.UNKNOWN:
        return lock is Lock.OURS
    if owner(descriptor) is not Owner.NOBODY:
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{' '.join(_signature(os.getpid()))}\n".encode(), 0)
    return True


def let_go(descriptor: int) -> None:
    """Give back what `hold` gave, and close the descriptor: no text says any more that this process has it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
    release(descriptor)


def owner(descriptor: int) -> Owner:
    """Who has a file without a lock, by its text: host, process, when that was started, when the machine was.

    A machine that was started again, or a number that another process has by now, means that the owner has ended.
    """
    words = text(descriptor).split()
    if len(words) not in (2, 4) or not words[1].isdecimal():  # two: an older version
        return Owner.NOBODY
    host, process, *since = words
    if host != os.uname().nodename:
        return Owner.ELSEWHERE
    if int(process) == os.getpid() or not _is_alive(int(process)):
        return Owner.NOBODY
    now = _signature(int(process))[2:]
    same = all(one == other or _UNKNOWN in (one, other) for one, other in zip(since, now, strict=False))
    return Owner.ALIVE if same else Owner.NOBODY


def text(descriptor: int) -> str:
    """What a file without a lock says of who has it, for messages."""
    return os.pread(descriptor, 4096, 0).decode("utf-8", "replace").strip()


def _signature(process: int) -> tuple[str, str, str, str]:
    """What tells a process from every other, as far as the system says."""
    return (os.uname().nodename, str(process), _started(process), _boot())


def _started(process: int) -> str:
    """When it was started, in ticks since the machine was (proc(5), the 22nd field of ``stat``)."""
    try:
        # The second field is the program's name in parentheses, which may have spaces and parentheses in it.
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _UNKNOWN


def _boot() -> str:
    """When the machine was started: a random number of its own for each time."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _UNKNOWN


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # another user's
    return True


def release(descriptor: int) -> None:
    """Close a descriptor that was opened for its lock alone: nothing was written, so nothing can be lost."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
