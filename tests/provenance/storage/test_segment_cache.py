"""Copies of segments: they are what was recorded, several come at a time, and what nobody uses goes."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from provenance.errors import DamagedStoreError, UserFolderError
from provenance.history.commits import Segment
from provenance.storage.segment_cache import SegmentCache, Source, evict, limit_bytes

DAY = 86_400


class Far:
    """Files that are elsewhere; ``fetched`` are those that were asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self.seconds = 0.0

    def add(self, data: bytes) -> Segment:
        name = f"segments/uses/{len(self.files):012d}-00.parquet"
        self.files[name] = data
        return Segment("uses", name, 1, len(data), 0, hashlib.sha256(data).hexdigest(), {})

    def fetch(self, name: str, path: Path) -> str:
        with self._lock:
            self.fetched.append(name)
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
        time.sleep(self.seconds)
        with self._lock:
            self._under_way -= 1
        if name not in self.files:
            raise FileNotFoundError(2, "No such file", name)
        path.write_bytes(self.files[name])
        return hashlib.sha256(self.files[name]).hexdigest()


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def cache(far: Far, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SegmentCache:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PIRENE_CACHE_SIZE", raising=False)
    return SegmentCache(Source(far.fetch, lambda name: f"s3://bucket/{name}"))


def test_what_was_fetched_once_is_there(far: Far, cache: SegmentCache) -> None:
    one, two = far.add(b"one"), far.add(b"two")
    assert [path.read_bytes() for path in cache.paths([two, one, two])] == [b"two", b"one", b"two"]
    cache.paths([one, two])
    assert sorted(far.fetched) == sorted([one.path, two.path])


def test_several_come_at_a_time(far: Far, cache: SegmentCache) -> None:
    far.seconds = 0.2
    segments = [far.add(b"%d" % number) for number in range(20)]
    assert [path.read_bytes() for path in cache.paths(segments)] == [b"%d" % number for number in range(20)]
    assert 2 <= far.at_once <= 8


def test_what_is_not_as_recorded_is_damage_and_never_a_copy(far: Far, cache: SegmentCache, tmp_path: Path) -> None:
    segment = far.add(b"as recorded")
    far.files[segment.path] = b"as_recorded"
    with pytest.raises(DamagedStoreError, match=f"s3://bucket/{segment.path}: expected 11 bytes with sha256"):
        cache.paths([segment])
    del far.files[segment.path]
    with pytest.raises(DamagedStoreError, match=f"s3://bucket/{segment.path}: No such file"):
        cache.paths([segment])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_copy_of_another_size_is_fetched_anew(far: Far, cache: SegmentCache) -> None:
    segment = far.add(b"whole")
    (path,) = cache.paths([segment])
    path.write_bytes(b"")
    assert cache.paths([segment]) == [path]
    assert path.read_bytes() == b"whole"


def test_a_copy_that_changed_goes_and_is_named(far: Far, cache: SegmentCache) -> None:
    good, bad = far.add(b"good"), far.add(b"bad!")
    _, path = cache.paths([good, bad])
    cache.distrust([good, bad])
    path.write_bytes(b"bad?")
    with pytest.raises(UserFolderError, match=bad.sha256):
        cache.distrust([good, bad])
    assert [found.read_bytes() for found in cache.paths([good, bad])] == [b"good", b"bad!"]
    assert far.fetched == [good.path, bad.path, bad.path]


def test_a_copy_that_changed_answers_no_question(far: Far, cache: SegmentCache) -> None:
    """A bit flips on the disk of the cache, and the copy is as long as before."""
    good, bad = far.add(b"good"), far.add(b"bad!")
    _, path = cache.paths([good, bad])
    path.write_bytes(b"bad?")
    with pytest.raises(UserFolderError, match=f"{bad.sha256}.*this copy of a segment is not what was fetched any more"):
        cache.paths([good, bad])
    assert [found.read_bytes() for found in cache.paths([good, bad])] == [b"good", b"bad!"]


def test_what_was_not_used_for_longest_goes_first(far: Far, cache: SegmentCache, tmp_path: Path) -> None:
    paths = cache.paths([far.add(bytes([number]) * 100) for number in range(5)])
    folder = tmp_path / "pirene" / "segments"
    now = time.time()
    for age, path in enumerate(paths, 1):
        os.utime(path, (now - age * DAY, now - age * DAY))
    evict(folder, 500)
    assert all(path.exists() for path in paths)
    evict(folder, 250)
    assert [path.exists() for path in paths] == [True, True, False, False, False]


def test_copies_that_a_killed_process_began_go_when_they_are_old(far: Far, cache: SegmentCache, tmp_path: Path) -> None:
    (path,) = cache.paths([far.add(b"one")])
    begun, abandoned = path.with_name("a.parquet.1.tmp"), path.with_name("a.parquet.2.tmp")
    for half in (begun, abandoned):
        half.write_bytes(b"ha")
    os.utime(abandoned, (time.time() - DAY, time.time() - DAY))
    evict(tmp_path / "pirene" / "segments", 10**9)
    assert [each.exists() for each in (path, begun, abandoned)] == [True, True, False]


def test_what_is_in_use_stays_whatever_the_limit(
    far: Far, cache: SegmentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIRENE_CACHE_SIZE", "150")
    old, used = far.add(b"o" * 100), far.add(b"u" * 100)
    paths = cache.paths([old, used])
    long_ago = time.time() - DAY
    for path in paths:
        os.utime(path, (long_ago, long_ago))
    cache.paths([used])  # notes that it is used
    (new,) = cache.paths([far.add(b"n" * 100)])
    assert [path.exists() for path in (*paths, new)] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "size"), [("", 10**10), ("0", 0), ("500", 500), ("20 GB", 2 * 10**10), ("1MiB", 2**20)]
)
def test_the_limit_is_a_size(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIRENE_CACHE_SIZE", text)
    assert limit_bytes() == size


@pytest.mark.parametrize("text", ["much", "-1", "5 s", "true"])
def test_a_limit_that_is_none_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIRENE_CACHE_SIZE", text)
    with pytest.raises(UserFolderError, match="PIRENE_CACHE_SIZE: expected a size like 20 GB, found"):
        limit_bytes()


def test_a_cache_that_cannot_be_written_is_told(far: Far, cache: SegmentCache, tmp_path: Path) -> None:
    (tmp_path / "pirene").write_text("no folder")
    with pytest.raises(UserFolderError, match=r"pirene/segments: Not a directory") as caught:
        cache.paths([far.add(b"x")])
    assert "XDG_CACHE_HOME" in (caught.value.hint or "")
