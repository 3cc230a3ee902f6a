"""Digests of files and folders: SHA-256 over all bytes that are there, and the stat that goes with them.

It refuses to give a digest of bytes that moved while they were read, of part of a file, or of anything that is
neither a regular file nor a folder. Reading never stops at a size that somebody expects.

The digest of a folder is the SHA-256 of its manifest. That is, in bytes::

    pirene-folder/1 NUL
    <sha256 of the file, lower-case hex> SPACE SPACE <path> NUL        for each file below it
    <64 times "-">                       SPACE SPACE <path> "/" NUL    for each folder below it that is empty

sorted by the bytes of the path, which is relative to the folder, with "/" between names. Modes, owners and times are
no part of it. A folder that holds a symbolic link, a device, a pipe or a socket has no digest. Without empty folders in
it, standard tools compute the same::

    { printf 'pirene-folder/1\\0'; cd FOLDER && find . -type f -printf '%P\\0' | LC_ALL=C sort -z \\
      | xargs -0r sha256sum -z -- ; } | sha256sum

``integrity/wrapper/content.py`` defines both digests once more, for Python 3.6; the tests hold the two together.
"""

from __future__ import annotations

import hashlib
import os
import stat as status_bits
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from integrity.checksum import RunningChecksum, running
from integrity.errors import MovingError, UnreadableError

FOLDER_HEADER = b"pirene-folder/1\0"
_EMPTY_FOLDER = b"-" * 64
_BLOCK_BYTES = 1 << 18  # fits the second-level cache of a core; larger blocks hash no faster
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a named pipe must not block the open

