"""Digests of files and folders, against coreutils and against the wrapper's own definition."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.digest import Stat, hash_path
from integrity.errors import IntegrityError, MovingError, UnreadableError
from integrity.wrapper.content import read_content
from integrity.wrapper.errors import UnreadableError as UnreadableByWrapperError

BY_COREUTILS = (
    "{ printf 'pirene-folder/1\\0'; cd \"$0\" && find . -type f -printf '%P\\0' | LC_ALL=C sort -z"
    " | xargs -0r sha256sum -z -- ; } | sha256sum"
)


def by_coreutils(folder: Path) -> str:
    return subprocess.run(["sh", "-c", BY_COREUTILS, str(folder)], capture_output=True, text=True, check=True).stdout[
        :64
    ]


def by_wrapper(path: Path) -> tuple[str, int]:
    found, content = read_content(os.fsencode(path), True, False, None, lambda: None)
    stat = Stat(found.size, found.mtime_ns, found.ctime_ns, found.inode, found.device)
    assert stat == Stat.of(path), "both mean the same by the stat of a file or folder"
    return content.sha256, content.size


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        # FIPS 180-2, appendix B, and the digest of nothing.
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ],
)
def test_published_digests(tmp_path: Path, data: bytes, digest: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    hashed = hash_path(path)
    assert (hashed.sha256.hex(), hashed.kind, hashed.stat) == (digest, "file", Stat.of(path))
    assert hashed.stat.size == len(data)
    assert hashed.seconds >= 0
    assert by_wrapper(path) == (digest, len(data))


def test_the_stat_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    found = path.stat()
    assert Stat.of(path) == Stat(1, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
    (tmp_path / "link").symlink_to(path)
    assert Stat.of(tmp_path / "link") == Stat.of(path)
    with pytest.raises(FileNotFoundError):
        Stat.of(tmp_path / "absent")


@pytest.mark.parametrize("size", [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 600_000])
@pytest.mark.parametrize("prefix", [0, 1, 1 << 18, (1 << 18) + 1, 599_999, 600_000])
def test_the_digest_of_a_prefix_is_taken_on_the_way(tmp_path: Path, size: int, prefix: int) -> None:
    data = os.urandom(size)
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "part").write_bytes(data[:prefix])
    expected = hash_path(tmp_path / "part").sha256 if size > prefix else None
    hashed = hash_path(tmp_path / "whole", prefix_bytes=prefix)
    assert hashed.prefix_sha256 == expected
    assert hashed.sha256 == hash_path(tmp_path / "whole").sha256
    _, content = read_content(os.fsencode(tmp_path / "whole"), True, False, prefix, lambda: None)
    assert content.prefix_sha256 == (expected.hex() if expected else None)


def test_a_pinned_folder(tmp_path: Path) -> None:
    for name, data in ((b"a-b", b"1"), (b"a/x", b"2"), (b"a.b", b"3"), (b"a/\xff\n'", b"4"), (b"Z/1/2", b"")):
        path = tmp_path / "top" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    top = tmp_path / "top"
    without_empty = by_coreutils(top)
    assert hash_path(top).sha256.hex() == without_empty
    assert by_wrapper(top) == (without_empty, 4)
    (top / "a" / "nothing" / "in-here").mkdir(parents=True)
    # The manifest written with printf and hashed with sha256sum.
    pinned = "f1fb0731ffa9c168801b463db9f837e98d18a7aeec6a39385f8e7403d6e71018"
    assert hash_path(top).sha256.hex() == pinned
    assert by_wrapper(top) == (pinned, 4)
    assert hash_path(top).kind == "folder"
    assert hash_path(top).stat.size == 4


def test_an_empty_folder_is_not_an_empty_file(tmp_path: Path) -> None:
    # sha256 of the bytes "pirene-folder/1" NUL.
    said = subprocess.run(
        ["sh", "-c", "printf 'pirene-folder/1\\0' | sha256sum"], capture_output=True, text=True
    ).stdout
    assert hash_path(tmp_path).sha256.hex() == said[:64]
    assert by_wrapper(tmp_path) == (said[:64], 0)


names = st.binary(min_size=1, max_size=3).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
trees = st.recursive(st.binary(max_size=3), lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=12)


def build(path: Path, tree: object) -> None:
    if isinstance(tree, bytes):
        path.write_bytes(tree)
        return
    assert isinstance(tree, dict)
    path.mkdir()
    for name, inner in tree.items():
        build(path / os.fsdecode(name), inner)


def without_empty_folders(tree: object) -> object:
    if isinstance(tree, bytes):
        return tree
    assert isinstance(tree, dict)
    kept = {name: without_empty_folders(inner) for name, inner in tree.items()}
    return {name: inner for name, inner in kept.items() if inner != {}}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, trees, max_size=5))
def test_three_definitions_of_a_folders_digest_agree(tree: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as place:
        top = Path(place) / "top"
        build(top, tree)
        digest = hash_path(top).sha256.hex()
        assert by_wrapper(top)[0] == digest
        if without_empty_folders(tree) == tree:
            assert by_coreutils(top) == digest


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, trees, max_size=3), st.dictionaries(names, trees, max_size=3))
def test_folders_have_the_same_digest_only_if_they_are_the_same(
    one: dict[bytes, object], other: dict[bytes, object]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        build(Path(place) / "1", one)
        build(Path(place) / "2", other)
        same = hash_path(Path(place) / "1").sha256 == hash_path(Path(place) / "2").sha256
        assert same == (one == other)


def test_the_stat_of_a_folder_moves_with_anything_in_it(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "deep").mkdir(parents=True)
    (top / "deep" / "file").write_bytes(b"1")
    before = Stat.of(top)
    assert before.size == 1
    (top / "deep" / "file").write_bytes(b"2")
    os.utime(top / "deep" / "file", ns=(0, before.mtime_ns))
    after = Stat.of(top)
    assert after.ctime_ns > before.ctime_ns
    shutil.move(top / "deep" / "file", tmp_path / "file")
    assert Stat.of(top).size == 0


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_folder_that_holds_something_else_has_no_digest(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").mkdir()
    if kind == "link":
        (tmp_path / "a" / "odd").symlink_to("/etc/passwd")
    else:
        os.mkfifo(tmp_path / "a" / "odd")
    with pytest.raises(UnreadableError, match=r"holds 'a/odd', which is a (symbolic link|named pipe)") as caught:
        hash_path(tmp_path)
    assert caught.value.hint is not None and caught.value.exit_code == 3
    with pytest.raises(UnreadableByWrapperError, match="holds 'a/odd', which is a"):
        by_wrapper(tmp_path)


def test_what_is_no_file_has_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="named pipe"):
        hash_path(tmp_path / "pipe")
    with pytest.raises(UnreadableError, match="character device"):
        hash_path("/dev/zero")
    with pytest.raises(FileNotFoundError):
        hash_path(tmp_path / "absent")
    with pytest.raises(OSError, match="Input/output error"):
        hash_path("/proc/self/mem")
    assert issubclass(UnreadableError, IntegrityError) and issubclass(MovingError, OSError)


def test_a_file_that_grows_while_it_is_read_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (64 << 20))
    program = f"f = open({str(path)!r}, 'ab', buffering=0)\nprint(flush=True)\nwhile True: f.write(b'y')"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(MovingError, match="changed while it was read"):
            hash_path(path)
        writer.kill()


def test_a_file_that_is_replaced_while_it_is_read_has_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good")
    (tmp_path / "other").write_bytes(b"evil")
    read = os.readv

    def swap_first(descriptor: int, buffers: list[memoryview]) -> int:
        if (tmp_path / "other").exists():
            (tmp_path / "other").rename(path)
        return read(descriptor, buffers)

    monkeypatch.setattr(os, "readv", swap_first)
    with pytest.raises(MovingError, match=r"changed|took the place"):
        hash_path(path)


def test_bytes_and_text_paths_mean_the_same(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff"
    Path(os.fsdecode(path)).write_bytes(b"x")
    assert hash_path(path).sha256 == hash_path(os.fsdecode(path)).sha256


def test_a_file_in_a_folder_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "chunk"
    victim.write_bytes(b"good")
    read = os.readv

    def grow(descriptor: int, buffers: list[memoryview]) -> int:
        with victim.open("ab") as stream:
            stream.write(b"more")
        return read(descriptor, buffers)

    monkeypatch.setattr(os, "readv", grow)
    with pytest.raises(MovingError, match="chunk' changed while its folder was read"):
        hash_path(tmp_path)
