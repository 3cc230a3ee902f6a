"""Segments of a folder that were compared with their digests: each is compared once, and not at every question.

DuckDB passes over the checksums that Parquet has, and where nothing is compared most bits that flip in a segment
become another answer. What was compared counts as unchanged as long as device, inode, size, mtime and ctime are what
they were, as git has it for its index; nobody but root can set a ctime. What is remembered is in the user's cache, a
line each, and may be deleted at any time: then all is compared again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import NOT_THERE, UserFolderError, read_failed
from provenance.storage.recorded import compare
from provenance.user_folders import cache_folder

if TYPE_CHECKING:
    from provenance.history.commits import Segment

VARIABLE = "PIRENE_COMPARE_SEGMENTS"
_CHOICES = ("once", "always", "never")
_SETTLED_NS = 2_000_000_000
"""What changed so short a while ago may change again within one tick of its ctime: it is not remembered."""
_MOST_BYTES = 4 << 20
"""Some thirty-five thousand lines. Beyond that a file is set aside as the older one, and one is begun anew: most lines
are of segments that were merged into others long ago, and those that are still asked for move over.
"""


class Compared:
    """What this process, and those of this user before it, compared of the store in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lines: set[str] | None = None
        self._older: set[str] = set()

    def compare(self, segments: Sequence[Segment]) -> None:
        """Compare those that were not yet (PIRENE_COMPARE_SEGMENTS: once, always: by each process, or never).

        Those that are not there are left to who reads them. Raises DamagedStoreError for one that is not as recorded,
        ReadFailedError, UserFolderError for a choice that is none.
        """
        how = os.environ.get(VARIABLE) or "once"
        if how not in _CHOICES:
            raise UserFolderError(f"{VARIABLE}: expected {', '.join(_CHOICES[:-1])} or never, found {how!r}")
        if how == "never":
            return
        known = self._known(how)
        new = [line for segment in segments if (line := self._compared(segment, known)) is not None]
        if new and how == "once":
            self._remember(new)

    def _compared(self, segment: Segment, known: set[str]) -> str | None:
        """The line of a segment that is to be remembered; None: it stands there already, or must not."""
        path = self._root / segment.path
        try:
            changed_ns, line = _line(path, segment)
            if line in known:
                return None
            if line not in self._older:
                compare(path, segment)
                if _line(path, segment)[1] != line:
                    return None
        except NOT_THERE:
            return None
        except OSError as error:
            raise read_failed(str(path), error) from error
        known.add(line)
        return line if changed_ns < time.time_ns() - _SETTLED_NS else None

    def _known(self, how: str) -> set[str]:
        if self._lines is None:
            self._lines = set()
            if how == "once":
                with contextlib.suppress(OSError):
                    self._lines, self._older = map(_remembered, self._files())
        return self._lines

    def _remember(self, lines: Sequence[str]) -> None:
        """Add lines, which others may do at the same time; what cannot be kept is compared again."""
        with contextlib.suppress(OSError):
            file, older = self._files()
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists() and file.stat().st_size > _MOST_BYTES:
                file.replace(older)
            with file.open("a", encoding="ascii") as stream:
                stream.write("".join(f"\n{line}" for line in lines))  # a line that was torn spoils no other

    def _files(self) -> tuple[Path, Path]:
        """Where lines are added, and those that were set aside."""
        file = cache_folder("compared") / hashlib.sha256(os.fsencode(self._root)).hexdigest()[:32]
        return file, file.with_suffix(".older")


def _remembered(file: Path) -> set[str]:
    try:
        return set(file.read_text("ascii", "replace").split("\n"))
    except OSError:
        return set()


def _line(path: Path, segment: Segment) -> tuple[int, str]:
    """The ctime of a segment's file, and what is remembered of it: its digest and all that changes when it does."""
    status = path.stat()
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return status.st_ctime_ns, " ".join((segment.sha256, *(f"{number:x}" for number in numbers)))
