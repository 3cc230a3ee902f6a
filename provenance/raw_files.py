"""Files that a user names on the command line: found, hashed, named, and registered in one commit.

Folders are walked in order of name; links to files and folders are followed, loops of links and the store itself are
not entered. Every file is hashed, whatever its stat says. All of them are registered or none: what cannot be read is
an error that names it.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import stat as status_bits
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from integrity.digest import Hashed, hash_paths
from provenance.batch import Batch
from provenance.commits import Commit, CommitKind
from provenance.errors import StoreError
from provenance.identity import new_run_id, source_of
from provenance.location import FOLDER
from provenance.metadata import Value, forms
from provenance.metadata_table import TableRow, read_table
from provenance.registration import FileId, Registration, register
from provenance.urls import file_url
from provenance.users import owner_of

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
    from provenance.store import Store

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class UnreadableFilesError(StoreError):
    """Files that were named cannot be read; nothing was registered."""


class NameTemplateError(StoreError):
    """A template for names that asks for what a file does not have."""


class DeclaredDigestError(StoreError):
    """A file does not have the digest that was declared for it."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to register: its logical name, the path to it, and what is known of it and not of the others."""

    name: str
    path: Path
    metadata: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one file. ``new`` False: it was known already, at this place and with this content."""

    name: str
    path: Path
    url: str
    file: FileId
    sha256: bytes
    size_bytes: int
    new: bool


@dataclass(frozen=True, slots=True)
class RawFiles:
    """The result of one registration, in the order in which files were found. ``commit`` None: there were no files."""

    registration: uuid.UUID
    files: tuple[Registered, ...]
    commit: Commit | None


def add_files(
    store: Store,
    paths: Iterable[Path],
    *,
    table: Path | None = None,
    metadata: Mapping[str, Value] | None = None,
    name: str | None = None,
    site: str = "local",
    sha256: bytes | None = None,
    author: str | None = None,
    workers: int = 2,
) -> RawFiles:
    """Register files, all files below folders, and those that a table names (metadata_table.py), in one commit.

    A file that is named several ways is registered once, under the first of its names. ``metadata`` is that of all
    these files; what a table says of one comes before it.
    ``name`` is a template for logical names in which ``{name}`` is the usual one (the path below the folder that was
    given, or the base name), ``{stem}``, ``{site}``, ``{sha256}`` and ``{KEY}`` of the metadata stand for themselves.
    ``sha256`` is a digest that the one file must have. Raises UnreadableFilesError, NameTemplateError,
    DeclaredDigestError, MetadataTableError, StoreError as `Store.commit`.
    """
    found = [file for path in paths for file in find_files(path, store.root)]
    if table is not None:
        found += [_in_table(row) for row in read_table(table)]
    found = _each_once(found)
    hashed = _hashed(found, workers)
    if sha256 is not None:
        _require_digest(found, hashed, sha256)
    given = dict(metadata or {})
    origin = "observed" if sha256 is None else "declared"
    entries = [
        Registration(
            name=_named(name, file.name, site, result.sha256, {**given, **file.metadata}),
            url=file_url(file.path),
            site=site,
            sha256=result.sha256,
            size_bytes=result.stat.size,
            digest_origin=origin,
            stat=result.stat,
            owner=owner_of(file.path),
            checksum_seconds=result.seconds,
            metadata={**given, **file.metadata},
        )
        for file, result in zip(found, hashed, strict=True)
    ]
    registration = new_run_id()
    commit, ids = _commit(store, source_of(registration), entries, author)
    files = tuple(
        Registered(
            entry.name, file.path, entry.url, id_, result.sha256, result.stat.size, id_[0] == source_of(registration)
        )
        for entry, file, result, id_ in zip(entries, found, hashed, ids, strict=True)
    )
    return RawFiles(registration, files, commit)


def find_files(path: Path, store_root: Path | None = None) -> Iterator[FoundFile]:
    """The file at ``path``, or all files below the folder there, each with its logical name.

    Raises UnreadableFilesError for what is not there, is no file or cannot be listed.
    """
    try:
        status = path.stat()
        if status_bits.S_ISDIR(status.st_mode):
            above = frozenset({(status.st_dev, status.st_ino)})
            for found in _below(path, above, store_root):
                yield FoundFile(PurePosixPath(found.relative_to(path)).as_posix(), found)
        elif status_bits.S_ISREG(status.st_mode):
            yield FoundFile(path.absolute().name, path)
        else:
            raise UnreadableFilesError(f"{path}: neither a file nor a folder")
    except OSError as error:
        raise UnreadableFilesError(f"{error.filename or path}: {error.strerror or error}") from error


def _each_once(found: Iterable[FoundFile]) -> list[FoundFile]:
    """The files by place, in order, each with all that was said of it."""
    places: dict[str, FoundFile] = {}
    for file in found:
        first = places.setdefault(file_url(file.path), file)
        if first is not file:
            places[file_url(file.path)] = replace(first, metadata={**first.metadata, **file.metadata})
    return list(places.values())


def _in_table(row: TableRow) -> FoundFile:
    try:
        regular = status_bits.S_ISREG(row.path.stat().st_mode)
    except OSError as error:
        raise UnreadableFilesError(f"{row.path}: {error.strerror or error}", hint="nothing was registered") from error
    if not regular:
        raise UnreadableFilesError(f"{row.path}: not a file", hint="a table names files, one a row")
    return FoundFile(row.name, row.path, row.metadata)


def _below(folder: Path, above: frozenset[tuple[int, int]], store_root: Path | None) -> Iterator[Path]:
    """Files below a folder in order of the bytes of their names; ``above`` are the folders that lead here."""
    for path in sorted(folder.iterdir(), key=lambda entry: os.fsencode(entry.name)):
        status = path.stat()
        if status_bits.S_ISREG(status.st_mode):
            yield path
        elif status_bits.S_ISDIR(status.st_mode):
            key = (status.st_dev, status.st_ino)
            if path.name != FOLDER and path.absolute() != store_root and key not in above:
                yield from _below(path, above | {key}, store_root)
        else:
            raise UnreadableFilesError(f"{path}: neither a file nor a folder")


def _hashed(found: Sequence[FoundFile], workers: int) -> list[Hashed]:
    results = [result for _, result in hash_paths([file.path for file in found], workers=workers)]
    good = [result for result in results if isinstance(result, Hashed)]
    if len(good) < len(results):
        bad = [(file.path, error) for file, error in zip(found, results, strict=True) if not isinstance(error, Hashed)]
        path, error = bad[0]
        more = f" (and {len(bad) - 1} more files)" if len(bad) > 1 else ""
        message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableFilesError(f"{path}: {message}{more}", hint="nothing was registered")
    return good


def _require_digest(found: Sequence[FoundFile], hashed: Sequence[Hashed], declared: bytes) -> None:
    if len(found) != 1:
        raise StoreError(f"a checksum was declared for one file, but there are {len(found)}", hint="name one file")
    if hashed[0].sha256 != declared:
        raise DeclaredDigestError(
            f"{found[0].path}: expected sha256 {declared.hex()}, found {hashed[0].sha256.hex()}",
            hint="nothing was registered; fetch the file again, or correct the checksum",
        )


def _named(template: str | None, name: str, site: str, sha256: bytes, metadata: Mapping[str, Value]) -> str:
    if template is None:
        return name
    values = {key: _text(value) for key, value in metadata.items()}
    values |= {"name": name, "stem": PurePosixPath(name).stem, "site": site, "sha256": sha256.hex()}

    def fill(match: re.Match[str]) -> str:
        value = values.get(match.group(1))
        if value is None:
            raise NameTemplateError(
                f"--name {template!r}: no {match.group()} here", hint="there are: " + ", ".join(sorted(values))
            )
        return value

    filled = _PLACEHOLDER.sub(fill, template)
    if not filled:
        raise NameTemplateError(f"--name {template!r} gives an empty name")
    return filled


def _text(value: Value) -> str | None:
    return None if isinstance(value, tuple) else forms(value).text


def _commit(
    store: Store, source: int, entries: Sequence[Registration], author: str | None
) -> tuple[Commit | None, list[FileId]]:
    at = dt.datetime.now(dt.UTC)
    snapshot = store.snapshot()
    ids: list[FileId] = []

    def rows(state: Snapshot) -> Batch:
        batch = Batch()
        ids[:] = register(store, batch, source, entries, at=at, author=author, snapshot=state)
        return batch

    commit = store.commit(
        CommitKind.REGISTER, rows(snapshot), author=author, rebase=lambda newest, _: rows(newest), base=snapshot
    )
    return commit, ids
