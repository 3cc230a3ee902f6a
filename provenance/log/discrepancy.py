"""What an examination of the log has to say: where log and commits differ, and what could not be compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from provenance.errors import ReadFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Gravity(StrEnum):
    """What a discrepancy amounts to."""

    ALTERED = "altered"
    """It is not what was recorded: somebody, or something, changed it since."""
    UNVERIFIED = "unverified"
    """Nothing that is trusted vouches for it."""
    UNREAD = "unread"
    """The file system, or the server, did not hand it out: nothing is known of it."""
    BEHIND = "behind"
    """The log has not come to it yet: its writer was killed, or is at work. The next one brings it up."""


RESTORE = "restore it from a backup or a copy of the store, and find out who changed it"
REBUILD = "keep a copy and find out who changed it; `pirene log check --rebuild` makes the log anew from the commits"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One place, relative to the store. ``expected``, ``found`` and ``advice`` are for a person, one line each."""

    gravity: Gravity
    path: str
    expected: str
    found: str
    advice: str = RESTORE


def unread(path: str, expected: str, error: ReadFailedError) -> Discrepancy:
    """What is said of a file that could not be read."""
    return Discrepancy(Gravity.UNREAD, path, expected, str(error), error.hint or "see why it cannot be read")


def require_read(found: Iterable[Discrepancy]) -> None:
    """Raise ReadFailedError for the first file that could not be read: without it there is no whole."""
    for one in found:
        if one.gravity is Gravity.UNREAD:
            raise ReadFailedError(one.found, hint=one.advice)
