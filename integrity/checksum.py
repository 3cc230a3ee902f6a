"""Checksums that others made: md5, adler32 and crc32c, as archives and object stores keep them for each file.

They tell bytes that were damaged on their way from those that were not. They prove nothing about bytes that somebody
chose: only SHA-256 stands for a content. A checksum is written ``algorithm:hex``, in lower case, the hex of the
algorithm's big-endian value at its full length; sha256 is written so too, where a user declares one.

adler32 is that of RFC 1950, crc32c the Castagnoli CRC of RFC 3720 (iSCSI), as Rucio, XRootD and Google Cloud Storage
have them. Python's standard library has no crc32c, and one in Python reads 5 MB/s; google-crc32c reads 18 GB/s.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol

from integrity.errors import IntegrityError

HEX_DIGITS = {"sha256": 64, "md5": 32, "adler32": 8, "crc32c": 8}
"""The algorithms that can be declared, with the length of their checksums."""
FOREIGN = ("md5", "adler32", "crc32c")
"""Those that are no digest of ours."""
_LOWER_HEX = frozenset("0123456789abcdef")


class ChecksumError(IntegrityError):
    """A text that is no checksum."""


def parse_checksum(text: str, expected: str | None = None) -> str:
    """A checksum as the store keeps it, from ``algorithm:hex`` in any case, or from the hex digits alone: then it is of
    the ``expected`` algorithm, or else a sha256. Raises ChecksumError, also for another algorithm than expected.
    """
    algorithm, colon, digits = text.strip().lower().rpartition(":")
    algorithm = algorithm if colon else expected or "sha256"
    if expected is not None and expected != algorithm:
        raise ChecksumError(f"checksum {text!r}: expected {expected}: and {HEX_DIGITS[expected]} hex digits")
    length = HEX_DIGITS.get(algorithm)
    if length is None:
        raise ChecksumError(
            f"checksum {text!r}: expected one of {', '.join(HEX_DIGITS)}, then a colon and hex digits",
            hint=f"for example adler32:{'0' * 7}1",
        )
    if len(digits) != length or not _LOWER_HEX.issuperset(digits):
        raise ChecksumError(f"checksum {text!r}: expected {algorithm}: and {length} hex digits")
    return f"{algorithm}:{digits}"


def algorithms(checksums: Iterable[str]) -> tuple[str, ...]:
    """The foreign algorithms of some checksums, each once."""
    found = dict.fromkeys(checksum.partition(":")[0] for checksum in checksums)
    return tuple(algorithm for algorithm in found if algorithm in FOREIGN)


def differing(declared: Iterable[str], actual: Iterable[str]) -> list[str]:
    """The declared foreign checksums that contradict the actual ones; what only one of both has says nothing."""
    found = dict(checksum.split(":", 1) for checksum in actual)
    pairs = ((text, text.partition(":")) for text in declared)
    return [text for text, (algorithm, _, digits) in pairs if found.get(algorithm, digits) != digits]


def agreeing(declared: Iterable[str], actual: Iterable[str]) -> bool:
    """Whether at least one declared foreign checksum is among the actual ones, and none contradicts them."""
    known, found = set(declared), set(actual)
    return not known.isdisjoint(found) and not differing(known, found)


class RunningChecksum(Protocol):
    """One foreign checksum of a stream, block by block."""

    def update(self, block: memoryview) -> None:
        """Take the next bytes in."""
        ...

    def text(self) -> str:
        """``algorithm:hex`` of all that was taken in."""
        ...


def running(algorithm: str) -> RunningChecksum:
    """The checksum of no bytes yet. ``algorithm`` is one of FOREIGN; KeyError otherwise."""
    return _Md5() if algorithm == "md5" else _Sum(algorithm, *_STEPS[algorithm])


class _Md5:
    def __init__(self) -> None:
        self._hash = hashlib.md5(usedforsecurity=False)

    def update(self, block: memoryview) -> None:
        self._hash.update(block)

    def text(self) -> str:
        return f"md5:{self._hash.hexdigest()}"


class _Sum:
    def __init__(self, algorithm: str, step: Callable[[memoryview, int], int], start: int) -> None:
        self._algorithm = algorithm
        self._step = step
        self._value = start

    def update(self, block: memoryview) -> None:
        self._value = self._step(block, self._value)

    def text(self) -> str:
        return f"{self._algorithm}:{self._value:08x}"


def _crc32c(block: memoryview, value: int) -> int:
    import google_crc32c  # late: few files have one, and every import of this package would pay for it

    found: int = google_crc32c.extend(value, bytes(block))
    return found


_STEPS: dict[str, tuple[Callable[[memoryview, int], int], int]] = {"adler32": (zlib.adler32, 1), "crc32c": (_crc32c, 0)}
"""How to take in a block after those that gave a value, and the value of no bytes."""
