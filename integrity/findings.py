"""What is wrong with copies of files: findings, their classes, and what each makes of an audit.

Damage is a finding, never an exception. What the findings of one audit are together is in integrity/report.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class FindingClass(StrEnum):
    """What is wrong, told apart by what the bytes show."""

    CONTENT_MISMATCH = "content-mismatch"  # other bytes, and nothing more is known of them
    TRUNCATED = "truncated"  # fewer bytes than expected; those that are left may be altered as well
    APPENDED = "appended"  # the expected bytes, exactly, and more after them
    MISSING = "missing"  # nothing is there
    UNEXPECTED = "unexpected"  # something else is in its place: a folder in that of a file, or the other way round
    SWAPPED = "swapped"  # the content of another file that is known
    STALE = "stale"  # an earlier version of the file of this name
    UNREADABLE = "unreadable"  # the system refused, or the bytes moved while they were read
    CATALOG_MISMATCH = "catalog-mismatch"  # the store and the log of its commits disagree
    LOG_MISMATCH = "log-mismatch"  # the files of the log are not those that were made


class Verdict(StrEnum):
    """What an audit amounts to, and the exit code that says so."""

    CLEAN = "clean"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"
    TAMPERED = "tampered"

    @property
    def exit_code(self) -> int:
        """0 clean, 1 damaged, 3 incomplete, 4 tampered."""
        match self:
            case Verdict.CLEAN:
                return 0
            case Verdict.DAMAGED:
                return 1
            case Verdict.INCOMPLETE:
                return 3
            case Verdict.TAMPERED:
                return 4
        assert_never(self)


_GRAVITY = (Verdict.TAMPERED, Verdict.DAMAGED, Verdict.INCOMPLETE, Verdict.CLEAN)


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that outranks the others: tampered, then damaged, then incomplete; clean if there are none."""
    return min(verdicts, key=_GRAVITY.index, default=Verdict.CLEAN)


def meaning(finding: FindingClass) -> Verdict:
    """What a finding of this class alone makes of an audit."""
    match finding:
        case FindingClass.CATALOG_MISMATCH | FindingClass.LOG_MISMATCH:
            return Verdict.TAMPERED
        case FindingClass.UNREADABLE:
            return Verdict.INCOMPLETE
        case (
            FindingClass.CONTENT_MISMATCH
            | FindingClass.TRUNCATED
            | FindingClass.APPENDED
            | FindingClass.MISSING
            | FindingClass.UNEXPECTED
            | FindingClass.SWAPPED
            | FindingClass.STALE
        ):
            return Verdict.DAMAGED
    assert_never(finding)


@dataclass(frozen=True, slots=True)
class Sight:
    """Somebody looked at a file: at which ``stage`` of the pipeline, when, on which host; ``job`` and ``workflow`` are
    those of the attempt that did, if one did.
    """

    stage: str
    at: dt.datetime
    host: str | None = None
    job: str | None = None
    workflow: str | None = None

    def document(self) -> dict[str, object]:
        """The sight as `pirene.audit/1` has it."""
        return {
            "stage": self.stage,
            "at": time_text(self.at),
            "host": self.host,
            "job": self.job,
            "workflow": self.workflow,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one copy. Digests are 32 bytes, sizes bytes; None: not expected, or not known.

    ``stage`` is where it was noticed (`audit`, `scrub`, `pre-exec`, ...); ``first_seen`` when it was first noticed;
    ``affected_files`` and ``affected_jobs`` are names and ids of what was made with it; of the jobs ``read_by`` are
    those that read the file itself. It went wrong between ``last_good`` and ``first_bad``. ``good_copies`` are URLs of
    the same content. ``error`` is what the system said.
    """

    kind: FindingClass
    name: str
    url: str
    stage: str
    first_seen: dt.datetime
    expected_sha256: bytes | None = None
    actual_sha256: bytes | None = None
    expected_size: int | None = None
    actual_size: int | None = None
    affected_files: tuple[str, ...] = ()
    affected_jobs: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    last_good: Sight | None = None
    first_bad: Sight | None = None
    good_copies: tuple[str, ...] = ()
    error: str | None = None

    def document(self) -> dict[str, object]:
        """The finding as `pirene.audit/1` has it."""
        return {
            "class": self.kind.value,
            "name": self.name,
            "url": self.url,
            "expected_sha256": hex_text(self.expected_sha256),
            "actual_sha256": hex_text(self.actual_sha256),
            "expected_size": self.expected_size,
            "actual_size": self.actual_size,
            "stage": self.stage,
            "first_seen": time_text(self.first_seen),
            "affected": {
                "files": list(self.affected_files),
                "jobs": list(self.affected_jobs),
                "read_by": list(self.read_by),
            },
            "last_good": None if self.last_good is None else self.last_good.document(),
            "first_bad": None if self.first_bad is None else self.first_bad.document(),
            "good_copies": list(self.good_copies),
            "error": self.error,
        }


def hex_text(digest: bytes | None) -> str | None:
    """A digest as lower-case hex."""
    return None if digest is None else digest.hex()


def time_text(moment: dt.datetime) -> str:
    """A time in UTC with microseconds and Z; ValueError for one that does not know its zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()}: a time without a zone names no moment")
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
