"""Writers of one machine take turns, so that few of them lose the race for the next number and do their work again.

A courtesy, never a condition: what decides is who publishes first (`provenance.publishing.publication`). Where there
are no locks, on other machines, and when a turn lasts too long because its owner was stopped, writers just race, and
who has lost waits for a random moment before the next try.

There is a room, in which one writer is, and a door, at which one waits for it: who has had a turn is behind the one at
the door, however soon it comes again, and behind most others, who look the more often the longer they have waited.
Patience is brought from the door into the room, and ends: nobody waits for a turn longer than four seconds.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from provenance.history.commits import FOLDER
from provenance.storage.interface import Storage
from provenance.storage.local import LocalStorage

_DOOR = "segments"
"""Folders are locked, not files: that takes no file, and no permission to write."""
_PATIENCE_SECONDS = 3.0
"""Nothing is published for so long: longer than any commit but a huge one takes."""
_LONGEST_WAIT_SECONDS = 4.0
"""Behind a writer that was stopped, those who go on without a turn look like progress to the rest."""
_ROOM_POLL_SECONDS = 0.002
_DOOR_POLL_SECONDS = 0.04
"""For who has just come; a quarter of it for who has waited for three seconds. A look costs 30 µs, and many wait."""
_LONGEST_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class _Patience:
    """How long somebody has waited, and how long nothing has come into the ``room``, a descriptor of its folder."""

    room: int
    begun: float = field(init=False)
    progress: float = field(init=False)
    newest: int = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.progress = time.monotonic()
        self.newest = os.fstat(self.room).st_mtime_ns

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun

    def is_over(self) -> bool:
        """Whether to go on without a turn."""
        now = time.monotonic()
        if (changed := os.fstat(self.room).st_mtime_ns) != self.newest:
            self.newest, self.progress = changed, now
        return now - self.progress > _PATIENCE_SECONDS or now - self.begun > _LONGEST_WAIT_SECONDS


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
            door = _opened(root / _DOOR, at_door)
            if room is not None:
                patience = _Patience(room)
                if door is not None:
                    _wait(door, patience)
                _wait(room, patience)
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


def _wait(wanted: int, patience: _Patience) -> None:
    """Lock a folder as soon as nobody else does; leave it when patience is over."""
    while _is_locked(wanted) and not patience.is_over():
        at_door = _DOOR_POLL_SECONDS / (1 + min(patience.seconds(), 3))
        pause = _ROOM_POLL_SECONDS if wanted == patience.room else at_door
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