Place = str | bytes | os.PathLike[str]
Watch = Callable[[int], None]
"""Called with the number of bytes of every block that was read, by whichever thread read it. What it raises ends the
reading."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What the system says of a copy without reading it; equal stats are the ground for calling a copy unchanged.

    ``size`` in bytes, times in nanoseconds since 1970, ``inode`` and ``device`` unsigned 64-bit. Of a folder: ``size``
    is the sum of its files, the times are the newest in its whole tree, inode and device are its own. A stat whose
    ctime is less than 20 ms older than the look proves nothing: older kernels tick that coarsely.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, path: Place) -> Self:
        """The stat of a file or folder, symbolic links followed. Raises OSError."""
        status = os.stat(path)  # noqa: PTH116 - asked of every file of a plan; making a Path takes longer than the call
        if not status_bits.S_ISDIR(status.st_mode):
            return cls._from(status)
        descriptor = os.open(path, _OPEN | os.O_DIRECTORY)
        try:
            return cls._of_folder(descriptor)
        finally:
            os.close(descriptor)

    @classmethod
    def of_open(cls, descriptor: int, status: os.stat_result | None = None) -> Self:
        """The stat of an open file or folder, whose own ``status`` may be known already. Raises OSError."""
        status = os.fstat(descriptor) if status is None else status
        return cls._of_folder(descriptor) if status_bits.S_ISDIR(status.st_mode) else cls._from(status)

    @classmethod
    def _from(cls, status: os.stat_result) -> Self:
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)

    @classmethod
    def _of_folder(cls, descriptor: int) -> Self:
        top = os.fstat(descriptor)
        size, mtime_ns, ctime_ns = 0, top.st_mtime_ns, top.st_ctime_ns
        for entry in _below(descriptor, b""):
            size += entry.status.st_size if status_bits.S_ISREG(entry.status.st_mode) else 0
            mtime_ns = max(mtime_ns, entry.status.st_mtime_ns)
            ctime_ns = max(ctime_ns, entry.status.st_ctime_ns)
        return cls(size, mtime_ns, ctime_ns, top.st_ino, top.st_dev)


@dataclass(frozen=True, slots=True)
class Hashed:
    """What was read: ``sha256`` (32 bytes) of all of it, the stat that it had before and after, how long it took.

    ``prefix_sha256`` is the digest of the first ``prefix_bytes`` that were asked about; None where a file has no more
    than those, or for a folder. ``checksums`` are the foreign ones that were asked for (integrity/checksum.py); a
    folder has none.
    """

    sha256: bytes
    stat: Stat
    seconds: float
    kind: Literal["file", "folder"] = "file"
    prefix_sha256: bytes | None = None
    checksums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """Something below a folder: its path from there (a folder's ends in a slash), and where to open it."""

    path: bytes
    name: bytes
    folder: int
    status: os.stat_result


def hash_path(
    path: Place,
    *,
    prefix_bytes: int | None = None,
    checksums: Collection[str] = (),
    watch: Watch | None = None,
    past_cache: bool = False,
) -> Hashed:
    """Hash the file or folder at ``path``, symbolic links to it followed; ``checksums`` are foreign algorithms to
    compute in the same pass, ``watch`` is told of the bytes as they are read. ``past_cache``: what the system keeps in
    memory of them is read from the disk again, as far as it is there: damage on a disk does not show in memory.

    Raises OSError where the system refuses, UnreadableError where there is neither file nor folder, MovingError where
    the bytes changed, or others took their place, while they were read.
    """
    begin = time.monotonic()
    descriptor = os.open(path, _OPEN)
    try:
        status = os.fstat(descriptor)
        before = Stat.of_open(descriptor, status)
        prefix = None
        kind: Literal["file", "folder"] = "file"
        if status_bits.S_ISREG(status.st_mode):
            foreign = [running(algorithm) for algorithm in checksums]
            sha256, size, prefix = _hash_stream(descriptor, before.size, prefix_bytes, foreign, watch, past_cache)
        elif status_bits.S_ISDIR(status.st_mode):
            kind = "folder"
            foreign = []
            sha256, size = _hash_manifest(path, descriptor, watch, past_cache)
        else:
            raise UnreadableError(f"{_shown(path)} is {kind_of(status.st_mode)}, neither a regular file nor a folder")
        if size != before.size or _has_changed(descriptor, status, before):
            raise MovingError(f"{_shown(path)} changed while it was read")
        there = os.stat(path)  # noqa: PTH116 - of every file; making a Path takes longer than the call
        if (there.st_ino, there.st_dev) != (before.inode, before.device):
            raise MovingError(f"another file took the place of {_shown(path)} while it was read")
        found = tuple(checksum.text() for checksum in foreign)
        return Hashed(sha256, before, time.monotonic() - begin, kind, prefix, found)
    finally:
        os.close(descriptor)


def _has_changed(descriptor: int, status: os.stat_result, before: Stat) -> bool:
    """Whether an open file or folder is not what it was; of a file that is told without making another Stat of it."""
    if status_bits.S_ISDIR(status.st_mode):
        return Stat.of_open(descriptor) != before
    now = os.fstat(descriptor)
    return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _hash_stream(
    descriptor: int,
    about: int,
    prefix_bytes: int | None,
    checksums: Sequence[RunningChecksum] = (),
    watch: Watch | None = None,
    past_cache: bool = False,
) -> tuple[bytes, int, bytes | None]:
    """(digest, size, digest of the prefix) of an open file of about that size, from start to end, in one pass.

    Of a file that has grown meanwhile no more is read than shows it: one that grows faster than it is read has no end.
    """
    if past_cache:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    whole = hashlib.sha256()
    prefix: bytes | None = None
    buffer = memoryview(bytearray(min(_BLOCK_BYTES, max(about + 1, 4096))))
    size = 0
    while size <= about and (count := os.readv(descriptor, [buffer])):
        if prefix_bytes is not None and size <= prefix_bytes < size + count:
            until = whole.copy()
            until.update(buffer[: prefix_bytes - size])
            prefix = until.digest()
        block = buffer[:count]
        whole.update(block)
        for checksum in checksums:
            checksum.update(block)
        if watch is not None:
            watch(count)
        size += count
    return whole.digest(), size, prefix


def _hash_manifest(path: Place, descriptor: int, watch: Watch | None, past_cache: bool) -> tuple[bytes, int]:
    """(digest of the manifest, bytes in all files) of an open folder."""
    files: dict[bytes, bytes] = {}
    size = 0
    empty: set[bytes] = set()
    for entry in _below(descriptor, b""):
        empty.discard(entry.path[: entry.path.rstrip(b"/").rfind(b"/") + 1])
        if status_bits.S_ISDIR(entry.status.st_mode):
            empty.add(entry.path)
        elif status_bits.S_ISREG(entry.status.st_mode):
            files[entry.path], count = _hash_entry(entry, watch, past_cache)
            size += count
        else:
            raise UnreadableError(
                f"the folder {_shown(path)} holds {_shown(entry.path)}, which is {kind_of(entry.status.st_mode)}",
                hint="Only folders of regular files and folders have a digest.",
            )
    lines = files | dict.fromkeys(empty, _EMPTY_FOLDER)
    manifest = hashlib.sha256(FOLDER_HEADER)
    for name in sorted(lines):
        manifest.update(lines[name] + b"  " + name + b"\0")
    return manifest.digest(), size


def _hash_entry(entry: _Entry, watch: Watch | None, past_cache: bool) -> tuple[bytes, int]:
    descriptor = os.open(entry.name, _OPEN | os.O_NOFOLLOW, dir_fd=entry.folder)
    try:
        before = Stat.of_open(descriptor)
        sha256, size, _ = _hash_stream(descriptor, before.size, None, watch=watch, past_cache=past_cache)
        if Stat.of_open(descriptor) != before or size != before.size:
            raise MovingError(f"{_shown(entry.path)} changed while its folder was read")
        return sha256.hex().encode("ascii"), size
    finally:
        os.close(descriptor)


def _below(folder: int, prefix: bytes) -> Iterator[_Entry]:
    """All that is below an open folder, in no order; an entry's folder is open until the next one is asked for."""
    with os.scandir(folder) as listing:
        names = [os.fsencode(found.name) for found in listing]
    for name in names:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not status_bits.S_ISDIR(status.st_mode):
            yield _Entry(prefix + name, name, folder, status)
            continue
        yield _Entry(prefix + name + b"/", name, folder, status)
        inner = os.open(name, _OPEN | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            yield from _below(inner, prefix + name + b"/")
        finally:
            os.close(inner)


def kind_of(mode: int) -> str:
    """What a file of this mode is that is no regular file, in words."""
    kinds = {
        status_bits.S_IFLNK: "a symbolic link",
        status_bits.S_IFDIR: "a folder",
        status_bits.S_IFIFO: "a named pipe",
        status_bits.S_IFSOCK: "a socket",
        status_bits.S_IFCHR: "a character device",
        status_bits.S_IFBLK: "a block device",
    }
    return kinds.get(status_bits.S_IFMT(mode), "of an unknown kind")


def _shown(path: Place) -> str:
    """A path in a message: quoted, so that spaces, newlines and bytes that are not text can be told apart."""
    return repr(os.fsdecode(path))
