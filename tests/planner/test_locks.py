"""Who is at work, said by a lock, and by text where there are no locks."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.locks import Lock, hold, lock_if_possible, owner_lives, try_lock


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_a_lock_is_ours_or_others(descriptor: int, tmp_path: Path) -> None:
    assert try_lock(descriptor) is Lock.OURS
    other = os.open(tmp_path / "lock", os.O_RDWR)
    assert try_lock(other) is Lock.OTHERS
    assert not hold(other)
    os.close(other)
    assert hold(descriptor)
    assert os.pread(descriptor, 10, 0) == b""


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_living_process_has_what_it_signed(descriptor: int) -> None:
    lock_if_possible(descriptor)
    assert try_lock(descriptor) is Lock.UNKNOWN
    assert hold(descriptor)
    host, process = os.pread(descriptor, 100, 0).decode().split()
    assert (host, int(process)) == (os.uname().nodename, os.getpid())
    assert hold(descriptor)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        os.pwrite(descriptor, f"{host} {other.pid}\n".encode(), 0)
        assert owner_lives(descriptor)
        assert not hold(descriptor)
        other.communicate(b"\n")
    assert not owner_lives(descriptor)
    assert hold(descriptor)


@pytest.mark.parametrize("text", [b"", b"elsewhere 1\n", b"\xff\xfe", b"a b c", b"host -1"])
def test_other_text_names_nobody(descriptor: int, text: bytes) -> None:
    os.pwrite(descriptor, text, 0)
    assert not owner_lives(descriptor)


def test_other_errors_are_errors(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    for attempt in (try_lock, hold, lock_if_possible):
        with pytest.raises(OSError, match="Input/output"):
            attempt(descriptor)
