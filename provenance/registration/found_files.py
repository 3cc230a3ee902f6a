"""Files that a user names: paths, patterns of paths, folders, URLs and tables, and each file that is meant.

Folders are walked in order of name, hidden files too; links to files and folders are followed, loops of links and the
store itself are not entered. What cannot be a file of a store (a link that leads nowhere, a pipe, a socket, a device, a
folder that cannot be listed) is never left out silently: it is listed with what is wrong with it.
"""

from __future__ import annotations

import errno
import os
import stat as status_bits
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from integrity.digest import kind_of
from provenance.errors import StoreError
from provenance.location import FOLDER
from provenance.metadata import Value
from provenance.registration.metadata_table import Declared, TableRow
from provenance.registration.path_patterns import is_pattern, matching
from provenance.urls import copy_url, file_url, is_url, local_name, quoted_path, url_path
from provenance.users import name_of

_Key = tuple[int, int]
"""Device and inode of a folder."""
_NOTHING: Mapping[str, Value] = {}


class UnreadableFilesError(StoreError):
    """Files that were named cannot be read; nothing was registered."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """What was named, or is in a folder that was, and cannot be registered, with what is wrong with it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to register: its logical name, where it is, and what is known of it before it is read.

    ``path`` None: it is not on this machine. ``url`` is as the store has it. ``below`` is its path for templates: below
    the folder that was named, or as it was named itself. ``size_bytes`` None: not known (a folder, another machine).
    ``where`` it stands, if a table names it.
    """

    name: str
    path: str | None
    url: str
    below: str
    size_bytes: int | None = None
    owner: str | None = None
    kind: Literal["file", "folder"] = "file"
    metadata: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)
    declared: Declared | None = None
    where: str | None = None


def find(
    paths: Iterable[str], unusable: list[Unusable], *, store_root: Path | None = None, trees: bool = False
) -> Iterator[FoundFile]:
    """The files that paths, patterns and URLs name, in order; all files below folders, or (``trees``) folders as one
    file each. What cannot be registered is added to ``unusable``.
    """
    for text in paths:
        if is_url(text) and local_name(copy_url(text)) is None:
            yield from _remote(copy_url(text), unusable)
            continue
        path = local_name(copy_url(text)) or text if is_url(text) else text
        if os.path.lexists(path) or not is_pattern(path):
            yield from _at(path, unusable, store_root, trees)
            continue
        try:
            found = list(matching(path))
        except OSError as error:
            unusable.append(Unusable(error.filename or path, _said(error)))
            continue
        if not found:
            unusable.append(Unusable(path, "nothing matches this pattern"))
        for each in found:
            yield from _at(each, unusable, store_root, trees)


def find_files(path: Path, store_root: Path | None = None) -> Iterator[FoundFile]:
    """The file at ``path``, or all files below the folder there, each with its logical name.

    Raises UnreadableFilesError for what is not there, is no file or cannot be listed.
    """
    unusable: list[Unusable] = []
    yield from _at(str(path), unusable, store_root, trees=False)
    if unusable:
        raise refusal(unusable)


def in_table(rows: Iterable[TableRow], unusable: list[Unusable]) -> Iterator[FoundFile]:
    """The files that a table names; what is not there, or no file, is added to ``unusable`` with its row."""
    for row in rows:
        if row.path is None:
            yield _of_row(row, None, None)
            continue
        try:
            status = os.stat(row.path)  # noqa: PTH116 - of every file; making a Path takes longer than the call
        except OSError as error:
            unusable.append(Unusable(row.path, f"{_why(row.path, error)} ({row.where})"))
            continue
        if not status_bits.S_ISREG(status.st_mode):
            unusable.append(Unusable(row.path, f"{kind_of(status.st_mode)}, not a file ({row.where})"))
            continue
        yield _of_row(row, status.st_size, name_of(status.st_uid))


def refusal(unusable: list[Unusable], hint: str | None = None) -> UnreadableFilesError:
    """The error that says what cannot be registered: the first few by name, the others as a number."""
    first = "; ".join(f"{each.path}: {each.reason}" for each in unusable[:_SHOWN])
    more = f" (and {len(unusable) - _SHOWN} more)" if len(unusable) > _SHOWN else ""
    return UnreadableFilesError(first + more, hint=hint)


_SHOWN = 5


def _of_row(row: TableRow, size_bytes: int | None, owner: str | None) -> FoundFile:
    return FoundFile(
        row.name,
        row.path,
        row.url,
        row.below,
        size_bytes,
        owner,
        metadata=row.metadata,
        declared=row.declared,
        where=row.where,
    )


def _remote(url: str, unusable: list[Unusable]) -> Iterator[FoundFile]:
    try:
        path = url_path(url)
    except ValueError as error:
        unusable.append(Unusable(url, f"not a URL: {error}"))
        return
    yield FoundFile(PurePosixPath(path).name or url, None, url, path.strip("/"))


def _at(path: str, unusable: list[Unusable], store_root: Path | None, trees: bool) -> Iterator[FoundFile]:
    try:
        status = os.stat(path)  # noqa: PTH116 - as above
    except OSError as error:
        unusable.append(Unusable(path, _why(path, error)))
        return
    below = os.path.normpath(path).strip("/")
    name = os.path.basename(os.path.abspath(path))  # noqa: PTH119, PTH100 - Path keeps ".."
    if status_bits.S_ISREG(status.st_mode) and not trees:
        owner = name_of(status.st_uid)
        yield FoundFile(name, path, file_url(path), below, status.st_size, owner)
    elif status_bits.S_ISDIR(status.st_mode) and trees:
        yield FoundFile(name, path, file_url(path), below, None, name_of(status.st_uid), "folder")
    elif status_bits.S_ISDIR(status.st_mode):
        yield from _walk(path, (status.st_dev, status.st_ino), unusable, store_root)
    elif status_bits.S_ISREG(status.st_mode):
        unusable.append(Unusable(path, "a file, where --tree expects folders"))
    else:
        unusable.append(Unusable(path, kind_of(status.st_mode)))


def _walk(folder: str, key: _Key, unusable: list[Unusable], store_root: Path | None) -> Iterator[FoundFile]:
    """Files below a folder in order of the bytes of their names. A loop: folders nest deeper than Python calls."""
    root = None if store_root is None else str(store_root)
    url = file_url(folder)
    url += "" if url.endswith("/") else "/"  # that of the root has one
    skip = len(os.path.join(folder, ""))  # noqa: PTH118 - the text before the part below
    levels: list[tuple[_Key, Iterator[os.DirEntry[str]]]] = [(key, _listed(folder, unusable))]
    while levels:
        entry = next(levels[-1][1], None)
        if entry is None:
            levels.pop()
            continue
        try:
            status = entry.stat()
        except OSError as error:
            unusable.append(Unusable(entry.path, _why(entry.path, error)))
            continue
        if status_bits.S_ISREG(status.st_mode):
            below = entry.path[skip:]
            yield FoundFile(below, entry.path, url + quoted_path(below), below, status.st_size, name_of(status.st_uid))
        elif status_bits.S_ISDIR(status.st_mode):
            inner = (status.st_dev, status.st_ino)
            is_store = entry.name == FOLDER or os.path.abspath(entry.path) == root  # noqa: PTH100
            if not is_store and inner not in {above for above, _ in levels}:
                levels.append((inner, _listed(entry.path, unusable)))
        else:
            unusable.append(Unusable(entry.path, kind_of(status.st_mode)))


def _listed(folder: str, unusable: list[Unusable]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return iter(sorted(entries, key=lambda entry: os.fsencode(entry.name)))
    except OSError as error:
        unusable.append(Unusable(folder, _said(error)))
        return iter(())


def _why(path: str, error: OSError) -> str:
    """Why there is no looking at a path: of a link, where it leads."""
    if error.errno in (errno.ENOENT, errno.ELOOP) and os.path.islink(path):  # noqa: PTH114
        target = os.readlink(path)  # noqa: PTH115
        return (
            f"a link that leads to itself ({target})"
            if error.errno == errno.ELOOP
            else f"a link to {target}, which is not there"
        )
    return _said(error)


def _said(error: OSError) -> str:
    return error.strerror or str(error)
