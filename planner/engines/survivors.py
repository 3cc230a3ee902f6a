"""What an engine finds when it takes up a run: wrappers and commands that outlived the engine before, and attempts that
died with it.

A wrapper holds a lock beside its record from before it touches anything until the record is written, and so does what
it has started: of a wrapper that was killed together with its launcher a command may be left. A lock that is held is an
attempt under way: it is waited for, never started twice. A lock that is free without a record is an attempt that died,
unless its text names a process that is alive: a command that closed what it inherited.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from planner.locks import Lock, Owner, owner, text, try_lock
from planner.run_folder import RunFolder

_POLL_SECONDS = 0.1


def wait_for_survivors(folder: RunFolder, *, stopped: Callable[[], bool], note: Callable[[str], None]) -> bool:
    """Wait until no wrapper and no command of an earlier engine is alive; False when ``stopped`` said so before that.

    Lock files without an owner are removed: their attempts have a record, or died and have none.
    """
    waiting = list(folder.locks())
    told = False
    while waiting := [lock for lock in waiting if _held(lock)]:
        if stopped():
            return False
        if not told:
            note(f"waiting for {len(waiting)} jobs that an earlier engine had started{_elsewhere(waiting)}")
            told = True
        time.sleep(_POLL_SECONDS)
    return True


def _elsewhere(waiting: Sequence[Path]) -> str:
    """What to do about those of another machine, where files have no locks: nobody here knows if they have ended."""
    for lock in waiting:
        try:
            descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if try_lock(descriptor) is Lock.UNKNOWN and owner(descriptor) is Owner.ELSEWHERE:
                return f"; {lock} names a process of {text(descriptor).split()[0]}: remove it if that has ended"
        finally:
            os.close(descriptor)
    return ""


def _held(lock: Path) -> bool:
    """Whether a living wrapper or command holds the lock; one that nobody holds is removed, with the record that was
    begun.
    """
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # its wrapper has just ended and tidied up
    try:
        found = try_lock(descriptor)
        named = owner(descriptor)
        if found is Lock.OTHERS or named is Owner.ALIVE or (found is Lock.UNKNOWN and named is Owner.ELSEWHERE):
            return True
        lock.with_suffix(".tmp").unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
        return False
    finally:
        os.close(descriptor)
