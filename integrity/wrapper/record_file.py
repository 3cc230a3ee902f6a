"""The record as a file: locked, reserved for, written whole or not at all, never over another."""

import errno
import fcntl
import os

from integrity.wrapper.errors import UnrecordedError
from integrity.wrapper.json_text import unparse
from integrity.wrapper.notation import reason, to_text
from integrity.wrapper.paths import remove_if_there
from integrity.wrapper.processes import boot, started
from integrity.wrapper.sha256 import digest_of

TYPE_CHECKING = False  # the module `typing` costs 5 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LOCK_DESCRIPTOR = 100  # at least: scripts open files of their own at low numbers, and would close it
RESERVED_BYTES = 1 << 18  # for a record: two tails of the usual length, escaped, and the rest


class Lock:
    """An exclusive flock on RECORD.lock, from before anything is touched until the record is there; then removed.

    Handed down it is held by commands as well, as that of flock(1) is: then they may outlive this process, and not go
    unseen. One that closes what it inherits is told by the text.
    """

    def __init__(self, record: bytes) -> None:
        self.path = record + b".lock"
        self._is_known = True  # to the system: some file systems have no locks
        while True:
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._descriptor)
                raise UnrecordedError("another wrapper is at work on %r" % to_text(record)) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise UnrecordedError("cannot lock %r: %s" % (to_text(self.path), reason(error))) from error
                self._is_known = False
                self.name(os.getpid(), started(os.getpid()))
            if self._is_named():
                return
            os.close(self._descriptor)  # its owner removed it between our open and our lock: take the next one

    def name(self, pid: int, since: str) -> None:
        """Have the text say who is at work, and since when (planner/locks.py reads it): this process where there are no
        locks, else a command, which may close what it inherits. Without room for the text it says nothing.
        """
        text = "%s %d %s %s\n" % (os.uname()[1], pid, since, boot())
        try:
            os.ftruncate(self._descriptor, 0)  # who was named before may have had a longer name
            os.pwrite(self._descriptor, text.encode("utf-8", "replace"), 0)
        except OSError:
            return

    def hand_down(self) -> bool:
        """Have all commands inherit the open file; whether that tells of them."""
        if not self._is_known:
            return False
        try:
            high = fcntl.fcntl(self._descriptor, fcntl.F_DUPFD, LOCK_DESCRIPTOR)
        except OSError:
            os.set_inheritable(self._descriptor, True)  # this process may have no more than so many files
            return True
        os.close(self._descriptor)
        self._descriptor = high
        return True

    def _is_named(self) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        mine = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def release(self) -> None:
        """Remove the file while the lock is held, then let go."""
        remove_if_there(self.path)
        os.close(self._descriptor)


class Draft:
    """The record's temporary file, with space reserved in it before anything is touched.

    So a job that fills the disk cannot keep its own end from being recorded, and none starts that could not be. Used
    while the lock is held: a temporary file that is there was left by a wrapper that died. Raises UnrecordedError.
    """

    def __init__(self, record: bytes) -> None:
        self.record = record
        self.path = record + b".tmp"
        try:
            remove_if_there(self.path)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._refused(error) from error
        try:
            os.posix_fallocate(self._descriptor, 0, RESERVED_BYTES)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self.discard()
                raise self._refused(error) from error
            # A file system that reserves nothing: the record takes its chance at the end.

    def publish(self, document: "Mapping[str, Any]") -> str:
        """Write the record, fsync, link it to its name, fsync of the folder; the sha256 of what was to be written.

        A failed fsync is final: what the system then holds in its cache is not what the disk has.
        """
        data = unparse(document).encode("ascii") + b"\n"
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.ftruncate(self._descriptor, len(data))
            os.fsync(self._descriptor)
            os.link(self.path, self.record)
            folder = os.open(os.path.dirname(self.record), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._refused(error) from error
        return digest_of(data)

    def discard(self) -> None:
        """Remove the temporary name; a record that has been published keeps its own."""
        os.close(self._descriptor)
        try:
            remove_if_there(self.path)
        except OSError:
            return  # the next wrapper of this attempt removes it

    def _refused(self, error: OSError) -> UnrecordedError:
        return UnrecordedError("cannot write %r: %s" % (to_text(self.record), reason(error)))


def write_digest(record: bytes, sha256: str) -> None:
    """Put the sha256 of a record beside it: it goes on a journey, and is to arrive as it was written. What reads it
    again, now or there, may find other bytes: they are not asked.
    """
    try:
        with open(record + b".sha256", "wb") as writer:
            writer.write(sha256.encode("ascii") + b"\n")
    except OSError as error:
        raise UnrecordedError("cannot write the digest of %r: %s" % (to_text(record), reason(error))) from error
