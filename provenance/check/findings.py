"""What a check of a store has to say: findings, each of a kind that decides how grave it is, and the report of them.

A finding is a value, not an exception: a check goes on to the end, whatever it meets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from provenance.errors import NotThere, ReadFailedError

if TYPE_CHECKING:
    from provenance.storage.interface import Storage

UNREAD = (FileNotFoundError, NotADirectoryError, IsADirectoryError, ReadFailedError)
"""What a storage raises instead of giving a file: see `not_read`."""


class Verdict(StrEnum):
    """What a check says as a whole; the gravest finding decides."""

    CLEAN = "clean"
    INCOMPLETE = "incomplete"
    DAMAGED = "damaged"

    @property
    def exit_code(self) -> int:
        """Never 4: a check sees that something differs; who did it is the business of the log."""
        match self:
            case Verdict.CLEAN:
                return 0
            case Verdict.INCOMPLETE:
                return 3
            case Verdict.DAMAGED:
                return 1


class Kind(StrEnum):
    """What is wrong, or is worth knowing."""

    MISSING = "missing"
    """A file that a commit names, or a commit among others, is not there."""
    CHANGED = "changed"
    """A file does not have the bytes that were recorded of it."""
    MALFORMED = "malformed"
    """A file has its bytes, or nobody recorded them, and they are not what such a file holds."""
    CONTRADICTION = "contradiction"
    """A commit does not follow from those before it."""
    MISCOUNT = "miscount"
    """A number that a commit gives is not that of its rows."""
    DANGLING = "dangling"
    """Rows refer to something that the store does not have, and must have."""
    DOUBLED = "doubled"
    """Two rows stand for one thing."""
    UNREADABLE = "unreadable"
    """The file system, or the server, did not hand out a file: nothing is known of it."""
    UNCHECKED = "unchecked"
    """Something could not be looked at because of other findings."""
    UNERASED = "unerased"
    """An erasure was interrupted: bytes are there that it has said are gone."""
    STALE = "stale"
    """What is made from the commits is behind them, torn or of another store; it can be made anew at any time."""
    ORPHAN = "orphan"
    """No commit stands for the file: its writer is at work, or was killed."""
    QUARANTINED = "quarantined"
    """What could not be ingested."""
    STRANGE = "strange"
    """A file that no store makes."""

    @property
    def verdict(self) -> Verdict:
        """What a finding of this kind alone makes of a check."""
        match self:
            case Kind.UNREADABLE | Kind.UNCHECKED | Kind.UNERASED:
                return Verdict.INCOMPLETE
            case Kind.STALE | Kind.ORPHAN | Kind.QUARANTINED | Kind.STRANGE:
                return Verdict.CLEAN
            case _:
                return Verdict.DAMAGED


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. ``path`` is relative to the store (of rows: the table); ``expected``, ``found`` and
    ``advice`` are for a person, one line each.
    """

    kind: Kind
    path: str
    expected: str
    found: str
    advice: str

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "kind": self.kind.value,
            "verdict": self.kind.verdict.value,
            "path": self.path,
            "expected": self.expected,
            "found": self.found,
            "advice": self.advice,
        }


def not_read(storage: Storage, path: str, expected: str, error: NotThere | ReadFailedError, advice: str) -> Finding:
    """The finding for a file that could not be read; ``advice`` is for one that is not there, or is something else."""
    match error:
        case ReadFailedError():
            why = str(error)
            for place in (f"{storage.where(path)}: ", f"{storage.location}: ", f"{storage.location}/"):
                why = why.removeprefix(place)
            return Finding(Kind.UNREADABLE, path, expected, why, "see to it that it can be read, then check again")
        case FileNotFoundError():
            return Finding(Kind.MISSING, path, expected, "nothing", advice)
        case IsADirectoryError() | NotADirectoryError():
            return Finding(Kind.MISSING, path, expected, error.strerror or str(error), advice)
        case _:
            assert_never(error)


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that was mended, or could not be (``done`` false); ``what`` says which and why, one sentence."""

    path: str
    done: bool
    what: str

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {"path": self.path, "done": self.done, "what": self.what}


@dataclass(frozen=True, slots=True)
class Report:
    """What a check looked at and found. ``size_bytes`` and ``segments`` count superseded segments too; ``rows`` are
    those that the newest commit shows.
    """

    store: str | None
    location: str
    commits: int
    segments: int
    rows: int
    size_bytes: int
    findings: tuple[Finding, ...]
    repairs: tuple[Repair, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest of the findings decides."""
        return gravest(finding.kind.verdict for finding in self.findings)

    def document(self) -> dict[str, object]:
        """The report as JSON has it."""
        return {
            "schema": "pirene.store-check/1",
            "verdict": self.verdict.value,
            "store": self.store,
            "location": self.location,
            "checked": {
                "commits": self.commits,
                "segments": self.segments,
                "rows": self.rows,
                "size_bytes": self.size_bytes,
            },
            "findings": [finding.document() for finding in self.findings],
            "repairs": [repair.document() for repair in self.repairs],
        }


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Damage outranks what could not be read, which outranks nothing."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.CLEAN)
