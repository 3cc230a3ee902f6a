"""Files that a user names on the command line: found, hashed, named, and registered.

All of them are found before the first is read, so that what cannot be registered is known before hours of reading; and
all are read before the first is registered, so that they are registered all or none, unless the caller wants to go on
without what cannot be (``keep_going``). Every file is hashed, whatever its stat says, save those whose checksums
somebody declares: they may lie in an archive of many terabytes, or on another machine, and are hashed when `verify` or
an audit reads them.

What is committed together is said in provenance/registration/raw_commits.py.
"""

from __future__ import annotations

import contextlib
import itertools
import uuid
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, overload

from provenance.errors import StoreError
from provenance.history.commits import Commit
from provenance.identity import FileId, new_run_id, source_of
from provenance.metadata import Value
from provenance.registration.found_files import (
    FoundFile,
    UnreadableFilesError,
    Unusable,
    find,
    find_files,
    in_table,
    refusal,
)
from provenance.registration.found_once import once
from provenance.registration.metadata_table import Declared, read_table
from provenance.registration.name_template import NameTemplateError
from provenance.registration.packed import Packed
from provenance.registration.path_template import PathTemplate
from provenance.registration.raw_commits import commit_all
from provenance.registration.raw_reading import (
    GO_ON,
    DeclaredDigestError,
    Description,
    Progress,
    Reading,
    UnreadDigestError,
)
from provenance.registration.registration import Registration

if TYPE_CHECKING:
    from provenance.store import Store

__all__ = [
    "DeclaredDigestError",
    "NameTemplateError",
    "RawFiles",
    "Registered",
    "UnreadDigestError",
    "UnreadableFilesError",
    "add_files",
    "find_files",
]


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one file. ``new`` False: it was known already, at this place and with this content.

    ``path`` None: it is not on this machine. ``sha256`` None: it was declared otherwise, and not read.
    """

    name: str
    path: str | None
    url: str
    file: FileId
    sha256: bytes | None
    size_bytes: int | None
    new: bool


class RegisteredFiles(Sequence[Registered]):
    """What became of many files. ``new``: how many were not known before."""

    def __init__(self, source: int, entries: Packed[tuple[str | None, Registration]]) -> None:
        self.new = 0
        self._source = source
        self._entries = entries
        self._sources, self._files = array("q"), array("q")

    def extend(self, files: Iterable[FileId]) -> None:
        """Add which files the next entries are."""
        for source, file in files:
            self._sources.append(source)
            self._files.append(file)
            self.new += source == self._source

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Registered]:
        return itertools.starmap(self._registered, enumerate(self._entries))

    @overload
    def __getitem__(self, index: int) -> Registered: ...
    @overload
    def __getitem__(self, index: slice) -> list[Registered]: ...
    def __getitem__(self, index: int | slice) -> Registered | list[Registered]:
        positions = range(len(self))[index]
        if isinstance(positions, range):
            return [self[position] for position in positions]
        return self._registered(positions, self._entries[positions])

    def _registered(self, position: int, entry: tuple[str | None, Registration]) -> Registered:
        path, said = entry
        file = (self._sources[position], self._files[position])
        new = file[0] == self._source
        return Registered(said.name, path, said.url, file, said.sha256, said.size_bytes, new)


@dataclass(frozen=True, slots=True)
class RawFiles:
    """The result of one registration, in the order in which files were found. No ``commits``: nothing was to be said.

    ``left_out``: what was named and is not registered, with reasons. ``not_believed``: URLs of copies that were found
    bad or missing and stay that, for they were declared and not read.
    """

    registration: uuid.UUID
    files: RegisteredFiles
    commits: tuple[Commit, ...]
    left_out: tuple[Unusable, ...] = ()
    not_believed: tuple[str, ...] = ()


def add_files(
    store: Store,
    paths: Iterable[str | Path],
    *,
    table: Path | None = None,
    metadata: Mapping[str, Value] | None = None,
    path_metadata: str | None = None,
    name: str | None = None,
    site: str = "local",
    sha256: bytes | None = None,
    declared: Declared | None = None,
    trees: bool = False,
    keep_going: bool = False,
    author: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    committing: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
) -> RawFiles:
    """Register files that paths, patterns and URLs name, all files below folders (``trees``: folders as one file each),
    and those that a table names (metadata_table.py).

    A file that is named several ways is registered once, under the first of its names. ``metadata`` is that of all
    these files; what the template ``path_metadata`` (path_template.py) reads from a path comes before it, what a table
    says of a file before both.
    ``name`` is a template for logical names in which ``{name}`` is the usual one (the path below the folder that was
    given, or the base name), and ``{stem}``, ``{site}``, ``{sha256}`` and ``{KEY}`` of the metadata stand for
    themselves. ``sha256`` is a digest that the one file must have; ``declared`` says what the one file has, without
    reading it. ``committing`` is entered when all is read and nothing is registered yet, left when everything is.

    Raises UnreadableFilesError, PathTemplateError, NameTemplateError, DeclaredDigestError, MetadataTableError,
    StoreError as `Store.commit`.
    """
    unusable: list[Unusable] = []
    template = None if path_metadata is None else PathTemplate.parse(path_metadata)
    description = Description(site, metadata or {}, template, name, sha256)
    found = once(_named(store, [str(path) for path in paths], table, trees, unusable))
    if sha256 is not None or declared is not None:
        _require_one(found, unusable, declared)
        found = Packed(replace(each, declared=declared or each.declared) for each in found)
    reading = Reading(store, store.snapshot(), description, keep_going, workers, progress)
    reading.check(found)
    if unusable and not keep_going:
        raise refusal(unusable, GO_ON)
    entries = reading.entries(found.taken(), unusable)
    registration = new_run_id()
    with committing():
        return _register(store, reading, registration, entries, author, unusable)


def _named(
    store: Store, paths: Sequence[str], table: Path | None, trees: bool, unusable: list[Unusable]
) -> Iterator[FoundFile]:
    yield from find(paths, unusable, store_root=store.root, trees=trees)
    if table is not None:
        yield from in_table(read_table(table), unusable)


def _require_one(found: Sequence[FoundFile], unusable: Sequence[Unusable], declared: Declared | None) -> None:
    """What was said of the one file must be about one, and about a file if it is a checksum of its bytes."""
    if len(found) + len(unusable) != 1:
        raise StoreError(
            f"a checksum was declared for one file, but there are {len(found) + len(unusable)}",
            hint="name one file, or declare checksums of many in a table (--table)",
        )
    if declared is not None and declared.checksums and any(each.kind == "folder" for each in found):
        raise StoreError(
            f"{found[0].path}: expected a checksum of a file; of a folder none could be verified",
            hint="leave it out: the folder is read; --checksum sha256:HEX is compared with what its manifest has",
        )


def _register(
    store: Store,
    reading: Reading,
    registration: uuid.UUID,
    entries: Packed[tuple[str | None, Registration]],
    author: str | None,
    unusable: Sequence[Unusable],
) -> RawFiles:
    """Commit what was read."""
    files = RegisteredFiles(source_of(registration), entries)
    commits: list[Commit] = []
    not_believed: list[str] = []
    for made in commit_all(
        store, entries, source_of(registration), author=author, base=reading.snapshot, holders=reading.holders
    ):
        files.extend(made.files)
        not_believed += made.not_believed
        if made.commit is not None:
            commits.append(made.commit)
    return RawFiles(registration, files, tuple(commits), tuple(unusable), tuple(not_believed))
