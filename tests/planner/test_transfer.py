"""Outputs on their way: nothing arrives changed, nothing is half there, and repeating a move is harmless."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from integrity.digest import Stat, hash_path
from planner.transfer import Arrival, Expected, ReusedOutputs, TransferError, copy_verified, publish
from tests.integrity.page_cache import FirstReads


def expected(path: Path) -> Expected:
    return Expected(hashlib.sha256(path.read_bytes()).digest(), Stat.of(path))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".pirene")]


def test_an_output_is_moved_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "work" / "o", tmp_path / "out" / "sub" / "o"
    source.parent.mkdir()
    source.write_bytes(b"data")
    inode = source.stat().st_ino
    arrival = publish(source, target, expected(source))
    assert target.read_bytes() == b"data" and not source.exists()
    assert arrival.stat == Stat.of(target) and arrival.stat.inode == inode
    assert arrival.sha256 is None  # nobody read it again


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
    publish(source, target, wanted)
    # The bytes may have been tampered with since, under the same mtime: its stat now is no evidence.
    assert publish(source, target, wanted) == Arrival(None)
    copy = target.with_name("copy")
    shutil.copy(target, copy)
    copy.replace(target)
    assert publish(source, target, wanted) == Arrival(Stat.of(target), wanted.sha256)


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
        arrival = publish(source, elsewhere / "o", wanted)
        assert arrival == Arrival(Stat.of(elsewhere / "o"), wanted.sha256)
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
    ReusedOutputs(copy=copy).show(source, target, hashlib.sha256(b"data").digest())
    assert target.read_bytes() == b"data"
    assert Stat.of(source) == before
    assert not target.is_symlink() if copy else not os.path.samestat(target.lstat(), source.stat())
    ReusedOutputs(copy=copy).show(source, target, hashlib.sha256(b"data").digest())
    assert target.read_bytes() == b"data" and not leftovers(target.parent)


def test_a_reused_output_that_is_in_its_place_stays(tmp_path: Path) -> None:
    source = tmp_path / "o"
    source.write_bytes(b"data")
    before = Stat.of(source)
    ReusedOutputs(copy=False).show(source, source, hashlib.sha256(b"data").digest())
    assert Stat.of(source) == before and not source.is_symlink()


def test_file_systems_that_cannot_share_are_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    reused = ReusedOutputs(copy=False)
    for name in ("a", "b", "sub/c"):
        source = tmp_path / "past" / name
        make(source, "file")
        assert reused.show(source, tmp_path / "out" / name, hashlib.sha256(b"old").digest()) is None
        assert (tmp_path / "out" / name).readlink() == source
    assert len(asked) == 1
    assert not leftovers(tmp_path / "out")


def test_a_folder_is_moved_as_one(tmp_path: Path) -> None:
    source, target = tmp_path / "tree", tmp_path / "out" / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a").write_bytes(b"a")
    stat = Stat.of(source)
    wanted = Expected(hash_path(source).sha256, stat)
    publish(source, target, wanted)
    assert (target / "sub" / "a").read_bytes() == b"a"
    assert publish(source, target, wanted)


def make(path: Path, kind: str) -> None:
    """Something at ``path``: a file, a folder, or a link to either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    real = path.with_name(f"{path.name}-target") if kind.startswith("link") else path
    if kind.endswith("folder"):
        real.mkdir()
        (real / "old").write_text("old")
    else:
        real.write_text("old")
    if real != path:
        path.symlink_to(real)


@pytest.mark.parametrize("how", ["publish", "copy", "link"])
@pytest.mark.parametrize("there", ["file", "folder", "link to file", "link to folder"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_already_is_replaced_save_a_folder_by_a_file(
    tmp_path: Path, kind: str, there: str, how: str
) -> None:
    source, target = tmp_path / "new" / "x", tmp_path / "out" / "x"
    make(source, kind)
    make(target, there)
    sha256 = hash_path(source).sha256

    def bring() -> None:
        if how == "publish":
            publish(source, target, Expected(sha256, Stat.of(source)))
        else:
            ReusedOutputs(copy=how == "copy").show(source, target, sha256)

    if kind == "file" and there == "folder":
        with pytest.raises(TransferError, match="a folder is in the way"):
            bring()
        assert (target / "old").exists()
    else:
        bring()
        assert hash_path(target).sha256 == sha256
    if there.startswith("link"):
        assert target.with_name("x-target").exists()
    assert not leftovers(target.parent)


@pytest.mark.parametrize("how", ["publish", "copy_verified", "copy", "link"])
def test_what_the_system_refuses_at_the_place_is_said_of_it(tmp_path: Path, how: str) -> None:
    """A file where a folder has to be: even root is refused."""
    source, target = tmp_path / "new" / "x", tmp_path / "out" / "sub" / "x"
    make(source, "file")
    make(target.parent, "file")
    sha256 = hash_path(source).sha256
    with pytest.raises(TransferError) as caught:
        if how == "publish":
            publish(source, target, Expected(sha256, Stat.of(source)))
        elif how == "copy_verified":
            copy_verified(source, target, sha256)
        else:
            ReusedOutputs(copy=how == "copy").show(source, target, sha256)
    assert str(caught.value).startswith(f"{target}: the file cannot be brought there: {target.parent}: ")
    assert str(caught.value).endswith((os.strerror(errno.EEXIST), os.strerror(errno.ENOTDIR)))
    assert source.read_text() == target.parent.read_text() == "old"


@pytest.mark.parametrize("refused", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_no_more_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    source, target = tmp_path / "new" / "x", tmp_path / "out" / "x"
    make(source, "file")
    make(target, "file")

    def refuse(descriptor: int) -> None:
        raise OSError(refused, os.strerror(refused))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(TransferError, match=os.strerror(refused)) as caught:
        copy_verified(source, target, hash_path(source).sha256)
    assert str(caught.value).startswith(f"{target}: ") and caught.value.hint
    assert target.read_text() == "old" and not leftovers(target.parent)


def test_a_copy_is_read_back_from_the_disk(tmp_path: Path, monkeypatch) -> None:
    """And what it was made of is not hashed again."""
    reads = FirstReads(monkeypatch)
    (tmp_path / "folder" / "below").mkdir(parents=True)
    for name in ("file", "folder/a", "folder/below/b"):
        (tmp_path / name).write_bytes(os.urandom(1 << 18))
    for name, files in (("file", 1), ("folder", 2)):
        sha256 = hash_path(tmp_path / name).sha256
        reads.pages.clear()
        copy_verified(tmp_path / name, tmp_path / "copies" / name, sha256)
        assert list(reads.pages.values()) == [0] * files, name
        assert all("/copies/" in path for path in reads.pages)


def test_a_folder_that_a_full_disk_does_not_take_is_one_line(tmp_path: Path, monkeypatch) -> None:
    """Not one for each file of it; and the older one stays."""
    source, target = tmp_path / "folder", tmp_path / "copies" / "folder"
    for folder in (source, target):
        folder.mkdir(parents=True)
    for number in range(20):
        (source / f"f{number}").write_text("x")
    (target / "older").write_text("x")
    tried = []

    def refuse(descriptor: int) -> None:
        tried.append(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sha256 = hash_path(source).sha256
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(TransferError) as raised:
        copy_verified(source, target, sha256)
    said = str(raised.value)
    assert said.startswith(f"{target}: the file cannot be brought there: ") and said.endswith("No space left on device")
    assert said.count("No space") == 1 and len(tried) == 1
    assert [path.name for path in target.iterdir()] == ["older"] and not leftovers(target.parent)
