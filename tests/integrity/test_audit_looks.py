"""Looks at copies: what was found and where, by reading every byte."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from integrity.audit import Check, CheckVerdict, Expectation, audit, check
from integrity.findings import FindingClass
from integrity.report import Coverage, Gap, GapReason
from integrity.tally import Tally

GOOD = b"exposure 42\n" * 500
EARLIER = b"exposure 41\n" * 500
OTHER = b"flat field\n" * 400


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Names:
    """Knows three files, one of them under two names, and one that is empty."""

    def __init__(self) -> None:
        self._names = {sha(GOOD): ["raw.fits", "copy.fits"], sha(OTHER): ["flat.fits"], sha(b""): ["done.flag"]}

    def names(self, sha256: bytes) -> Collection[str]:
        return self._names.get(sha256, [])


def look(path: Path, data: bytes | None = GOOD, size: int | None = len(GOOD)) -> Check:
    expectation = Expectation(
        "raw.fits", f"file://{path}", path, None if data is None else sha(data), size, 1, 2, frozenset({sha(EARLIER)})
    )
    return check(expectation, Names())


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (flipped(GOOD, 0), FindingClass.CONTENT_MISMATCH),
        (flipped(GOOD, len(GOOD) - 1), FindingClass.CONTENT_MISMATCH),
        (GOOD[:-1], FindingClass.TRUNCATED),
        (b"", FindingClass.TRUNCATED),
        (GOOD + b"x", FindingClass.APPENDED),
        (flipped(GOOD, 7) + b"x", FindingClass.CONTENT_MISMATCH),
        (OTHER, FindingClass.SWAPPED),
        (EARLIER, FindingClass.STALE),
    ],
)
def test_the_class_of_what_is_wrong(tmp_path: Path, data: bytes, finding: FindingClass) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(data)
    seen = look(path)
    assert (seen.verdict, seen.finding) == (CheckVerdict.MISMATCH, finding)
    assert seen.actual_sha256 == sha(data)
    assert seen.stat is not None and seen.stat.size == len(data)
    assert seen.compared


def test_a_good_copy(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD)
    seen = look(path)
    assert (seen.verdict, seen.finding, seen.actual_sha256, seen.error) == (CheckVerdict.OK, None, sha(GOOD), None)
    assert seen.to_finding() is None
    assert seen.at.tzinfo is not None


def test_the_bytes_are_read_even_if_the_stat_is_that_of_the_last_time(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD)
    assert look(path).finding is None
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(bytes([GOOD[1000] ^ 4]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert look(path).finding is FindingClass.CONTENT_MISMATCH


def test_without_an_expected_digest_nothing_is_called_good(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD)
    seen = look(path, None)
    assert (seen.verdict, seen.finding, seen.compared) == (CheckVerdict.UNKNOWN, None, False)
    seen = look(path, None, None)
    assert seen.verdict is CheckVerdict.UNKNOWN
    seen = look(path, None, len(GOOD) + 1)
    assert (seen.verdict, seen.finding) == (CheckVerdict.MISMATCH, FindingClass.TRUNCATED)
    seen = look(path, None, 5)
    assert (seen.verdict, seen.finding) == (CheckVerdict.MISMATCH, FindingClass.CONTENT_MISMATCH)


def test_the_digest_decides_where_a_catalogued_size_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD)
    assert look(path, GOOD, 3).verdict is CheckVerdict.OK


def test_missing_and_unreadable(tmp_path: Path) -> None:
    seen = look(tmp_path / "absent")
    assert (seen.verdict, seen.finding, seen.error) == (
        CheckVerdict.MISSING,
        FindingClass.MISSING,
        "No such file or directory",
    )
    os.mkfifo(tmp_path / "pipe")
    seen = look(tmp_path / "pipe")
    assert (seen.verdict, seen.finding, seen.actual_sha256) == (
        CheckVerdict.UNREADABLE,
        FindingClass.UNREADABLE,
        None,
    )
    assert seen.error is not None and "named pipe" in seen.error
    assert look(Path("/proc/self/mem")).error == "Input/output error"


def test_a_copy_that_cannot_be_reached_is_not_verified() -> None:
    seen = check(Expectation("a", "s3://bucket/a", None, sha(b"a")), Names())
    assert (seen.verdict, seen.finding, seen.compared) == (
        CheckVerdict.UNREADABLE,
        FindingClass.UNREADABLE,
        False,
    )


def test_a_finding_has_what_was_expected_and_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD + b"tail")
    seen = look(path)
    finding = seen.to_finding(stage="scrub")
    assert finding is not None
    assert (finding.kind, finding.name, finding.url) == (FindingClass.APPENDED, "raw.fits", f"file://{path}")
    assert (finding.expected_sha256, finding.actual_sha256) == (sha(GOOD), sha(GOOD + b"tail"))
    assert (finding.expected_size, finding.actual_size) == (len(GOOD), len(GOOD) + 4)
    assert (finding.stage, finding.first_seen) == ("scrub", seen.at)


def test_many_copies_in_their_order_and_few_at_a_time(tmp_path: Path) -> None:
    asked = 0

    def expectations() -> object:
        nonlocal asked
        for number in range(200):
            path = tmp_path / str(number)
            path.write_bytes(b"%d" % number if number != 150 else b"x")
            asked += 1
            yield Expectation(str(number), f"file://{path}", path, sha(b"%d" % number))

    checks = audit(expectations(), Names(), workers=2)  # type: ignore[arg-type]
    first = next(checks)
    assert first.expectation.name == "0" and asked < 20
    rest = list(checks)
    assert [one.expectation.name for one in rest] == [str(number) for number in range(1, 200)]
    assert [one.expectation.name for one in rest if one.finding] == ["150"]


def test_coverage_counts_only_what_was_compared(tmp_path: Path) -> None:
    path = tmp_path / "raw.fits"
    path.write_bytes(GOOD)
    tally = Tally()
    for one in (look(path), look(path, None), look(tmp_path / "absent"), look(path, EARLIER)):
        tally.looked(one, verified_before=False)
    gaps = (Gap(GapReason.NO_DIGEST, 1, ("raw.fits",)), Gap(GapReason.NOT_THERE, 1, ("raw.fits",)))
    assert tally.coverage() == Coverage(replicas=4, verified=2, never_verified=2, unprotected=1, gaps=gaps)


@pytest.mark.parametrize("size", [0, 4, 400])
def test_a_folder_in_the_place_of_a_file_is_unexpected_and_nothing_is_said_of_lost_bytes(
    tmp_path: Path, size: int
) -> None:
    place = tmp_path / "raw.fits"
    place.mkdir()
    if size:
        (place / "inside").write_bytes(bytes(size))
    digest = hashlib.sha256(b"recorded").digest()
    expected = Expectation("raw.fits", "", place, digest, size=8, kind="file")
    assert check(expected, Names()).finding is FindingClass.UNEXPECTED
    shutil.rmtree(place)
    place.write_bytes(b"recorde")
    assert check(expected, Names()).finding is FindingClass.TRUNCATED
    assert check(replace(expected, kind="folder"), Names()).finding is FindingClass.UNEXPECTED
    place.write_bytes(b"recorded")
    assert check(expected, Names()).finding is None
