"""Compares what copies of files should be with what they are, by reading every byte of them.

It takes expectations and knows nothing of where they come from. It never takes a stat for a verification: an unchanged
mtime is no evidence in an audit. A file whose digest nobody knows is `unknown`, not good.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from integrity.checksum import agreeing, algorithms, differing
from integrity.digest import Hashed, Stat, hash_path
from integrity.findings import Finding, FindingClass
from integrity.pace import Pace

_SHA256_OF_NOTHING = hashlib.sha256().digest()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one copy of a file should be. ``path`` is None where the copy cannot be read from here.

    ``sha256`` (32 bytes) and ``size`` are None where they are not known; ``checksums`` are foreign ones
    (integrity/checksum.py), by which a copy is checked as long as there is no sha256; ``earlier_sha256s`` are digests
    that a file of this name had before; ``source`` and ``file`` name the file to whoever asked and mean nothing here.
    ``kind`` is what should be there, None: not known.
    """

    name: str
    url: str
    path: Path | None
    sha256: bytes | None
    size: int | None = None
    source: int | None = None
    file: int | None = None
    earlier_sha256s: frozenset[bytes] = frozenset()
    checksums: tuple[str, ...] = ()
    kind: Literal["file", "folder"] | None = None

    @property
    def is_protected(self) -> bool:
        """Whether anything is known that the bytes can be compared with."""
        return self.sha256 is not None or bool(algorithms(self.checksums))


class Known(Protocol):
    """Who knows which content: tells a swapped file from one that was damaged."""

    def names(self, sha256: bytes) -> Collection[str]:
        """The names of all known files that have this content."""
        ...


class CheckVerdict(StrEnum):
    """The verdict of one verification."""

    OK = "ok"  # every byte is as expected
    MISMATCH = "mismatch"  # it was read, and is not
    MISSING = "missing"  # nothing is there
    UNREADABLE = "unreadable"  # something is there, but not all of it could be read
    UNKNOWN = "unknown"  # it was read, but nobody knows what it should be


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one copy: ``finding`` is None if it is as expected, or if nothing was expected of it (`unknown`).

    ``actual_sha256`` and ``stat`` are None where it could not be read whole; ``error`` is what the system said then.
    """

    expectation: Expectation
    verdict: CheckVerdict
    finding: FindingClass | None
    at: dt.datetime
    seconds: float = 0.0
    actual_sha256: bytes | None = None
    stat: Stat | None = None
    error: str | None = None

    @property
    def compared(self) -> bool:
        """Whether all bytes were read and compared with a digest or checksum that was known before."""
        return self.actual_sha256 is not None and self.expectation.is_protected

    def to_finding(self, *, stage: str = "audit", first_seen: dt.datetime | None = None) -> Finding | None:
        """The finding for a report; None if there is nothing to report."""
        if self.finding is None:
            return None
        return Finding(
            kind=self.finding,
            name=self.expectation.name,
            url=self.expectation.url,
            stage=stage,
            first_seen=self.at if first_seen is None else first_seen,
            expected_sha256=self.expectation.sha256,
            actual_sha256=self.actual_sha256,
            expected_size=self.expectation.size,
            actual_size=None if self.stat is None else self.stat.size,
            error=self.error,
        )


def audit(
    expectations: Iterable[Expectation],
    known: Known,
    *,
    workers: int = 2,
    pace: Pace | None = None,
    past_cache: bool = False,
) -> Iterator[Check]:
    """Look at every copy, ``workers`` at a time, and give the checks in the order of the expectations.

    Takes expectations as it goes: at most a few for each worker are in memory, however many there are. It ends early
    when the time of the ``pace`` is up. ``past_cache``: see `hash_path`.
    """
    pace = Pace() if pace is None else pace
    rest = iter(expectations)
    with ThreadPoolExecutor(max_workers=workers) as pool:

        def begin(count: int) -> list[Future[Check]]:
            taken = [] if pace.is_over else itertools.islice(rest, count)
            return [pool.submit(check, one, known, pace=pace, past_cache=past_cache) for one in taken]

        running = begin(2 * workers)
        try:
            while running:
                yield running.pop(0).result()
                running.extend(begin(1))
        except BaseException:
            # Nobody waits for the others any more: the pool must not read large files to their ends.
            pace.stop()
            for left in running:
                left.cancel()
            raise


def check(expectation: Expectation, known: Known, *, pace: Pace | None = None, past_cache: bool = False) -> Check:
    """Read one copy and compare it with what is expected of it. Raises StoppedError where the ``pace`` was stopped."""
    at = dt.datetime.now(dt.UTC)
    if expectation.path is None:
        return Check(expectation, CheckVerdict.UNREADABLE, FindingClass.UNREADABLE, at, error="not reachable from here")
    try:
        foreign = algorithms(expectation.checksums) if expectation.sha256 is None else ()
        hashed = hash_path(
            expectation.path, prefix_bytes=expectation.size, checksums=foreign, watch=pace, past_cache=past_cache
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        return Check(expectation, CheckVerdict.MISSING, FindingClass.MISSING, at, error=_said(error))
    except OSError as error:
        return Check(expectation, CheckVerdict.UNREADABLE, FindingClass.UNREADABLE, at, error=_said(error))
    finding = classify(expectation, hashed, known)
    if finding is not None:
        verdict = CheckVerdict.MISMATCH
    else:
        good = expectation.sha256 is not None or agreeing(expectation.checksums, hashed.checksums)
        verdict = CheckVerdict.OK if good else CheckVerdict.UNKNOWN
    return Check(expectation, verdict, finding, at, hashed.seconds, hashed.sha256, hashed.stat)


def classify(expectation: Expectation, hashed: Hashed, known: Known) -> FindingClass | None:
    """What is wrong with bytes that were read whole; None: nothing, or nothing was expected of them.

    `stale`, `swapped` and `appended` are certain: the very content is known. A file that lost all of its bytes is
    called truncated although some other file may rightly be empty. A folder in the place of a file is `unexpected`, as
    is a file in that of a folder. Where there is no digest, only size and foreign checksums can be wrong.
    """
    size = hashed.stat.size
    if hashed.sha256 == expectation.sha256:
        return None
    if expectation.sha256 is not None and expectation.kind not in (None, hashed.kind):
        return FindingClass.UNEXPECTED
    foreign = expectation.sha256 is None and differing(expectation.checksums, hashed.checksums)
    if expectation.sha256 is None and expectation.size in (None, size) and not foreign:
        return None
    if size == 0:
        return FindingClass.TRUNCATED
    if expectation.sha256 is not None:
        content = recognised(expectation.name, hashed.sha256, expectation.earlier_sha256s, known)
        if content is not None:
            return content
        if hashed.prefix_sha256 == expectation.sha256:
            return FindingClass.APPENDED
    if expectation.size is not None and size < expectation.size:
        return FindingClass.TRUNCATED
    return FindingClass.CONTENT_MISMATCH


def recognised(name: str, sha256: bytes, earlier_sha256s: Collection[bytes], known: Known) -> FindingClass | None:
    """What bytes are that are not those of the file ``name``: an earlier version of it, the content of another file;
    None: nobody knows them. Of no bytes at all nothing can be told.
    """
    if sha256 == _SHA256_OF_NOTHING:
        return None
    if sha256 in earlier_sha256s:
        return FindingClass.STALE
    return FindingClass.SWAPPED if any(other != name for other in known.names(sha256)) else None


def _said(error: OSError) -> str:
    return error.strerror or str(error)
