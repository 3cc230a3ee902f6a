"""A store in a folder: of this machine, or of a network file system that many machines mount."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import NOT_THERE, ReadFailedError, lost, read_failed
from provenance.storage.compared import Compared
from provenance.storage.durable import (
    TEMPORARY,
    discard,
    link_again,
    link_exclusively,
    make_folders,
    rename_into_place,
    write_failed,
    write_temporary,
)
from provenance.storage.interface import Item, Result, Stored
from provenance.storage.recorded import compare

if TYPE_CHECKING:
    from provenance.history.commits import Segment


class LocalStorage:
    """A `provenance.storage.interface.Storage` below the folder ``root`` (absolute)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prepared: set[str] = set()
        self._compared = Compared(root)

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.root)

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self.root / name)

    def prepare(self, parent: str, folders: Iterable[str]) -> None:
        """Make the folders, and put their names on stable storage. Those that are known to be there are only looked at:
        somebody may have removed what can be made anew.
        """
        named = {f"{parent}/{folder}" if parent else folder for folder in folders}
        wanted = {name for name in named if name not in self._prepared or not (self.root / name).is_dir()}
        if not wanted:
            return
        try:
            if not parent:
                self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failed(self.root, error) from error
        make_folders(self.root / parent, sorted(name.rpartition("/")[2] for name in wanted))
        self._prepared |= wanted

    def read(self, name: str, size: int | None = None) -> bytes:
        """The bytes of the file."""
        try:
            with open(self.root / name, "rb", opener=_without_waiting) as file:
                return file.read(-1 if size is None else size + 1) or b""
        except OSError as error:
            raise self._unread(name, error) from error

    def write(self, name: str, data: bytes | memoryview[int]) -> None:
        """Write aside, sync, rename, sync the folder."""
        path = self.root / name
        temporary = path.with_name(f"{path.name}.{_random()}{TEMPORARY}")
        write_temporary(temporary, data)
        rename_into_place(temporary, path)

    def create(self, name: str, data: bytes) -> bool:
        """Write aside, sync, link to the name that others compete for, sync the folder."""
        path = self.root / name
        temporary = path.with_name(_random() + TEMPORARY)
        write_temporary(temporary, data)
        return link_exclusively(temporary, path)

    def link(self, name: str, second: str) -> bool:
        """Link it, sync the folder."""
        return link_again(self.root / name, self.root / second)

    def names(self, folder: str = "") -> set[str]:
        """What the folder lists."""
        try:
            return set(os.listdir(self.root / folder))  # noqa: PTH208 - names, a hundred thousand of them: no paths
        except OSError as error:
            raise self._unread(folder, error) from error

    def stored(self, folder: str) -> Iterator[Stored]:
        """The files below the folder; those that vanish meanwhile are left out."""
        for name in sorted(self._below(folder)):
            try:
                status = (self.root / name).stat()
            except FileNotFoundError:
                continue  # its writer is done with it
            except OSError as error:
                raise read_failed(self.where(name), error) from error
            if stat.S_ISREG(status.st_mode):
                yield Stored(name, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))

    def remove(self, name: str) -> None:
        """Unlink it."""
        discard(self.root / name)

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        """The segments themselves, each compared with its digest once."""
        self._compared.compare(segments)
        return [self.root / segment.path for segment in segments]

    def distrust(self, segments: Sequence[Segment]) -> None:
        """Read the segments themselves."""
        for segment in segments:
            try:
                compare(self.root / segment.path, segment)
            except NOT_THERE as error:
                raise lost(self.where(segment.path), error) from error
            except OSError as error:
                raise read_failed(self.where(segment.path), error) from error

    def together(self, action: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """One after the other: nothing here takes long."""
        return map(action, items)

    def workplace(self, store_id: str) -> Path:
        """The folder itself."""
        return self.root

    def _below(self, folder: str) -> Iterator[str]:
        """The names of all that is below a folder and is no folder."""

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):  # else it was removed meanwhile, or never there
                raise read_failed(str(error.filename), error) from error

        for parent, _, names in os.walk(self.root / folder, onerror=refuse):
            inside = Path(parent).relative_to(self.root).as_posix()
            yield from (name if inside == "." else f"{inside}/{name}" for name in names)

    def _unread(self, name: str, error: OSError) -> OSError | ReadFailedError:
        """The error to raise for what the system said when ``name`` was to be read."""
        return error if isinstance(error, NOT_THERE) else read_failed(self.where(name), error)


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe in place of a file is an empty one, and nobody waits for who would write to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _random() -> str:
    return os.urandom(8).hex()
