"""Copies of segments that are far away, in the user's cache: DuckDB reads files of this machine.

A copy is named for the digest that it was compared with when it came, so stores share them and one that is pulled or
moved finds its own; it is compared again when its file has changed since. The cache is bounded: those that nobody has
used for longest go first. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import DamagedStoreError, UserFolderError, lost
from provenance.storage.compared import Compared
from provenance.storage.durable import TEMPORARY, discard, sync_folder
from provenance.storage.recorded import not_as_recorded
from provenance.user_folders import cache_folder
from query.literals import Dimension, FromOutside, Number, read

if TYPE_CHECKING:
    from provenance.history.commits import Segment

VARIABLE = "PIRENE_CACHE_SIZE"
LIMIT_BYTES = 10_000_000_000
"""What the copies may take, unless the user says otherwise: some tens of millions of files with their metadata."""
PARALLEL = 8
"""So many come at a time: one stream seldom fills a line."""
_NOTED_SECONDS = 1800
"""A use is noted when the last one was noted longer ago: a query should not write for each file it reads, and what was
written to has to be compared again.
"""
_KEPT_SECONDS = 3600
"""What was used within the hour stays: somebody may be about to open it."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """Where segments come from: ``fetch`` writes a file of the store to a new local path and gives its sha256 (hex).

    It raises FileNotFoundError if the store has no such file, OSError if it cannot be written.
    """

    fetch: Callable[[str, Path], str]
    where: Callable[[str], str]


class SegmentCache:
    """The copies. Safe to share between threads; other processes may use the same folder."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._compared: Compared | None = None

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        """Where the copies are, in order; those that are not there yet are fetched.

        Raises DamagedStoreError, UserFolderError (for a copy that is not what was fetched, too), ReadFailedError, and
        what the source raises.
        """
        folder = _folder()
        wanted = {segment.sha256: segment for segment in segments}
        try:
            there = {digest for digest, segment in wanted.items() if _noted(_path(folder, segment), segment.size)}
            absent = [segment for digest, segment in wanted.items() if digest not in there]
            if absent:
                self._fetch_all(folder, absent)
                evict(folder, limit_bytes())
        except OSError as error:
            raise UserFolderError(
                f"{folder}: {error.strerror or error}",
                hint=f"make room, or name another folder in XDG_CACHE_HOME; {VARIABLE} limits what it holds",
            ) from error
        self._compare(folder, [wanted[digest] for digest in sorted(there)])
        return [_path(folder, segment) for segment in segments]

    def distrust(self, segments: Sequence[Segment]) -> None:
        """Read the copies of segments and remove those that are not as recorded any more: UserFolderError names one."""
        folder = _folder()
        bad = []
        for segment in segments:
            path = _path(folder, segment)
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != segment.sha256:
                    bad.append(path)
                    discard(path)
        if bad:
            raise UserFolderError(
                f"{bad[0]}: this copy of a segment is not what was fetched any more; it is removed now",
                hint="do it again; if this comes back, look at the disk",
            )

    def _compare(self, folder: Path, segments: Sequence[Segment]) -> None:
        """Compare the copies of segments that were there, each once while it stays as it is."""
        if self._compared is None:
            self._compared = Compared(folder)
        try:
            self._compared.compare([replace(each, path=str(_path(folder, each))) for each in segments])
        except DamagedStoreError:
            self.distrust(segments)

    def _fetch_all(self, folder: Path, segments: Sequence[Segment]) -> None:
        for name in {_path(folder, segment).parent for segment in segments}:
            name.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(min(PARALLEL, len(segments))) as executor:
            list(executor.map(lambda segment: self._fetch(folder, segment), segments))

    def _fetch(self, folder: Path, segment: Segment) -> None:
        path = _path(folder, segment)
        temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}{TEMPORARY}")
        try:
            try:
                sha256 = self._source.fetch(segment.path, temporary)
            except FileNotFoundError as error:
                raise lost(self._source.where(segment.path), error) from error
            if sha256 != segment.sha256:
                size = temporary.stat().st_size
                raise not_as_recorded(self._source.where(segment.path), segment, f"{size} bytes with sha256 {sha256}")
            temporary.rename(path)
            sync_folder(path.parent)
        finally:
            discard(temporary)


def clear() -> None:
    """Remove all copies that this user has, of all stores: some hold bytes that must go, and those of wide tables that
    were made anew long ago are named nowhere. A query that is about to open one has to be asked again.
    """
    try:
        folder = cache_folder("segments")
    except OSError:
        return  # then there are no copies
    for path in folder.glob("*/*"):
        discard(path)


def limit_bytes() -> int:
    """What the copies may take together, in bytes. Raises UserFolderError for a limit that is none."""
    text = os.environ.get(VARIABLE) or None
    if text is None:
        return LIMIT_BYTES
    match read(text):
        case FromOutside(reading=Number(value=value, dimension=Dimension.SIZE | Dimension.NONE)) if value >= 0:
            return int(value)
        case _:
            raise UserFolderError(f"{VARIABLE}: expected a size like 20 GB, found {text!r}")


def evict(folder: Path, limit: int) -> None:
    """Remove what was not used for longest until ``limit`` bytes are left; what was used within the hour stays.

    Copies that nobody finished go in any case.
    """
    found = []
    old = time.time() - _KEPT_SECONDS
    for path in folder.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if path.suffix == TEMPORARY and status.st_mtime <= old:
                discard(path)
                continue
            found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    for used, size, path in sorted(found):
        if total <= limit or used > old:
            return
        discard(path)
        total -= size


def _folder() -> Path:
    try:
        return cache_folder("segments")
    except OSError as error:
        raise UserFolderError(
            f"there is no folder for copies of segments: {error}", hint="set XDG_CACHE_HOME"
        ) from None


def _path(folder: Path, segment: Segment) -> Path:
    return folder / segment.sha256[:2] / f"{segment.sha256}.parquet"


def _noted(path: Path, size_bytes: int) -> bool:
    """Whether a copy is there; if so, that it was used is noted."""
    try:
        status = path.stat()
        if status.st_size != size_bytes:
            return False
        if time.time() - status.st_mtime > _NOTED_SECONDS:
            os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # the cache is somebody else's: what is there can be read
    return True
