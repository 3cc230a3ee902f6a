"""Inputs that nobody else can reach: private copies, and sealed files in memory, made before an input is verified.

What is then hashed is the copy itself, not what it was made of, so that whatever happens to the original or on the way
cannot reach the command unseen. A copy shares the extents of the original where the file system can (FICLONE), else the
kernel copies, else this program does: the original is read at most once. A sealed file (memfd_create(2), F_ADD_SEALS)
cannot be changed by anybody any more, the command and its user included.

An input is handed to the command and to the steps after its verification by the link that was staged in for it, or,
where nothing is staged, in place of every argument that names it, and as standard input. What can be handed over
neither way, or is no file or folder, is used in place and guarded; a folder, or a file larger than SEAL_BYTES, is
copied where it was to be sealed. The record says what was done.
"""

import errno
import fcntl
import itertools
import os
import stat

from integrity.wrapper.content import BLOCK_BYTES, Survey, undisturbed, walk
from integrity.wrapper.description import Job
from integrity.wrapper.errors import UnpreparedError, UnreadableError
from integrity.wrapper.libc import c_function
from integrity.wrapper.notation import reason, to_bytes

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable

SEAL_BYTES = 64 << 20  # of one input: it is memory that the command cannot have
FICLONE = 0x40049409  # linux/fs.h
F_ADD_SEALS = 1033  # linux/fcntl.h; Python names them since 3.8
ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8  # SEAL, SHRINK, GROW, WRITE
MFD_CLOEXEC, MFD_ALLOW_SEALING = 0x1, 0x2
NUMBERS = itertools.count()  # of folders of this process, which may make many attempts
OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOMEM, errno.EFBIG)
CANNOT_BE_SHARED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EBADF)


class Private:
    """An input in private. ``path`` is where; ``level`` copy or seal; ``origin`` the path of what was copied, and
    ``original`` how that looked, untouched meanwhile.
    """

    def __init__(self, path: bytes, level: str, origin: bytes, original: Survey) -> None:
        self.path = path
        self.level = level
        self.origin = origin
        self.original = original


class PrivateCopies:
    """Those of one attempt; memory files live until ``close``."""

    def __init__(self, job: Job, check: "Callable[[], None]") -> None:
        self._job = job
        self._check = check
        self._sealed: "list[int]" = []

    def take(self, given: "dict[str, object]") -> "Private | None":
        """Make an input private and hand that to the command; None: it is used in place, or cannot be read, which its
        verification then says. Raises UnpreparedError where there is no room for a copy.
        """
        name = to_bytes(str(given["path"]))
        if self._job.protection == "guard" or given["role"] != "input" or not self._can_be_handed_over(name):
            return None
        try:
            private = self._made(os.path.join(self._job.work_dir, name))
            self._hand_over(name, private)
            return private
        except UnreadableError:
            return None
        except OSError as error:
            if error.errno in OUT_OF_ROOM:
                raise UnpreparedError("cannot copy input %r in private: %s" % (given["name"], reason(error))) from error
            return None

    def close(self) -> None:
        """Give up what is sealed in memory."""
        while self._sealed:
            os.close(self._sealed.pop())

    def _can_be_handed_over(self, name: bytes) -> bool:
        if name in self._job.staged_links:
            return True
        path = os.path.realpath(os.path.join(self._job.work_dir, name))
        is_named = any(name in step.argv[1:] for step in self._job.verified_steps)
        return self._job.protects_arguments and (is_named or self._is_standard_input(path))

    def _is_standard_input(self, path: bytes) -> bool:
        stdin = self._job.main.stdin
        return stdin is not None and os.path.realpath(stdin) == path

    def _hand_over(self, name: bytes, private: Private) -> None:
        if name in self._job.staged_links:
            link = os.path.join(self._job.work_dir, name)
            os.unlink(link)
            os.symlink(private.path, link)
            return
        for step in self._job.verified_steps:
            step.argv[1:] = [private.path if argument == name else argument for argument in step.argv[1:]]
        if self._is_standard_input(private.origin):
            self._job.main.stdin = private.path

    def _made(self, path: bytes) -> Private:
        def make(descriptor: int, found: Survey) -> "tuple[bytes, str]":
            if self._job.protection == "seal" and found.kind == "file" and found.size <= SEAL_BYTES:
                return self._seal(descriptor, os.path.basename(path)), "seal"
            return self._copy(descriptor, found, os.path.basename(path)), "copy"

        origin = os.path.realpath(path)
        original, (made, level) = undisturbed(path, True, True, make)
        return Private(made, level, origin, original)

    def _seal(self, descriptor: int, name: bytes) -> bytes:
        """Of the file that is open: the path of a sealed one, for as long as this process lives. Other processes find
        it by this process, so that it outlives whatever a command closes.
        """
        memory = memory_file(name)
        self._sealed.append(memory)
        copy_bytes(descriptor, memory, self._check)
        os.fchmod(memory, stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o555)
        fcntl.fcntl(memory, F_ADD_SEALS, ALL_SEALS)
        return b"/proc/%d/fd/%d" % (os.getpid(), memory)

    def _copy(self, descriptor: int, found: Survey, name: bytes) -> bytes:
        folder = os.path.join(self._job.protected_dir, b"%d-%d" % (os.getpid(), next(NUMBERS)))
        os.makedirs(folder, 0o700)
        path = os.path.join(folder, name)
        if found.kind == "file":
            copy_open_file(descriptor, path, self._check)
        else:
            copy_open_folder(descriptor, path, self._check)
        return path


