"""Writers of one machine take turns, so that few of them lose the race for the next number and do their work again.

A courtesy, never a condition: what decides is who publishes first (`provenance.publishing.publication`). Where there
are no locks, on other machines, and when a turn lasts too long because its owner was stopped, writers just race, and
who has lost waits for a random moment before the next try.

There is a room, in which one writer is; a door, at which one waits for it; and a line before the door, of as many
places as the store has tables. Who comes takes the last place and moves up, so turns come in the order of arrival.
Nobody is in anybody's way for long: who has seen nothing published for three seconds goes on without a turn when it is
at the door, and one after the other does so; after four seconds, those in the line pass over who is ahead.
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
"""Folders are locked, not files: that takes no file, and no permission to write. Those in this one are the line."""
_TURN_SECONDS = 3.0
"""Longer than any commit but a huge one takes: if nothing is published for so long, the turn's owner was stopped."""
_LINE_SECONDS = 4.0
"""The same, for who is not at the door: behind a writer that was stopped the line goes on in order."""
_ROOM_POLL_SECONDS, _DOOR_POLL_SECONDS, _LINE_POLL_SECONDS = 0.002, 0.005, 0.01
"""A look costs 30 µs, and many wait. The room is empty for the first of these times, so the others may be longer."""
_LONGEST_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class _Patience:
    """For how long, while somebody waited, nothing has come into the ``room``, a descriptor of its folder."""

    room: int
    progress: float = field(init=False)
    newest: int = field(init=False)
    longest: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.progress = time.monotonic()
        self.newest = _changed(self.room)

    def is_over(self, seconds: float) -> bool:
        """Whether nothing came for so long, at any time: what came then is of those who have lost theirs."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.progress)
        if (newest := _changed(self.room)) != self.newest:
            self.newest, self.progress = newest, now
        return self.longest > seconds


class _Having(threading.local):
    """The stores whose turn this thread has."""

    def __init__(self) -> None:
        self.turns: set[Path] = set()


_having = _Having()


@contextmanager
def turn(storage: Storage, *, soon: bool = False) -> Iterator[None]:
    """Wait until no other writer of this machine is about to commit, as long as others get on. A turn within a turn of
    the same thread does not wait. ``soon``: only for who is at the door, not for the line before it; for what takes a
    moment, and comes from somebody who has waited in the line.
    """
    root = storage.root if isinstance(storage, LocalStorage) else None
    if root is None or root in _having.turns:
        yield
        return
    with ExitStack() as until:
        _come_in(root, soon, until)
        _having.turns.add(root)
        until.callback(_having.turns.remove, root)
        yield


@contextmanager
def alone(storage: Storage) -> Iterator[bool]:
    """Do what would be in vain if another process of this machine did it at the same time; False: one does."""
    with ExitStack() as until:
        descriptor = _opened(storage.root, until) if isinstance(storage, LocalStorage) else None
        yield descriptor is None or _is_ours(descriptor)


def after_a_lost_race(attempt_seconds: float) -> None:
    """Wait for up to as long as the attempt took, so that those who lost together do not meet again."""
    time.sleep(random.uniform(0, min(attempt_seconds, _LONGEST_PAUSE_SECONDS)))


def _come_in(root: Path, soon: bool, until: ExitStack) -> None:
    """Lock the room, or else the door at least, ``until`` the turn is over."""
    room = _opened(root / FOLDER, until)
    with ExitStack() as at_door:
        door = _opened(root / _DOOR, at_door)
        if room is None or door is None:
            return
        if not _is_ours(room) or (not soon and not _is_ours(door)):
            _release(room)  # for who is at the door
            patience = _Patience(room)
            with ExitStack() as in_line:
                if not soon:
                    _move_up(root / _DOOR, patience, in_line)
                _wait(door, _DOOR_POLL_SECONDS, patience, _LINE_SECONDS)
            if not _wait(room, _ROOM_POLL_SECONDS, patience, _TURN_SECONDS):
                until.push(at_door.pop_all())  # those who go on without a turn do so one after the other


def _move_up(line: Path, patience: _Patience, in_line: ExitStack) -> None:
    """Take the last place of the line, then each before it as soon as it is free, up to the first."""
    for name in sorted(_names(line), reverse=True):
        with ExitStack() as ahead:
            place = _opened(line / name, ahead)
            if place is not None and _wait(place, _LINE_POLL_SECONDS, patience, _LINE_SECONDS):
                in_line.close()
                in_line.push(ahead.pop_all())


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names, no paths
    except OSError:
        return []


def _opened(folder: Path, until: ExitStack) -> int | None:
    """A descriptor of the folder, closed when ``until`` is; None if it cannot be had."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    until.callback(_close, descriptor)
    return descriptor


def _wait(wanted: int, poll_seconds: float, patience: _Patience, longest_seconds: float) -> bool:
    """Lock a folder as soon as nobody else does; False: left, because patience is over."""
    while not _is_ours(wanted):
        if patience.is_over(longest_seconds):
            return False
        time.sleep(random.uniform(0.5, 1.5) * poll_seconds)
    return True


def _is_ours(descriptor: int) -> bool:
    """Whether we have it locked from now on, or there are no locks; if not, somebody else has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # no locks here
    return True


def _changed(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_mtime_ns
    except OSError:
        return 0


def _release(descriptor: int) -> None:
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)
