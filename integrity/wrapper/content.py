"""Digests of files and folders, given only for bytes that did not move while they were read.

``integrity/digest.py`` is the same for newer Pythons and many files; the tests hold the two together.
"""

import os
import stat
import time

from integrity.wrapper.errors import UnreadableError
from integrity.wrapper.notation import clock_ns, to_text
from integrity.wrapper.paths import kind_name
from integrity.wrapper.sha256 import sha256

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")

BLOCK_BYTES = 1 << 18  # fits the second-level cache; larger blocks hash no faster
RACY_NS = 20 * 1000 * 1000  # ctime ticks at up to 10 ms on older kernels: a younger one proves nothing
SETTLING_ROUNDS = 5
FOLDER_HEADER = b"pirene-folder/1\0"
EMPTY_FOLDER = b"-" * 64


class Survey:
    """What the system says of a file or folder without reading it.

    ``fingerprint`` moves with identity, size, mtime and ctime (of everything in it, for a folder). Of a folder ``size``
    is the sum of its files, ``mtime_ns`` and ``ctime_ns`` are the newest in it.
    """

    def __init__(self, kind: str, status: os.stat_result) -> None:
        self.kind = kind
        self.fingerprint: "tuple[Any, ...]" = _identity(status)
        self.size = status.st_size
        self.mtime_ns = status.st_mtime_ns
        self.ctime_ns = status.st_ctime_ns
        self.inode = status.st_ino
        self.device = status.st_dev
        self.uid = status.st_uid


class Content:
    """The digest of all bytes of a file or folder, and of its first ``prefix_size`` bytes where it is longer."""

    def __init__(self, sha256: str, size: int, prefix_sha256: "str | None") -> None:
        self.sha256 = sha256
        self.size = size
        self.prefix_sha256 = prefix_sha256


