"""Outputs on their way: nothing arrives changed, nothing is half there, and repeating a move is harmless."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from integrity.digest import Stat
from planner.transfer import Expected, TransferError, copy_verified, publish, show_reused


def expected(path: Path) -> Expected:
    return Expected(hashlib.sha256(path.read_bytes()).digest(), Stat.of(path))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".pirene")]


def test_an_output_is_moved_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "work" / "o", tmp_path / "out" / "sub" / "o"
    source.parent.mkdir()
    source.write_bytes(b"data")
    inode = source.stat().st_ino
    stat = publish(source, target, expected(source))
    assert target.read_bytes() == b"data" and not source.exists()
    assert stat.inode == inode == target.stat().st_ino


def test_an_output_that_changed_after_it_was_hashed_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "o"
    source.write_bytes(b"data")
    before = expected(source)
    with source.open("r+b") as file:
        file.write(b"d")  # the same bytes: ctime alone tells
        os.utime(source, ns=(0, 0))
    with pytest.raises(TransferError, match="changed after"):
        publish(source, tmp_path / "out", before)
    assert source.exists() and not (tmp_path / "out").exists()


def test_publishing_twice_finds_it_done(tmp_path: Path) -> None:
    source, target = tmp_path / "o", tmp_path / "out" / "o"
    source.write_bytes(b"data")
    wanted = expected(source)
    first = publish(source, target, wanted)
    assert publish(source, target, wanted) == first


def test_what_is_gone_or_other_than_expected_is_an_error(tmp_path: Path) -> None:
    source, target = tmp_path / "o", tmp_path / "out" / "o"
    source.write_bytes(b"data")
    wanted = expected(source)
    source.unlink()
    with pytest.raises(TransferError, match="gone"):
        publish(source, target, wanted)
    target.parent.mkdir()
    target.write_bytes(b"dat4")
    with pytest.raises(TransferError, match="expected"):
        publish(source, target, wanted)
    assert target.read_bytes() == b"dat4"


def test_to_another_file_system_it_is_copied_and_read_back(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm") / f"pirene-{os.getpid()}"
    source = tmp_path / "o"
    source.write_bytes(os.urandom(3 << 20))
    wanted = expected(source)
    assert Path("/dev/shm").stat().st_dev != tmp_path.stat().st_dev
    try:
        publish(source, elsewhere / "o", wanted)
        assert hashlib.sha256((elsewhere / "o").read_bytes()).digest() == wanted.sha256
        assert not source.exists() and not leftovers(elsewhere)
    finally:
        for path in elsewhere.glob("*"):
            path.unlink()
        elsewhere.rmdir()


def test_a_copy_of_other_bytes_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "o", tmp_path / "out" / "o"
    source.write_bytes(b"data")
    target.parent.mkdir()
    target.write_bytes(b"before")
    with pytest.raises(TransferError, match="expected"):
        copy_verified(source, target, hashlib.sha256(b"other").digest())
    assert target.read_bytes() == b"before" and not leftovers(target.parent)


@pytest.mark.parametrize("copy", [False, True])
def test_a_reused_output_appears_without_touching_the_original(tmp_path: Path, copy: bool) -> None:
    source, target = tmp_path / "past" / "o", tmp_path / "out" / "o"
    source.parent.mkdir()
    source.write_bytes(b"data")
    before = Stat.of(source)
    show_reused(source, target, hashlib.sha256(b"data").digest(), copy=copy)
    assert target.read_bytes() == b"data"
    assert Stat.of(source) == before
    assert not target.is_symlink() if copy else not os.path.samestat(target.lstat(), source.stat())
    show_reused(source, target, hashlib.sha256(b"data").digest(), copy=copy)
    assert target.read_bytes() == b"data" and not leftovers(target.parent)


def test_a_reused_output_that_is_in_its_place_stays(tmp_path: Path) -> None:
    source = tmp_path / "o"
    source.write_bytes(b"data")
    before = Stat.of(source)
    show_reused(source, source, hashlib.sha256(b"data").digest(), copy=False)
    assert Stat.of(source) == before and not source.is_symlink()


def test_a_folder_is_moved_as_one(tmp_path: Path) -> None:
    source, target = tmp_path / "tree", tmp_path / "out" / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a").write_bytes(b"a")
    stat = Stat.of(source)
    from integrity.digest import hash_path

    wanted = Expected(hash_path(source).sha256, stat)
    publish(source, target, wanted)
    assert (target / "sub" / "a").read_bytes() == b"a"
    assert publish(source, target, wanted)
