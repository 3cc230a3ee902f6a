"""Bringing files to where they belong: outputs of jobs out of work folders, outputs of reused jobs into the output
folder.

Nothing is ever half there: files arrive under their name by rename. A move within a file system keeps the very bytes
that were hashed; a copy is read back past the page cache and hashed before it counts: what it was made of is read once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from integrity.digest import Stat, hash_path
from planner.errors import PlannerError, naming

_CHUNK_BYTES = 1 << 20
_FICLONE = 0x40049409  # linux/fs.h: share the extents of another file, where the file system can


class TransferError(PlannerError):
    """A file could not be brought to its place unchanged; the message names that place, or what is wrong elsewhere."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """What must arrive: ``sha256`` (32 bytes), and the stat of the source when it was hashed (None: not known)."""

    sha256: bytes
    stat: Stat | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of an output in its place: ``stat`` is one of the expected bytes (None: nobody has looked at them
    since they were moved there), ``sha256`` that of a copy that was read back (None: it is the very file), ``at`` and
    ``host`` when and on which machine that was (None: when and where its attempt ended).
    """

    stat: Stat | None
    sha256: bytes | None = None
    at: dt.datetime | None = None
    host: str | None = None


def publish(source: Path, destination: Path, expected: Expected) -> Arrival:
    """Move an output to its place. An older folder there is replaced; one in the way of a file is an error.

    Taking up an interrupted run may find the move already done: then what is there is looked at instead. Raises
    TransferError when the source changed after it was hashed, when neither place has the expected bytes, or when the
    system refuses to bring it there.
    """
    with _bringing_to(destination):
        return _published(source, destination, expected)


def _published(source: Path, destination: Path, expected: Expected) -> Arrival:
    if not os.path.lexists(source):
        return _already_there(source, destination, expected)
    if expected.stat is not None and Stat.of(source) != expected.stat:
        raise TransferError(f"{source}: it changed after its job had ended and its digest was taken")
    destination.parent.mkdir(parents=True, exist_ok=True)
    _make_way(source, destination)
    try:
        source.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, destination, expected.sha256)
        _remove(source)
        return Arrival(Stat.of(destination), expected.sha256)
    return Arrival(Stat.of(destination))


