"""Foreign checksums, against definitions that share no code with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrity.checksum import FOREIGN, ChecksumError, agreeing, algorithms, differing, parse_checksum, running
from integrity.digest import hash_path

blocks = st.lists(st.binary(max_size=300), max_size=6)


def adler32(data: bytes) -> int:
    """RFC 1950, section 8.2, as it stands there."""
    low, high = 1, 0
    for byte in data:
        low = (low + byte) % 65521
        high = (high + low) % 65521
    return high << 16 | low


def crc32c(data: bytes) -> int:
    """RFC 3720: polynomial 0x1EDC6F41 reflected, all ones before and after, bit by bit."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


@given(blocks)
def test_sums_of_blocks_are_those_of_the_whole(data: list[bytes]) -> None:
    for algorithm, definition in (("adler32", adler32), ("crc32c", crc32c)):
        checksum = running(algorithm)
        for block in data:
            checksum.update(memoryview(bytearray(block)))
        assert checksum.text() == f"{algorithm}:{definition(b''.join(data)):08x}"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("md5:d41d8cd98f00b204e9800998ecf8427e", "adler32:00000001", "crc32c:00000000")),
        (b"123456789", ("md5:25f9e794323b453885f5181f1b624d0b", "adler32:091e01de", "crc32c:e3069283")),
        (bytes(32), ("md5:70bc8f4b72a86921468bf8e8441dce51", "adler32:00200001", "crc32c:8a9136aa")),
    ],
)
def test_published_values(tmp_path: Path, data: bytes, expected: tuple[str, ...]) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert hash_path(path, checksums=FOREIGN).checksums == expected


def test_a_file_of_several_blocks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4000 + b"x")
    md5, adler, _ = hash_path(path, checksums=FOREIGN).checksums
    said = subprocess.run(["md5sum", path], check=True, capture_output=True, text=True).stdout
    assert md5 == "md5:" + said.split()[0]
    assert adler == f"adler32:{adler32(path.read_bytes()):08x}"


@pytest.mark.parametrize(
    ("text", "expected", "parsed"),
    [
        ("ADLER32:0000ABCD", None, "adler32:0000abcd"),
        (" md5:" + "0" * 32, None, "md5:" + "0" * 32),
        ("Ab" * 32, None, "sha256:" + "ab" * 32),
        ("0000abcd", "crc32c", "crc32c:0000abcd"),
        ("crc32c:0000abcd", "crc32c", "crc32c:0000abcd"),
    ],
)
def test_checksums_as_they_are_written(text: str, expected: str | None, parsed: str) -> None:
    assert parse_checksum(text, expected) == parsed


@pytest.mark.parametrize(
    ("text", "expected", "message"),
    [
        ("sha1:" + "0" * 40, None, "expected one of sha256, md5"),
        ("adler32:1", None, "expected adler32: and 8 hex digits"),
        ("adler32:0000000g", None, "expected adler32: and 8 hex digits"),
        ("adler32:0000000\u0661", None, "expected adler32: and 8 hex digits"),
        ("", None, "expected sha256: and 64 hex digits"),
        ("md5:" + "0" * 32, "crc32c", "expected crc32c: and 8 hex digits"),
    ],
)
def test_what_is_no_checksum(text: str, expected: str | None, message: str) -> None:
    with pytest.raises(ChecksumError, match=message):
        parse_checksum(text, expected)


def test_what_was_declared_and_what_is_there() -> None:
    declared = ("sha256:aa", "md5:11", "adler32:22")
    assert algorithms(declared) == ("md5", "adler32")
    assert differing(declared, ("md5:11", "adler32:23")) == ["adler32:22"]
    assert differing(declared, ()) == []
    assert agreeing(declared, ("md5:11",))
    assert not agreeing(declared, ("md5:11", "adler32:23"))
    assert not agreeing(declared, ("crc32c:33",))
    assert not agreeing((), ())
