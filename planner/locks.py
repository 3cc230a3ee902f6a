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


def release(descriptor: int) -> None:
    """Close a descriptor that was opened for its lock alone: nothing was written, so nothing can be lost."""
    with contextlib.suppress(OSError):
        os.close(descriptor)