def copy_verified(source: Path, destination: Path, sha256: bytes) -> Stat:
    """Copy a file or folder, verified on both sides; the stat of the copy. Raises TransferError on other bytes, or
    where the system refuses.
    """
    with _bringing_to(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        _copy(source, destination, sha256)
        return Stat.of(destination)


class ReusedOutputs:
    """Lets outputs of reused jobs appear in the output folder: as reflinks, else symlinks; or as real copies.

    Never as hard links: those would change the ctime of the original, by which it is known to be unchanged.
    """

    def __init__(self, *, copy: bool) -> None:
        self._copy = copy
        # Pairs of devices that were found not to share extents: they are not asked again for every file.
        self._unshared: set[tuple[int, int]] = set()

    def show(self, source: Path, destination: Path, sha256: bytes) -> Arrival | None:
        """Let ``source`` appear at ``destination``. None: what is there is the original, or leads to it. Raises
        TransferError.
        """
        with _bringing_to(destination):
            return self._shown(source, destination, sha256)

    def _shown(self, source: Path, destination: Path, sha256: bytes) -> Arrival | None:
        if destination.exists() and source.samefile(destination):
            return None
        destination.parent.mkdir(parents=True, exist_ok=True)
        if self._copy:
            _copy(source, destination, sha256)
            return Arrival(Stat.of(destination), sha256)
        devices = (source.stat().st_dev, destination.parent.stat().st_dev)
        if devices not in self._unshared and source.is_file():
            with _beside(destination) as temporary:
                if _reflink(source, temporary):
                    _make_way(temporary, destination)
                    temporary.replace(destination)
                    return Arrival(None)
            self._unshared.add(devices)
        _symlink(source, destination)
        return None


@contextlib.contextmanager
def _bringing_to(destination: Path) -> Iterator[None]:
    """What the system refuses in here keeps one file from its place: it is no reason to end a run."""
    try:
        yield
    except OSError as error:
        named = error.filename is not None and os.fsdecode(error.filename) != os.fspath(destination)
        where = f"{os.fsdecode(error.filename)}: " if named else ""
        raise TransferError(
            f"{destination}: the file cannot be brought there: {where}{error.strerror or error}",
            hint="look at that place (space, quota, permissions, what is in the way), then run again",
        ) from error


def _already_there(source: Path, destination: Path, expected: Expected) -> Arrival:
    if not os.path.lexists(destination):
        raise TransferError(f"{source}: the output is gone, and it is not at {destination} either")
    there = Stat.of(destination)
    was = expected.stat
    # A rename moves the inode itself and touches its ctime: the very file that was hashed needs no second reading. But
    # what its ctime was then nobody knows, so its stat now is no evidence of its bytes.
    if was is not None and (there.device, there.inode, there.size, there.mtime_ns) == (
        was.device,
        was.inode,
        was.size,
        was.mtime_ns,
    ):
        return Arrival(None)
    hashed = hash_path(destination)
    if hashed.sha256 != expected.sha256:
        raise TransferError(f"{destination}: expected {expected.sha256.hex()}, found {hashed.sha256.hex()}")
    return Arrival(hashed.stat, hashed.sha256)


def _copy(source: Path, destination: Path, sha256: bytes) -> None:
    with _beside(destination) as temporary:
        if source.is_dir():
            _copy_folder(source, temporary, destination)
        else:
            _copy_file(source, temporary)
        found = hash_path(temporary, past_cache=True).sha256
        if found != sha256:
            raise TransferError(f"copying {source} to {destination}: expected {sha256.hex()}, found {found.hex()}")
        _make_way(temporary, destination)
        temporary.replace(destination)


def _make_way(source: Path, destination: Path) -> None:
    """Remove what a rename cannot replace: an older folder, or whatever else is where a folder is to be."""
    in_the_way = destination.is_dir() and not destination.is_symlink()
    if in_the_way and not source.is_dir():
        raise TransferError(
            f"{destination}: a folder is in the way of this file", hint="move it away, or give another output folder"
        )
    if in_the_way or (source.is_dir() and not source.is_symlink() and os.path.lexists(destination)):
        _remove(destination)


def _copy_folder(source: Path, temporary: Path, destination: Path) -> None:
    """The same as `_copy_file` for all files of a folder that is to be at ``destination``."""

    def copy(one: str, other: str) -> None:
        # As a TransferError it ends the copying: OSErrors are gathered until every file was tried.
        with _bringing_to(destination):
            _copy_file(Path(one), Path(other))

    shutil.copytree(source, temporary, symlinks=True, copy_function=copy)


def _copy_file(source: Path, destination: Path) -> None:
    """Copy bytes to the disk: what is only in memory yet cannot be read back from there."""
    with naming(destination), source.open("rb") as reader, destination.open("xb") as writer:
        shutil.copymode(source, destination)
        while chunk := reader.read(_CHUNK_BYTES):
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())


def _symlink(source: Path, destination: Path) -> None:
    """A link to ``source`` in the place of whatever is at ``destination``; mostly that is nothing."""
    try:
        destination.symlink_to(source)
    except FileExistsError:
        with _beside(destination) as temporary:
            temporary.symlink_to(source)
            _make_way(temporary, destination)
            temporary.replace(destination)


def _reflink(source: Path, destination: Path) -> bool:
    """Make a file that shares the extents of another; False: the file systems cannot do that."""
    with source.open("rb") as reader, destination.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
        except OSError:
            return False
    shutil.copystat(source, destination)
    return True


@contextlib.contextmanager
def _beside(destination: Path) -> Iterator[Path]:
    """A temporary name in the folder of ``destination``; whatever is left there on an error is removed."""
    temporary = destination.with_name(f".{uuid.uuid4().hex}.pirene")
    try:
        yield temporary
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
