"""What a path leads to, opened or removed without trusting that it is what it was."""

import errno
import os
import stat

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from typing import Any

MAX_LINKS = 40  # the kernel's own limit on symbolic links in a path


def kind_name(mode: int) -> str:
    """What a file of this mode is, for a message."""
    names = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a regular file",
    }
    return names.get(stat.S_IFMT(mode), "of an unknown kind")


def link_chain(path: bytes) -> "list[tuple[int, int, int, bytes]]":
    """The symbolic links that ``path`` leads through: one swapped and swapped back leaves its target's ctime alone."""
    chain: "list[tuple[int, int, int, bytes]]" = []
    while len(chain) < MAX_LINKS:
        if path.startswith(b"/proc/"):
            break  # what such a link says is not where it leads
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            break
        target = os.readlink(path)
        chain.append((status.st_dev, status.st_ino, status.st_ctime_ns, target))
        path = os.path.join(os.path.dirname(path), target)
    return chain


def open_regular(path: "Any", flags: int) -> int:
    """Open for reading, without following a link or waiting for a pipe; raises OSError for all but regular files."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def remove_if_there(path: bytes) -> None:
    """Unlink, where there is something to unlink."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
