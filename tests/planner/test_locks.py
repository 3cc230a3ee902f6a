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

from integrity.wrapper.record_file import Lock as WrapperLock
from planner.engines.survivors import wait_for_survivors
from planner.locks import Lock, Owner, hold, lock_if_possible, owner, text, try_lock
from planner.run_folder import RunBusyError, RunFolder


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
    host, process, started, boot = text(descriptor).split()
    assert (host, int(process)) == (os.uname().nodename, os.getpid())
    assert (started.isdecimal(), len(boot)) == (True, 36)
    assert hold(descriptor)
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        signed = other.stdout.readline()
        os.ftruncate(descriptor, 0)
        for alive in (signed, f"{host} {other.pid}\n".encode(), f"{host} {other.pid} ? ?\n".encode()):
            os.pwrite(descriptor, alive, 0)
            assert owner(descriptor) is Owner.ALIVE
            assert not hold(descriptor)
            os.ftruncate(descriptor, 0)
        other.communicate(b"\n")
    os.pwrite(descriptor, signed, 0)
    assert owner(descriptor) is Owner.NOBODY
    assert hold(descriptor)


HOLD = """
import os
from planner.locks import Lock, hold
from tempfile import TemporaryFile
from unittest import mock
with TemporaryFile() as file, mock.patch("planner.locks.try_lock", lambda descriptor: Lock.UNKNOWN):
    assert hold(file.fileno())
    print(os.pread(file.fileno(), 100, 0).decode(), end="", flush=True)
    input()
"""


def test_a_number_that_another_process_has_by_now_names_nobody(descriptor: int) -> None:
    """The process that started this one is alive; one of its number that was started at another time is not."""
    host, parent = os.uname().nodename, os.getppid()
    started = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    for words, expected in (
        ((started, boot), Owner.ALIVE),
        ((str(int(started) + 1), boot), Owner.NOBODY),
        ((started, "a1e8601e-0000-0000-0000-6b9a5f26c471"), Owner.NOBODY),
    ):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, " ".join((host, str(parent), *words)).encode(), 0)
        assert owner(descriptor) is expected


@pytest.mark.usefixtures("no_locks")
def test_of_a_process_of_another_machine_nothing_is_known(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "run.lock").write_text("elsewhere 1 23 45\n")
    with pytest.raises(RunBusyError, match="at work in this run folder, on elsewhere") as caught:
        folder.lock()
    assert f"if it has ended there, remove {tmp_path / 'run.lock'}" in str(caught.value.hint)
    (tmp_path / "run.lock").unlink()
    with folder.lock():
        assert (tmp_path / "run.lock").read_text().startswith(os.uname().nodename)
    assert (tmp_path / "run.lock").read_text() == ""  # else it would be at work here for others for ever


@pytest.mark.usefixtures("no_locks")
def test_wrappers_say_it_alike(descriptor: int, tmp_path: Path) -> None:
    lock = WrapperLock(bytes(tmp_path / "record"))
    assert hold(descriptor)
    assert (tmp_path / "record.lock").read_text().strip() == text(descriptor)
    lock.release()


@pytest.mark.parametrize("words", [b"", b"\xff\xfe", b"a b c", b"host -1", b"host 1 2 3 4"])
def test_other_text_names_nobody(descriptor: int, words: bytes) -> None:
    os.pwrite(descriptor, words, 0)
    assert owner(descriptor) is Owner.NOBODY


@pytest.mark.usefixtures("no_locks")
def test_survivors_of_another_machine_are_waited_for_and_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    lock = folder.launcher_lock
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("elsewhere 1 23 45\n")
    notes: list[str] = []
    assert not wait_for_survivors(folder, stopped=lambda: bool(notes), note=notes.append)
    assert notes == [
        "waiting for 1 jobs that an earlier engine had started; "
        f"{lock} names a process of elsewhere: remove it if that has ended"
    ]
    lock.write_text("")
    assert wait_for_survivors(folder, stopped=lambda: False, note=notes.append)
    assert not lock.exists()


def test_other_errors_are_errors(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    for attempt in (try_lock, hold, lock_if_possible):
        with pytest.raises(OSError, match="Input/output"):
            attempt(descriptor)
