"""Writers of one machine take turns, so that few of them lose the race for the next number and do their work again.

A courtesy, never a condition: what decides is who publishes first (`provenance.publication`). Where there are no locks,
on other machines, and when a turn lasts too long because its owner was stopped, writers just race, and who has lost
waits for a random moment before the next try.

There is a room, in which one writer is, and a door, at which one waits for it: who has had a turn is behind the one at
the door, however soon it comes again, and behind most others, who look the more often the longer they have waited.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from provenance.commits import FOLDER
from provenance.storage.interface import Storage
from provenance.storage.local import LocalStorage

_DOOR = "segments"
"""Folders are locked, not files: that takes no file, and no permission to write."""
_PATIENCE_SECONDS = 3.0
"""Nothing is published for so long: longer than any commit but a huge one takes."""
_ROOM_POLL_SECONDS = 0.002
_DOOR_POLL_SECONDS = 0.04
"""For who has just come; a quarter of it for who has waited for three seconds. A look costs 30 µs, and many wait."""
_LONGEST_PAUSE_SECONDS = 0.2


class _Having(threading.local):
    """The stores whose turn this thread has."""

    def __init__(self) -> None:
        self.turns: set[Path] = set()


_having = _Having()


@contextmanager
def turn(storage: Storage) -> Iterator[None]:
    """Wait until no other writer of this machine is about to commit, as long as others get on. A turn within a turn of
    the same thread does not wait.
    """
    root = storage.root if isinstance(storage, LocalStorage) else None
    if root is None or root in _having.turns:
        yield
        return
    with ExitStack() as in_room:
        room = _opened(root / FOLDER, in_room)
        with ExitStack() as at_door:
            _wait(_opened(root / _DOOR, at_door), room)
            _wait(room, room)
        _having.turns.add(root)
        in_room.callback(_having.turns.remove, root)
        yield


@contextmanager
def alone(storage: Storage) -> Iterator[bool]:
    """Do what would be in vain if another process of this machine did it at the same time; False: one does."""
    with ExitStack() as until:
        descriptor = _opened(storage.root, until) if isinstance(storage, LocalStorage) else None
        yield descriptor is None or not _is_locked(descriptor)


def after_a_lost_race(attempt_seconds: float) -> None:
    """Wait for up to as long as the attempt took, so that those who lost together do not meet again."""
    time.sleep(random.uniform(0, min(attempt_seconds, _LONGEST_PAUSE_SECONDS)))


def _opened(folder: Path, until: ExitStack) -> int | None:
    """A descriptor of the folder, closed when ``until`` is; None if it cannot be had."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    until.callback(_close, descriptor)
    return descriptor


def _wait(wanted: int | None, room: int | None) -> None:
    """Lock a folder as soon as nobody else does; give up if nothing has come into the ``room`` for too long."""
    if wanted is None or room is None:
        return
    begun = progress = time.monotonic()
    newest = os.fstat(room).st_mtime_ns
    while _is_locked(wanted):
        now = time.monotonic()
        if (changed := os.fstat(room).st_mtime_ns) != newest:
            newest, progress = changed, now
        if now - progress > _PATIENCE_SECONDS:
            return
        pause = _ROOM_POLL_SECONDS if wanted == room else _DOOR_POLL_SECONDS / (1 + min(now - begun, 3))
        time.sleep(random.uniform(0.5, 1.5) * pause)


def _is_locked(descriptor: int) -> bool:
    """Whether somebody else has it locked; if not, we have from now on, where there are locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass  # no locks here
    return False


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)