def _identity(status: os.stat_result) -> "tuple[int, ...]":
    kind = stat.S_IFMT(status.st_mode)
    return status.st_dev, status.st_ino, kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def survey(descriptor: int) -> Survey:
    """Survey an open file or folder; raises UnreadableError for anything else, OSError where the system refuses."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return Survey("file", status)
    if not stat.S_ISDIR(status.st_mode):
        raise UnreadableError("it is %s, neither a regular file nor a folder" % kind_name(status.st_mode))
    found = Survey("folder", status)
    found.size = 0
    lines = sha256(0)
    lines.update(repr(found.fingerprint).encode())
    for path, entry, _, _ in walk(descriptor):
        lines.update(b"%d %s\0%r\0" % (len(path), path, _identity(entry)))
        found.size += entry.st_size if stat.S_ISREG(entry.st_mode) else 0
        found.mtime_ns = max(found.mtime_ns, entry.st_mtime_ns)
        found.ctime_ns = max(found.ctime_ns, entry.st_ctime_ns)
    found.fingerprint = (lines.hexdigest(),)
    return found


def walk(folder: int, prefix: bytes = b"") -> "Iterator[tuple[bytes, os.stat_result, int, bytes]]":
    """Everything below an open folder, as (path, status, descriptor of its folder, name), sorted by the bytes of path.

    The path of a folder ends in a slash, which makes depth-first order the order of whole paths. No link is followed.
    """
    entries = []
    for text in os.listdir(folder):
        name = os.fsencode(text)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        entries.append((name + b"/" if stat.S_ISDIR(status.st_mode) else name, name, status))
    entries.sort(key=lambda entry: entry[0])
    for key, name, status in entries:
        yield prefix + key, status, folder, name
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                yield from walk(inner, prefix + key)
            finally:
                os.close(inner)


def hash_stream(descriptor: int, about: int, prefix_size: "int | None", check: "Callable[[], None]") -> Content:
    """Hash from the current position to the end, in one pass, calling ``check`` before every block.

    ``about`` is the size that the file is likely to have: a small one must not cost the touching of a large buffer.
    """
    whole = sha256(about)
    prefix_sha256 = None
    size = 0
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(about + 1, 4096))))
    while True:
        check()
        count = os.readv(descriptor, [buffer])
        if not count:
            return Content(whole.hexdigest(), size, prefix_sha256)
        if prefix_size is not None and size <= prefix_size < size + count:
            cut = prefix_size - size
            whole.update(buffer[:cut])
            prefix_sha256 = whole.hexdigest()
            whole.update(buffer[cut:count])
        else:
            whole.update(buffer[:count])
        size += count


def hash_folder(descriptor: int, check: "Callable[[], None]") -> Content:
    """The digest of a folder's sorted manifest; ``integrity/digest.py`` defines its form.

    Raises UnreadableError where the folder holds anything but regular files and folders.
    """
    manifest = sha256(0)
    manifest.update(FOLDER_HEADER)
    size = 0
    empty: "bytes | None" = None
    for path, status, folder, name in walk(descriptor):
        if empty is not None and not path.startswith(empty):
            manifest.update(EMPTY_FOLDER + b"  " + empty + b"\0")
        empty = path if stat.S_ISDIR(status.st_mode) else None
        if stat.S_ISREG(status.st_mode):
            content = _hash_entry(folder, name, status.st_size, check)
            manifest.update(content.sha256.encode() + b"  " + path + b"\0")
            size += content.size
        elif empty is None:
            raise UnreadableError("it holds %r, which is %s" % (to_text(path), kind_name(status.st_mode)))
    if empty is not None:
        manifest.update(EMPTY_FOLDER + b"  " + empty + b"\0")
    return Content(manifest.hexdigest(), size, None)


def _hash_entry(folder: int, name: bytes, about: int, check: "Callable[[], None]") -> Content:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        return hash_stream(descriptor, about, None, check)
    finally:
        os.close(descriptor)


def read_content(
    path: bytes,
    follow: bool,
    settle: bool,
    prefix_size: "int | None",
    check: "Callable[[], None]",
    folder: "int | None" = None,
) -> "tuple[Survey, Content]":
    """Hash a file or folder so that the digest is that of bytes which did not move meanwhile; see `undisturbed`."""

    def read(descriptor: int, found: Survey) -> Content:
        if found.kind == "file":
            content = hash_stream(descriptor, found.size, prefix_size, check)
        else:
            content = hash_folder(descriptor, check)
        if content.size != found.size:
            raise UnreadableError("it changed while it was read")
        return content

    return undisturbed(path, follow, settle, read, folder)


def undisturbed(
    path: bytes, follow: bool, settle: bool, read: "Callable[[int, Survey], T]", folder: "int | None" = None
) -> "tuple[Survey, T]":
    """What ``read`` makes of a file or folder, open at its start, that did not move meanwhile.

    With ``settle`` it first waits until the ctime is so old that any later change moves it. ``path`` starts from the
    open ``folder``, where there is one. Raises OSError or UnreadableError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a named pipe must not block the open
    descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW, dir_fd=folder)
    try:
        before = survey(descriptor)
        if settle:
            before = settled(descriptor, before)
        made = read(descriptor, before)
        there = os.stat(path, dir_fd=folder, follow_symlinks=follow)
        if survey(descriptor).fingerprint != before.fingerprint:
            raise UnreadableError("it changed while it was read")
        if (there.st_dev, there.st_ino) != (before.device, before.inode):
            raise UnreadableError("another file took its place while it was read")
        return before, made
    finally:
        os.close(descriptor)


def settled(descriptor: int, found: Survey) -> Survey:
    """Wait until the ctime of an open file or folder is so old that any later change moves it. Raises UnreadableError
    where it is changed again each time.
    """
    for _ in range(SETTLING_ROUNDS):
        age_ns = clock_ns() - found.ctime_ns
        if abs(age_ns) >= RACY_NS:
            return found
        time.sleep((RACY_NS - age_ns) / 1e9)
        found = survey(descriptor)
    raise UnreadableError("it is being changed: at each of %d looks it had just been written to" % SETTLING_ROUNDS)