def memory_file(name: bytes) -> int:
    """An open file in memory that can be sealed."""
    make = getattr(os, "memfd_create", None)  # since Python 3.8
    if make is not None:
        return int(make(os.fsdecode(name[:200]), MFD_CLOEXEC | MFD_ALLOW_SEALING))
    return c_function("memfd_create", "zI")(name[:200], MFD_CLOEXEC | MFD_ALLOW_SEALING)


def copy_open_folder(descriptor: int, path: bytes, check: "Callable[[], None]") -> None:
    """Copy all folders and regular files; anything else is left to the verification, which refuses it."""
    os.mkdir(path, 0o700)
    for inner, status, folder, name in walk(descriptor):
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(os.path.join(path, inner), 0o700)
        elif stat.S_ISREG(status.st_mode):
            source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                copy_open_file(source, os.path.join(path, inner), check)
            finally:
                os.close(source)
        else:
            raise UnreadableError("it holds what is neither a file nor a folder")


def copy_open_file(descriptor: int, path: bytes, check: "Callable[[], None]") -> None:
    """Copy an open file to a new one that nobody may write to."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o500 | stat.S_IRUSR
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    writer = os.open(path, flags, mode)
    try:
        try:
            fcntl.ioctl(writer, FICLONE, descriptor)
            return
        except OSError as error:
            if error.errno not in CANNOT_BE_SHARED:
                raise
        copy_bytes(descriptor, writer, check)
    finally:
        os.close(writer)


def copy_bytes(source: int, destination: int, check: "Callable[[], None]") -> None:
    """Copy from both positions to the end of ``source``: in the kernel where it can, else through this process."""
    in_kernel = getattr(os, "copy_file_range", None)  # since Python 3.8
    while True:
        check()
        if in_kernel is not None:
            try:
                if not in_kernel(source, destination, 64 * BLOCK_BYTES):
                    # Some file systems say 0 for files that the kernel makes up: reading tells.
                    in_kernel = None
                continue
            except OSError as error:
                if error.errno not in CANNOT_BE_SHARED:
                    raise
                in_kernel = None
        block = memoryview(os.read(source, BLOCK_BYTES))
        if not block:
            return
        while block:
            block = block[os.write(destination, block) :]
