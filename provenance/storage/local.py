"""A store in a folder: of this machine, or of a network file system that many machines mount."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.damage import intact
from provenance.storage.durable import (
    TEMPORARY,
    discard,
    link_exclusively,
    make_folders,
    rename_into_place,
    write_failed,
    write_temporary,
)
from provenance.storage.interface import Item, Result, Stored

if TYPE_CHECKING:
    from provenance.commits import Segment


class LocalStorage:
    """A `provenance.storage.interface.Storage` below the folder ``root`` (absolute)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prepared: set[str] = set()

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.root)

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self.root / name)

    def prepare(self, parent: str, folders: Iterable[str]) -> None:
        """Make the folders, and put their names on stable storage; once, folders stay where they are."""
        wanted = {f"{parent}/{folder}" for folder in folders} - self._prepared
        if not wanted:
            return
        try:
            if not parent:
                self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failed(self.root, error) from error
        make_folders(self.root / parent, sorted(name.rpartition("/")[2] for name in wanted))
        self._prepared |= wanted

    def read(self, name: str) -> bytes:
        """The bytes of a file; OSError says why not."""
        return (self.root / name).read_bytes()

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

    def names(self, folder: str = "") -> set[str]:
        """What the folder lists."""
        return set(os.listdir(self.root / folder))  # noqa: PTH208 - names, a hundred thousand of them: no paths

    def stored(self, folder: str) -> Iterator[Stored]:
        """The files below the folder; those that vanish meanwhile are left out."""
        for name in sorted(path.relative_to(self.root).as_posix() for path in (self.root / folder).rglob("*")):
            try:
                status = (self.root / name).stat()
            except FileNotFoundError:
                continue  # its writer is done with it
            if stat.S_ISREG(status.st_mode):
                yield Stored(name, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))

    def remove(self, name: str) -> None:
        """Unlink it."""
        discard(self.root / name)

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        """The segments themselves: a query reads too little of them to compare digests each time."""
        return [self.root / segment.path for segment in segments]

    def distrust(self, segments: Sequence[Segment]) -> None:
        """Read the segments themselves."""
        for segment in segments:
            intact(self, segment)

    def together(self, action: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """One after the other: nothing here takes long."""
        return map(action, items)

    def workplace(self, store_id: str) -> Path:
        """The folder itself."""
        return self.root


def _random() -> str:
    return os.urandom(8).hex()
