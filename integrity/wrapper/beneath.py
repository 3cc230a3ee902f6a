"""Opening what must lie beneath a folder: no step of the way may be a symbolic link or lead out of it.

openat2(2) has the kernel see to that (Linux 5.6); older ones are walked through folder by folder with O_NOFOLLOW.
"""

import errno
import os
import stat
import sys

from integrity.wrapper.libc import c_function
from integrity.wrapper.notation import to_bytes

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable

OPENAT2 = 437  # the number of the system call, on every architecture
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 0x02, 0x04, 0x08  # linux/openat2.h
A_LINK = "a folder on the way to it is a symbolic link"
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder_beneath(root: bytes, names: "list[bytes]") -> int:
    """Open the folder that ``names`` lead to from ``root``, which itself may be anything. Raises OSError, with ELOOP
    where one of them is a link.
    """
    start = os.open(root, FOLDER_FLAGS & ~os.O_NOFOLLOW)
    if not names:
        return start
    try:
        opened = openat2()(start, b"/".join(names))
        return walk_beneath(start, names) if opened is None else opened
    finally:
        os.close(start)


def walk_beneath(start: int, names: "list[bytes]") -> int:
    """The same from an open folder, one step after the other."""
    folder = os.dup(start)
    for name in names:
        try:
            inner = os.open(name, FOLDER_FLAGS, dir_fd=folder)
        except NotADirectoryError:
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, A_LINK) from None
            raise
        finally:
            os.close(folder)
        folder = inner
    return folder


def names_beneath(path: str) -> "list[bytes]":
    """The names on the way along a relative path; none for one that starts elsewhere or leads up."""
    names = [name for name in to_bytes(path).split(b"/") if name not in (b"", b".")]
    return [] if path.startswith("/") or b".." in names else names


_loaded: "list[Callable[[int, bytes], int | None]]" = []


def openat2() -> "Callable[[int, bytes], int | None]":
    """What opens a folder beneath an open one, by the system call; it gives None where the kernel has none."""
    if not _loaded:
        _loaded.append(_load_openat2())
    return _loaded[0]


def _load_openat2() -> "Callable[[int, bytes], int | None]":
    system_call = c_function("syscall", "lizzL")
    resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
    how = b"".join(value.to_bytes(8, sys.byteorder) for value in (FOLDER_FLAGS & ~os.O_NOFOLLOW, 0, resolve))

    def call(start: int, path: bytes) -> "int | None":
        try:
            return system_call(OPENAT2, start, path, how, len(how))
        except OSError as error:
            number = error.errno or errno.EIO
            if number in (errno.ENOSYS, errno.EPERM):  # not there, or kept away by a filter of system calls
                return None
            raise OSError(number, A_LINK if number == errno.ELOOP else os.strerror(number)) from None

    return call
