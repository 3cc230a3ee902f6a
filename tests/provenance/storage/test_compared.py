"""Segments are compared with their digests before they are believed, and no more often than they change."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import DamagedStoreError, UserFolderError
from provenance.history.commits import CommitKind, Segment
from provenance.segments.batch import Batch
from provenance.storage import compared
from provenance.store import Store

EDGES = "SELECT parent, child FROM job_edges ORDER BY ALL"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(compared.VARIABLE, raising=False)
    return tmp_path / "cache" / "pirene" / "compared"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read to be compared."""
    names: list[str] = []
    real = compared.compare

    def watched(path: Path, segment: Any) -> None:
        names.append(path.name)
        real(path, segment)

    monkeypatch.setattr(compared, "compare", watched)
    return names


def segment(store: Store) -> Path:
    """The one segment, which looks as if it had been there for long."""
    (path,) = (store.root / "segments" / "job_edges").glob("*.parquet")
    path.chmod(0o644)
    return path


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    batch = Batch()
    for number in range(200):
        batch.add("job_edges", run=1, parent=number, child=number * 7 % 200)
    store.commit(CommitKind.PLAN, batch)
    monkeypatch.setattr(compared, "_SETTLED_NS", 0)
    time.sleep(0.02)  # more than a tick of the clock of files
    return store


def edges(store: Store) -> list[Any]:
    """As another process has it."""
    return Store.existing(store.root).rows(EDGES, tables=["job_edges"])


def test_no_flipped_bit_becomes_another_answer(filled: Store) -> None:
    path, chance = segment(filled), random.Random(5)
    good = path.read_bytes()
    expected = edges(filled)
    for _ in range(60):
        place = chance.randrange(len(good))
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :])
        with pytest.raises(DamagedStoreError, match=f"{path.name}: expected {len(good)} bytes with sha256 "):
            edges(filled)
    path.write_bytes(good)
    assert edges(filled) == expected


def test_a_named_pipe_in_place_of_a_segment_is_not_waited_for(filled: Store) -> None:
    path = segment(filled)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamagedStoreError, match=f"{path.name}: expected .*, found 0 bytes"):
        edges(filled)


def test_each_is_compared_once_by_all_processes_of_a_user(filled: Store, read: list[str], cache: Path) -> None:
    path = segment(filled)
    for _ in range(3):
        edges(filled)
    assert read == [path.name]
    shutil.rmtree(cache)
    edges(filled)
    assert read == [path.name] * 2


@pytest.mark.parametrize("change", ["touch", "replace", "mtime put back"])
def test_what_changed_is_compared_again(change: str, filled: Store, read: list[str]) -> None:
    path = segment(filled)
    edges(filled)
    status = path.stat()
    match change:
        case "touch":
            path.touch()
        case "replace":
            shutil.copy2(path, path.with_name("copy"))
            path.with_name("copy").rename(path)
        case _:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    edges(filled)
    assert read == [path.name] * 2


def test_bytes_of_the_same_size_and_mtime_do_not_pass(filled: Store) -> None:
    path = segment(filled)
    edges(filled)
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DamagedStoreError, match=hashlib.sha256(data).hexdigest()):
        edges(filled)


def test_what_was_written_just_now_is_not_remembered(
    filled: Store, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compared, "_SETTLED_NS", 1 << 62)
    edges(filled)
    edges(filled)
    assert len(read) == 2
    opened = Store.existing(filled.root)
    for _ in range(2):
        opened.rows(EDGES, tables=["job_edges"])
    assert len(read) == 3, "a process knows what it has compared itself"


@pytest.mark.parametrize(("choice", "times"), [("always", 2), ("never", 0), ("", 1)])
def test_the_user_chooses(
    choice: str, times: int, filled: Store, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compared.VARIABLE, choice)
    edges(filled)
    edges(filled)
    assert len(read) == times


def test_a_choice_that_is_none_is_refused(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compared.VARIABLE, "sometimes")
    with pytest.raises(UserFolderError, match="expected once, always or never, found 'sometimes'"):
        edges(filled)


@pytest.mark.parametrize("cache_is", ["a file", "torn", "two"])
def test_a_cache_that_is_no_good_costs_time_only(
    cache_is: str, filled: Store, read: list[str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = edges(filled)
    (file,) = cache.iterdir()
    match cache_is:
        case "a file":
            shutil.rmtree(cache)
            cache.write_text("in the way")
        case "torn":
            file.write_bytes(b"\xff\x00" + file.read_bytes()[:50])
        case _:
            file.with_suffix(".older").mkdir()
    assert [edges(filled), edges(filled)] == [expected, expected]
    assert len(read) == {"a file": 3, "torn": 2, "two": 1}[cache_is]


@pytest.fixture
def full_at_450_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some four lines, of files that count as settled at once."""
    monkeypatch.setattr(compared, "_SETTLED_NS", -(1 << 62))
    monkeypatch.setattr(compared, "_MOST_BYTES", 450)


def part(root: Path, number: int) -> Segment:
    data = str(number).encode()
    (root / f"{number}.parquet").write_bytes(data)
    return Segment("files", f"{number}.parquet", 1, len(data), 0, hashlib.sha256(data).hexdigest(), {})


def test_what_is_asked_for_outlives_a_full_cache(full_at_450_bytes: None, tmp_path: Path, read: list[str]) -> None:
    """However many segments there are: that one is new is no reason to compare the others."""
    segments = [part(tmp_path, number) for number in range(12)]
    for most in range(4, 13):
        compared.Compared(tmp_path).compare(segments[:most])  # as another process has it
    assert sorted(read) == sorted(segment.path for segment in segments)


def test_a_cache_does_not_grow_for_ever(full_at_450_bytes: None, tmp_path: Path, cache: Path) -> None:
    sizes = []
    for number in range(40):
        compared.Compared(tmp_path).compare([part(tmp_path, number)])
        sizes.append(sum(file.stat().st_size for file in cache.iterdir()))
    assert max(sizes) < 4 * 450
