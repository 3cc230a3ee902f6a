"""What a store asks of the place that its shared files are in. Nothing else of ours reads or writes them.

Files are named relative to the store, with ``/``. One that has its name is whole, stays through a power cut and never
changes: whoever reads it sees all of it or none. There are no locks; what decides races is `Storage.create`.

What can go wrong is told apart in the same way by every storage, and nothing else is raised:

- NOT_THERE (FileNotFoundError, or NotADirectoryError and IsADirectoryError where something else is in its place), by
  what reads: the place was asked, and has no such file;
- ReadFailedError, by what reads: nothing is known of it (refused, unreachable, broken off);
- WriteFailedError, by what writes: nothing is acknowledged; NotWrittenError, of its kind: nobody can see any of it;
- UnsupportedStoreError, by what writes: the place cannot keep what a store needs of it;
- UserFolderError, where copies are kept: folders of the user's own cannot hold them.

So what a storage raises is either OSError, of which NOT_THERE are all that come, or a StoreError.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from provenance.history.commits import Segment


Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is there, or was a moment ago. ``modified``: when it was written (UTC, by the storage's clock)."""

    name: str
    size_bytes: int
    modified: dt.datetime


class Storage(Protocol):
    """The place of one store. Safe to share between threads; any number of processes may use the same place."""

    @property
    def location(self) -> str:
        """The place as people name it: an absolute path or a URL, without credentials."""

    def where(self, name: str) -> str:
        """One file's place as people name it, for messages."""

    def prepare(self, parent: str, folders: Iterable[str]) -> None:
        """Make sure that files can be written into these folders in ``parent`` (empty: the place itself, made if need
        be), whatever became of them since they were made. Raises WriteFailedError, UnsupportedStoreError.
        """

    def read(self, name: str, size: int | None = None) -> bytes:
        """The bytes of a file; of one that should have ``size`` and has more, only one more. Raises NOT_THERE,
        ReadFailedError.
        """

    def write(self, name: str, data: bytes | memoryview[int]) -> None:
        """Make a file, whose folder was prepared and whose name nothing else uses, or only for the same bytes.

        Raises WriteFailedError; NotWrittenError if nobody can see it; UnsupportedStoreError.
        """

    def create(self, name: str, data: bytes) -> bool:
        """Make a file unless its name is taken; False if others have it. Of any number of callers one gets True.

        ``data`` has something in it that no other attempt has: who finds it there knows that it was its own attempt
        that succeeded, however it was told. Raises NotWrittenError if it is not there, WriteFailedError if that is
        unknown, UnsupportedStoreError.
        """

    def link(self, name: str, second: str) -> bool:
        """Give a file a second name, which nothing else uses, in a folder that was prepared: each may be removed
        without the other. False: it is not there, was removed meanwhile, or may not be given one. Raises
        WriteFailedError; NotWrittenError if the second name is not there.
        """

    def names(self, folder: str = "") -> set[str]:
        """The names right below a folder (empty: the place itself), of files and of folders.

        Raises NOT_THERE where there are folders and this is none, ReadFailedError.
        """

    def stored(self, folder: str) -> Iterator[Stored]:
        """The files below a folder, at any depth, sorted by name; none if there is no such folder. Those that are being
        written are among them. Raises ReadFailedError: then not all of them are known.
        """

    def remove(self, name: str) -> None:
        """Remove a file that nothing refers to. If it cannot be removed it stays, as an orphan: never an error."""

    def paths(self, segments: Sequence[Segment]) -> list[Path]:
        """Local files with the bytes of segments, in the same order: themselves, or copies that were compared with
        their digests, each once. Raises DamagedStoreError for a segment that is not as recorded, or had to be fetched
        and is missing, ReadFailedError for one that could not be, UserFolderError.
        """

    def distrust(self, segments: Sequence[Segment]) -> None:
        """Compare what `paths` gave with the digests: something could not make sense of it.

        Raises DamagedStoreError for a segment that is missing or not as recorded, ReadFailedError for one of which that
        cannot be said, UserFolderError for a copy: it is removed.
        """

    def together(self, action: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What ``action``, which reads or writes files here, gives for each item, in order.

        Where answers take long several are under way at a time; what one raises comes out when those have ended.
        """

    def workplace(self, store_id: str) -> Path:
        """A folder of this machine for what no other one shares, or what can be made anew; it need not exist."""
