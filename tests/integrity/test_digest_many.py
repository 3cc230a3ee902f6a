"""Many files at once: every one of them, in order, by one thread or by several, and the end of it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from integrity import digest_many
from integrity.digest import Hashed
from integrity.digest_many import hash_many

LARGE = 1 << 17


def files(folder: Path, sizes: list[int]) -> list[Path]:
    paths = [folder / str(number) for number in range(len(sizes))]
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        path.write_bytes(bytes([number % 256]) * size)
    return paths


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("waits", [0, 10**9])
def test_every_file_has_its_digest_in_order(
    tmp_path: Path, known: bool, waits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`waits` stands for a disk that has to be waited for: then several threads read small files, too."""
    calls = iter(range(10**6))
    monkeypatch.setattr(digest_many, "_waits", lambda: next(calls) * waits)
    monkeypatch.setattr(digest_many, "_PROBE_FILES", 3)
    monkeypatch.setattr(digest_many, "_BLOCK_FILES", 20)
    sizes = [LARGE if number % 7 == 3 else number * 100 for number in range(60)]
    paths = files(tmp_path, sizes)
    paths[11].unlink()
    found = hash_many(paths, sizes=sizes if known else None, workers=3)
    assert len(found) == 60
    for path, each in zip(paths, found, strict=True):
        if path == paths[11]:
            assert isinstance(each, FileNotFoundError)
        else:
            assert isinstance(each, Hashed)
            assert each.sha256 == hashlib.sha256(path.read_bytes()).digest()


def test_nothing_to_read() -> None:
    assert hash_many([]) == []


def test_each_file_has_the_checksums_that_it_was_asked_for(tmp_path: Path) -> None:
    paths = files(tmp_path, [10, LARGE])
    small, large = hash_many(paths, sizes=[10, LARGE], checksums=[("adler32",), ("md5", "crc32c")])
    assert isinstance(small, Hashed) and isinstance(large, Hashed)
    assert [text.partition(":")[0] for text in small.checksums] == ["adler32"]
    assert [text.partition(":")[0] for text in large.checksums] == ["md5", "crc32c"]


@pytest.mark.parametrize("size", [10, LARGE])
def test_the_first_error_can_end_it(tmp_path: Path, size: int) -> None:
    paths = files(tmp_path, [size] * 200)
    paths[0].unlink()
    found = hash_many(paths, sizes=[size] * 200, workers=1, stop_at_error=True)
    assert isinstance(found[0], FileNotFoundError)
    assert found[1:] == [None] * 199


def test_progress_comes_to_the_caller_and_counts_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_many, "_TICK_SECONDS", 0.0)
    sizes = [10] * 30 + [LARGE] * 5
    told: list[tuple[int, int]] = []
    threads = set()

    def progress(done: int, size: int) -> None:
        threads.add(threading.current_thread())
        told.append((done, size))

    hash_many(files(tmp_path, sizes), sizes=sizes, workers=2, progress=progress)
    assert threads == {threading.main_thread()}
    assert told == sorted(told)
    assert told[-1] == (35, sum(sizes))
    assert (30, 300) in told


def test_an_interrupt_ends_the_reading_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte at a time: it would take hours."""
    path = tmp_path / "endless"
    path.touch()
    os.truncate(path, 1 << 30)
    reading = threading.Event()

    def endless(descriptor: int, buffers: list[memoryview]) -> int:
        reading.set()
        time.sleep(0.01)
        return 1

    def interrupt(done: int, size: int) -> None:
        if reading.is_set():
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "readv", endless)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        hash_many([path], progress=interrupt)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_bug_in_a_thread_is_raised_where_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(digest_many, "hash_path", broken)
    with pytest.raises(ZeroDivisionError):
        hash_many(files(tmp_path, [LARGE] * 4), workers=2)
