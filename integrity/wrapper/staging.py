"""The work folder before the command starts: made, with what is staged in, without an older metadata file."""

import errno
import os
import stat

from integrity.wrapper.content import BLOCK_BYTES
from integrity.wrapper.description import Job
from integrity.wrapper.errors import UnpreparedError
from integrity.wrapper.notation import reason, to_text
from integrity.wrapper.paths import kind_name, open_regular, remove_if_there

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable


def stage(work_dir: bytes, source: bytes, names: "list[bytes]", copy: bool, check: "Callable[[], None]") -> None:
    """Make work_dir/names... a symbolic link to ``source``, or a copy of it.

    Every folder on the way is one of the work folder's own. What an earlier attempt left there is replaced: a link by a
    link, a file by a copy; anything else in the way is an error.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(work_dir, flags & ~os.O_NOFOLLOW)
    try:
        for name in names[:-1]:
            try:
                os.mkdir(name, dir_fd=folder)
            except FileExistsError:
                pass  # made for another file, or by an earlier attempt
            inner = os.open(name, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        make_way(names[-1], folder, stat.S_ISREG if copy else stat.S_ISLNK)
        if copy:
            copy_file(source, names[-1], folder, check)
        else:
            os.symlink(source, names[-1], dir_fd=folder)
    finally:
        os.close(folder)


def make_way(name: bytes, folder: int, expected: "Callable[[int], bool]") -> None:
    """Remove what is at ``name``, if it is of the kind that an earlier attempt would have left there."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not expected(mode):
        raise FileExistsError(errno.EEXIST, "%s is in the way" % kind_name(mode))
    os.unlink(name, dir_fd=folder)


def copy_file(source: bytes, name: bytes, folder: int, check: "Callable[[], None]") -> None:
    """Copy a regular file, writable for its owner: the command changes it in place. It is verified as any input is.

    A missing source is left to that verification, which says so.
    """
    try:
        descriptor = open_regular(os.path.realpath(source), os.O_RDONLY)
    except FileNotFoundError:
        return
    with open(descriptor, "rb", buffering=0) as reader:
        mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode) | stat.S_IWUSR
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, mode, dir_fd=folder), "wb") as writer:
            for block in iter(lambda: reader.read(BLOCK_BYTES), b""):
                check()
                writer.write(block)


def prepare(job: Job, check: "Callable[[], None]") -> None:
    """Make the work folder and what is staged in, take an older metadata file away. Raises UnpreparedError."""
    try:
        os.makedirs(job.work_dir, exist_ok=True)
    except OSError as error:
        raise UnpreparedError("cannot make the work folder %r: %s" % (to_text(job.work_dir), reason(error))) from error
    for source, names, copy in job.stage_in:
        try:
            stage(job.work_dir, source, names, copy, check)
        except OSError as error:
            to = to_text(b"/".join(names))
            words = ("copy" if copy else "link", to, to_text(source), reason(error))
            raise UnpreparedError("cannot make the %s %r of %r: %s" % words) from error
    if job.metadata_file is not None:
        try:
            remove_if_there(job.metadata_file)
        except OSError as error:
            text = to_text(job.metadata_file)
            raise UnpreparedError("cannot clear the metadata file %r: %s" % (text, reason(error))) from error
