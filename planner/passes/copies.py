"""Whether a local copy still has the bytes that it is known for: by stat where that is enough, else by reading it.

As git's index does it: a copy whose size, mtime, ctime and inode are those of its last verification is unchanged; ctime
cannot be set by an unprivileged user, so bytes of the same size under the same mtime do not pass. Anything else is
hashed again, once a plan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from integrity.digest import Hashed, Stat, hash_path
from integrity.errors import UnreadableError
from planner.planned import PlannedFile
from provenance.copies.replicas import Replica, signed64


class Finding(Enum):
    """What is wrong with a copy; the value is the finding class of the audit."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    APPENDED = "appended"
    CONTENT = "content-mismatch"


@dataclass(frozen=True, slots=True)
class Checked:
    """A copy that was looked at: ``finding`` None if it is good; ``file`` with the stat that it has now; what was
    found.
    """

    file: PlannedFile
    finding: Finding | None = None
    actual_sha256: bytes | None = None
    hashed: bool = False


class Copies:
    """The copies that one plan looks at; each path is read at most once."""

    def __init__(self) -> None:
        self._hashed: dict[str, Hashed | Finding] = {}
        self._checked: dict[tuple[str, bytes | None], Checked] = {}

    def check(self, file: PlannedFile) -> Checked:
        """Whether the copy at ``file.path`` has ``file.sha256``; that must be known."""
        key = (file.path, file.sha256)
        if key not in self._checked:
            self._checked[key] = self._check(file)
        return self._checked[key]

    def hash(self, path: str) -> Hashed | Finding:
        """Digest and stat of what is at ``path`` now, or why it cannot be had."""
        if path not in self._hashed:
            try:
                self._hashed[path] = hash_path(Path(path))
            except FileNotFoundError:
                self._hashed[path] = Finding.MISSING
            except (OSError, UnreadableError):
                self._hashed[path] = Finding.UNREADABLE
        return self._hashed[path]

    def was_read(self, path: str) -> bool:
        """Whether the bytes at ``path`` were read, and not only its stat."""
        return isinstance(self._hashed.get(path), Hashed)

    def _check(self, file: PlannedFile) -> Checked:
        try:
            stat = Stat.of(file.path)
        except FileNotFoundError:
            return Checked(file, Finding.MISSING)
        except OSError:
            return Checked(file, Finding.UNREADABLE)
        if same_stat(file, stat) and readable(file.path):
            return Checked(file)
        found = self.hash(file.path)
        if isinstance(found, Finding):
            return Checked(file, found)
        if found.sha256 == file.sha256:
            return Checked(with_stat(file, found.stat), actual_sha256=found.sha256, hashed=True)
        return Checked(with_stat(file, found.stat), _kind(file.size_bytes, found.stat.size), found.sha256, hashed=True)


def as_planned(replica: Replica, path: str, name: str) -> PlannedFile:
    """A copy that the store knows, as a plan has it: to be read at ``path`` under the name ``name``."""
    return PlannedFile(
        source=replica.source,
        file=replica.file,
        name=name,
        path=path,
        url=replica.url,
        site=replica.site or "local",
        sha256=replica.sha256,
        size_bytes=replica.size_bytes if replica.seen_bytes is None else replica.seen_bytes,
        digest_origin="recorded",
        modified_ns=replica.modified_ns,
        changed_ns=replica.changed_ns,
        inode=replica.inode,
        device=replica.device,
    )


def same_stat(file: PlannedFile, stat: Stat) -> bool:
    """Whether a stat is that of the last verification; False if there was none."""
    return (file.size_bytes, file.modified_ns, file.changed_ns, file.inode) == (
        stat.size,
        stat.mtime_ns,
        stat.ctime_ns,
        signed64(stat.inode),
    )


def with_stat(file: PlannedFile, stat: Stat) -> PlannedFile:
    """The file with the stat of a copy that has just been read."""
    return replace(
        file,
        size_bytes=stat.size,
        modified_ns=stat.mtime_ns,
        changed_ns=stat.ctime_ns,
        inode=signed64(stat.inode),
        device=signed64(stat.device),
    )


def readable(path: str) -> bool:
    """Whether there is something at ``path`` that this user can read."""
    return os.access(path, os.R_OK)


def _kind(expected: int | None, actual: int) -> Finding:
    if expected is None or expected == actual:
        return Finding.CONTENT
    # Only sizes are known, not the old bytes: a smaller file is called truncated, a larger one appended to.
    return Finding.TRUNCATED if actual < expected else Finding.APPENDED
