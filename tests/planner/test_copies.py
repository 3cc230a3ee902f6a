"""Whether a copy is as it was: by its stat where that is enough, else by its bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from integrity.digest import Stat, hash_path
from planner.passes.copies import Copies, Finding, as_planned, same_stat
from planner.planned import PlannedFile
from provenance.copies.replicas import by_url
from provenance.history.commits import CommitKind
from provenance.registration.raw_files import add_files
from provenance.registration.registration import Registration, register
from provenance.segments.batch import Batch
from provenance.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / ".pirene")


def planned(store: Store, url: str, path: Path) -> PlannedFile:
    return as_planned(by_url(store, [url])[url], str(path), "a")


def known(store: Store, path: Path) -> PlannedFile:
    path.write_bytes(b"as it was")
    (file,) = add_files(store, [path]).files
    return planned(store, file.url, path)


def test_an_unchanged_copy_is_not_read(store: Store, tmp_path: Path) -> None:
    copies, file = Copies(), known(store, tmp_path / "a")
    assert copies.check(file).finding is None
    assert not copies.was_read(file.path)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"as it was", None),
        (b"As it was", Finding.CONTENT),
        (b"as it", Finding.TRUNCATED),
        (b"as it was!", Finding.APPENDED),
    ],
)
def test_a_copy_whose_stat_moved_is_read(store: Store, tmp_path: Path, content: bytes, finding: Finding | None) -> None:
    """Also under its old mtime: the ctime tells."""
    path = tmp_path / "a"
    copies, file = Copies(), known(store, path)
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    checked = copies.check(file)
    assert (checked.finding, checked.actual_sha256) == (finding, hash_path(path).sha256)
    assert copies.was_read(file.path)


def test_a_copy_that_is_gone(store: Store, tmp_path: Path) -> None:
    file = known(store, tmp_path / "a")
    (tmp_path / "a").unlink()
    assert Copies().check(file).finding is Finding.MISSING


@pytest.mark.parametrize("inode", [1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_inodes_of_64_bits_are_the_same_after_the_store(store: Store, tmp_path: Path, inode: int) -> None:
    """The store's integers are signed, some file systems use all bits."""
    stat, batch = Stat(9, 1, 2, inode, inode), Batch()
    register(store, batch, 7, [Registration("a", "file:///a", sha256=bytes(32), size_bytes=9, stat=stat)])
    store.commit(CommitKind.REGISTER, batch)
    file = planned(store, "file:///a", tmp_path / "a")
    assert same_stat(file, stat)
    assert not same_stat(file, Stat(9, 1, 2, inode ^ 1, inode))
