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


def hold(descriptor: int) -> bool:
    """Lock an open file, without waiting; False: a process that is alive has it.

    Where there are no locks its text decides, which says who has it: a process of another machine counts as dead, and
    of two that come at the very same moment both may think that they have it. Raises OSError.
    """
    lock = try_lock(descriptor)
    if lock is not Lock.UNKNOWN:
        return lock is Lock.OURS
    if owner_lives(descriptor):
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.uname().nodename} {os.getpid()}\n".encode(), 0)
    return True


def owner_lives(descriptor: int) -> bool:
    """Whether the process that a file without a lock names is alive, and of this machine. This process is another."""
    words = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").split()
    if len(words) != 2 or words[0] != os.uname().nodename or not words[1].isdecimal():
        return False
    process = int(words[1])
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def release(descriptor: int) -> None:
    """Close a descriptor that was opened for its lock alone: nothing was written, so nothing can be lost."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
