"""Files that are either whole or not there, also after a power cut: write, fsync, rename or link, fsync of the folder.

An fsync that fails is fatal for what was being written and is never tried again: the kernel may have dropped the dirty
pages and would report success for bytes that are gone (the behaviour of Linux since 4.13).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from provenance.errors import NotWrittenError, WriteFailedError

TEMPORARY = ".tmp"
"""Suffix of files that are being written. Readers never look at them; a writer that was killed leaves them behind."""


def write_temporary(path: Path, data: bytes | memoryview[int]) -> None:
    """Make ``path``, which must not exist and ends in TEMPORARY, with ``data`` in it, on stable storage.

    Files of a store never change: they are made without write permission. Raises NotWrittenError; then it is gone.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        discard(path)
        raise write_failed(path, error, NotWrittenError) from error


def rename_into_place(temporary: Path, path: Path) -> None:
    """Give a temporary file its name, which nothing else uses, and put the name on stable storage."""
    try:
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise write_failed(path, error) from error


def link_exclusively(temporary: Path, path: Path) -> bool:
    """Give a temporary file a name that others compete for; False if somebody else has it.

    On some network file systems a link whose reply was lost is reported as a failure: that the names share an inode is
    what decides. The temporary name is gone afterwards. Raises WriteFailedError.
    """
    try:
        try:
            os.link(temporary, path)
            won = True
        except OSError as error:
            won = _same_file(temporary, path)
            if not won and not isinstance(error, FileExistsError):
                raise
        discard(temporary)
        if won:
            sync_folder(path.parent)
    except OSError as error:
        discard(temporary)
        raise write_failed(path, error) from error
    return won


def link_again(path: Path, second: Path) -> bool:
    """Give a file a second name, and put that on stable storage; False if there is no such file, or it is another
    user's, which many systems do not let one link. Raises NotWrittenError.
    """
    try:
        try:
            os.link(path, second)
        except (FileNotFoundError, PermissionError):
            return False
        except OSError:
            if not _same_file(path, second):  # else the reply was lost, as above
                raise
        sync_folder(second.parent)
    except OSError as error:
        raise write_failed(second, error, NotWrittenError) from error
    return True


def make_folders(parent: Path, names: Iterable[str]) -> None:
    """Make folders in ``parent``, and put their names on stable storage; those that are there are fine.

    The parent is synced also when nothing was made: who made it may not have come to that. Raises WriteFailedError.
    """
    try:
        for name in names:
            (parent / name).mkdir(exist_ok=True)
        sync_folder(parent)
    except OSError as error:
        raise write_failed(parent, error) from error


def sync_folder(path: Path) -> None:
    """Put the names in a folder on stable storage. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(path: Path) -> None:
    """Remove a file that nothing refers to. If it cannot be removed it stays, as an orphan: never an error."""
    with contextlib.suppress(OSError):
        path.unlink()


def write_failed(path: Path, error: OSError, kind: type[WriteFailedError] = WriteFailedError) -> WriteFailedError:
    """The error to raise for what the file system said about ``path``."""
    return kind(
        f"{path}: {error.strerror or error}",
        hint="look at the file system (space, quota, permissions, hardware), then do it again",
    )


def _write_all(descriptor: int, data: bytes | memoryview[int]) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
