"""Outputs that came back: checked, then brought to their places."""

import errno
import os
import stat

from integrity.wrapper.content import Survey, read_content, survey
from integrity.wrapper.errors import UnreadableError
from integrity.wrapper.notation import reason, to_text
from planner.engines.pool.node_step.refused import NEVER, RefusedError
from planner.engines.pool.node_step.trees import remove

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from planner.engines.pool.node_step.documents import Document
    from planner.engines.pool.node_step.pool import Pool

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def take_outputs(pool: "Pool", plan: "Document", job: int, record: "Document") -> "list[Document]":
    """Check every output that arrived and bring it to its place. Raises RefusedError."""
    taken = []
    for position, (output, where) in enumerate(zip(record["outputs"], plan["places"])):  # noqa: B905
        if output["sha256"] is None:
            continue  # an optional one that was not made
        arrived = os.path.join(pool.node(job), b"out", b"%d" % position)
        try:
            status = take_output(arrived, pool.place(where["place"]), output["sha256"])
        except OSError as error:
            message = "its output %s cannot be brought to %s: %s" % (output["name"], where["place"], reason(error))
            raise RefusedError(message) from error
        taken.append(
            {"position": position, "name": output["name"], "sha256": output["sha256"], **where, "stat": status}
        )
    return taken


def take_output(arrived: bytes, place: bytes, sha256: str) -> "Document":
    """Check one output and bring it to its place; its stat there. A step that was killed may have done so already."""
    if not os.path.lexists(arrived) and os.path.lexists(place):
        return checked(place, sha256)
    checked(arrived, sha256)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(place) and not os.path.islink(place) and not os.path.isdir(arrived):
        raise RefusedError("a folder is in the way at %s" % to_text(place), NEVER)
    try:
        put(arrived, place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_over(arrived, place, sha256)
    return stat_of(place)


def put(path: bytes, place: bytes) -> None:
    """Rename; what no folder can take the place of, an older folder too, goes once it is known that the file system
    could do it.
    """
    try:
        os.rename(path, place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        remove(place)
        os.rename(path, place)


def copy_over(arrived: bytes, place: bytes, sha256: str) -> None:
    """Bring a file or folder to another file system: whole and read back from there, or not at all."""
    import shutil  # takes 4 ms of the few that a step has, and is hardly ever needed

    temporary = b"%s.%d.pirene" % (place, os.getpid())
    try:
        if os.path.isdir(arrived):
            shutil.copytree(os.fsdecode(arrived), os.fsdecode(temporary))
        else:
            shutil.copy2(arrived, temporary)
        checked(temporary, sha256)
        put(temporary, place)
    except shutil.Error as error:
        raise OSError(error.args[0][0][2]) from None  # it lists every file: why the first could not be copied
    finally:
        remove(temporary)


def checked(path: bytes, sha256: str) -> "Document":
    """Hash what the disk has of a file or folder that came from elsewhere; its stat. Raises RefusedError if it is not
    what the worker recorded.
    """
    try:
        to_disk(path)
        found, content = read_content(path, False, False, None, lambda: None)
    except FileNotFoundError:
        raise RefusedError("%s did not arrive" % to_text(path)) from None
    except UnreadableError as error:
        raise RefusedError("%s cannot be read: %s" % (to_text(path), error)) from None
    if content.sha256 != sha256:
        text = "%s is not as the worker recorded it: expected sha256 %s, found %s"
        raise RefusedError(text % (to_text(path), sha256, content.sha256))
    return in_words(found)


def to_disk(path: bytes) -> None:
    """Have the system write a file, or all files of a folder, to the disk and forget what it keeps of them in memory:
    who reads them next asks the disk. What is neither is left to whoever reads it.
    """
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        for name in os.listdir(path):
            to_disk(os.path.join(path, name))
    elif stat.S_ISREG(mode):
        descriptor = os.open(path, READ)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def stat_of(path: bytes) -> "Document":
    """The stat of a file or folder."""
    descriptor = os.open(path, READ)
    try:
        return in_words(survey(descriptor))
    finally:
        os.close(descriptor)


def in_words(found: Survey) -> "Document":
    """A stat as documents hold it (integrity/digest.py: Stat)."""
    return {key: getattr(found, key) for key in ("size", "mtime_ns", "ctime_ns", "inode", "device")}
