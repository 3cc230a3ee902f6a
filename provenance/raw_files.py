"""Files that a user names on the command line: found, hashed, named, and registered in one commit.

All of them are found before the first is read, so that what cannot be registered is known before hours of reading. They
are registered all or none, unless the caller wants to go on without what cannot be (``keep_going``). Every file is
hashed, whatever its stat says, save those whose checksums somebody declares: they may lie in an archive of many
terabytes, or on another machine, and are hashed when `verify` or an audit reads them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from integrity.checksum import algorithms
from integrity.digest import Hashed
from integrity.digest_many import hash_many
from provenance.batch import Batch
from provenance.commits import Commit, CommitKind
from provenance.errors import StoreError
from provenance.found_files import FoundFile, UnreadableFilesError, Unusable, find, find_files, in_table, refusal
from provenance.identity import new_run_id, source_of
from provenance.metadata import Value
from provenance.metadata_table import Declared, read_table
from provenance.name_template import NameTemplateError, fill
from provenance.path_template import PathTemplate
from provenance.registration import FileId, Registration, register
from provenance.replicas import SEEN_BAD, Replica, last_holders

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
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

Progress = Callable[[int, int, int, int], None]
"""Files done, files in all, bytes read, bytes in all (folders that are one file not counted)."""

_GO_ON = "nothing was registered; --keep-going registers the others and ends with exit code 3"


class UnreadDigestError(StoreError):
    """A digest was given to compare a file with that is not to be read."""


class DeclaredDigestError(StoreError):
    """A file does not have the digest or the size that was declared for it."""

    exit_code = 1


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


@dataclass(frozen=True, slots=True)
class RawFiles:
    """The result of one registration, in the order in which files were found. ``commit`` None: nothing was to be said.

    ``left_out``: what was named and is not registered, with reasons. ``not_believed``: URLs of copies that were found
    bad or missing and stay that, for they were declared and not read.
    """

    registration: uuid.UUID
    files: tuple[Registered, ...]
    commit: Commit | None
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
    and those that a table names (metadata_table.py), in one commit.

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
    found = _found(store, [str(path) for path in paths], table, trees, unusable)
    found = _with_metadata(found, metadata or {}, path_metadata)
    if sha256 is not None or declared is not None:
        _require_one(found, unusable, declared)
        found = [replace(each, declared=declared or each.declared) for each in found]
    _require_sizes((each, each.size_bytes) for each in found)
    if unusable and not keep_going:
        raise refusal(unusable, _GO_ON)
    snapshot = store.snapshot()
    holders = last_holders(store, [each.url for each in found], snapshot=snapshot)
    read = _read(found, holders, workers, keep_going, unusable, progress)
    _require_sizes((each, hashed.stat.size) for each, hashed in read if hashed is not None)
    if sha256 is not None:
        _require_digest(read, sha256)
    entries = [_entry(each, hashed, site, name, checked=sha256 is not None) for each, hashed in read]
    places = [each.path for each, _ in read]
    del found, read  # of a million files that is half a gigabyte, and rows are still to be made
    registration = new_run_id()
    with committing():
        commit, ids = _commit(store, snapshot, holders, source_of(registration), entries, author)
    files = tuple(_registered(registration, places, entries, ids))
    return RawFiles(registration, files, commit, tuple(unusable), tuple(_not_believed(entries, ids, holders)))


def _found(
    store: Store, paths: Sequence[str], table: Path | None, trees: bool, unusable: list[Unusable]
) -> list[FoundFile]:
    """Every file that is meant, by place, each with all that was said of it."""
    places: dict[str, FoundFile] = {}
    named = find(paths, unusable, store_root=store.root, trees=trees)
    listed = in_table(read_table(table), unusable) if table is not None else ()
    for each in (*named, *listed):
        first = places.setdefault(each.url, each)
        if first is not each:
            both = {**first.metadata, **each.metadata}
            places[each.url] = replace(first, metadata=both, declared=each.declared or first.declared)
    return list(places.values())


def _with_metadata(found: Sequence[FoundFile], given: Mapping[str, Value], template: str | None) -> list[FoundFile]:
    """The files with the metadata that they are registered with."""
    if template is not None:
        reader = PathTemplate.parse(template)
        return [replace(each, metadata={**given, **reader.read(each.below), **each.metadata}) for each in found]
    if not given:
        return list(found)
    return [replace(each, metadata={**given, **each.metadata} if each.metadata else given) for each in found]


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


def _require_sizes(found: Iterable[tuple[FoundFile, int | None]]) -> None:
    """No size may contradict the declared one: that is known before anything is read."""
    for each, size in found:
        declared = None if each.declared is None else each.declared.size_bytes
        if declared is not None and size not in (None, declared):
            raise DeclaredDigestError(
                f"{each.path}: expected {declared} bytes, found {size}",
                hint="nothing was registered; fetch the file again, or correct the size",
            )


def _read(
    found: Sequence[FoundFile],
    holders: Mapping[str, Replica],
    workers: int | None,
    keep_going: bool,
    unusable: list[Unusable],
    progress: Progress | None,
) -> list[tuple[FoundFile, Hashed | None]]:
    """Each file with what was read of it (None: it is not to be read); those that cannot be read go to ``unusable``."""
    to_read = [each for each in found if _is_to_read(each)]
    total = sum(each.size_bytes or 0 for each in to_read)
    results = hash_many(
        [each.path or "" for each in to_read],
        sizes=[each.size_bytes for each in to_read],
        checksums=[_asked(holders.get(each.url)) for each in to_read] if holders else None,
        workers=workers,
        stop_at_error=not keep_going,
        progress=None if progress is None else lambda files, size: progress(files, len(to_read), size, total),
    )
    rest = iter(zip(to_read, results, strict=True))
    pairs: list[tuple[FoundFile, Hashed | None]] = []
    for each in found:
        result = next(rest)[1] if _is_to_read(each) else None
        if isinstance(result, OSError):
            unusable.append(Unusable(each.path or "", result.strerror or str(result)))
        else:
            pairs.append((each, result))
    if unusable and not keep_going:
        raise refusal(unusable, _GO_ON)
    return pairs


def _is_to_read(found: FoundFile) -> bool:
    return found.path is not None and not (found.declared is not None and found.declared.checksums)


def _asked(holder: Replica | None) -> tuple[str, ...]:
    """The foreign checksums that tell whether a file is the one that was declared at its place and never read."""
    if holder is None or holder.sha256 is not None or holder.state == "replaced":
        return ()
    return algorithms(holder.checksums or ())


def _require_digest(read: Sequence[tuple[FoundFile, Hashed | None]], declared: bytes) -> None:
    if not read:
        return  # the one file is left out
    ((found, hashed),) = read
    if hashed is None:
        raise UnreadDigestError(
            f"{found.path or found.url}: expected a file to compare with its sha256; this one is not read here",
            hint="leave out the other checksums, or declare the sha256 in a table (--table, column sha256)",
        )
    if hashed.sha256 != declared:
        raise DeclaredDigestError(
            f"{found.path}: expected sha256 {declared.hex()}, found {hashed.sha256.hex()}",
            hint="nothing was registered; fetch the file again, or correct the checksum",
        )


def _entry(found: FoundFile, hashed: Hashed | None, site: str, name: str | None, *, checked: bool) -> Registration:
    declared = found.declared or Declared()
    sha256 = declared.sha256 if hashed is None else hashed.sha256
    unread_size = declared.size_bytes if found.size_bytes is None else found.size_bytes
    if name is not None:
        place = found.path or found.url
        found = replace(
            found, name=fill(name, found.name, place=place, site=site, sha256=sha256, metadata=found.metadata)
        )
    return Registration(
        name=found.name,
        url=found.url,
        site=site,
        sha256=sha256,
        size_bytes=unread_size if hashed is None else hashed.stat.size,
        digest_origin="declared" if checked or hashed is None else "observed",
        stat=None if hashed is None else hashed.stat,
        kind=found.kind,
        owner=found.owner,
        checksums=hashed.checksums if hashed is not None else declared.foreign,
        checksum_seconds=None if hashed is None else hashed.seconds,
        metadata=found.metadata,
    )


def _commit(
    store: Store,
    snapshot: Snapshot,
    holders: Mapping[str, Replica],
    source: int,
    entries: Sequence[Registration],
    author: str | None,
) -> tuple[Commit | None, list[FileId]]:
    at = dt.datetime.now(dt.UTC)
    ids: list[FileId] = []

    def rows(state: Snapshot, known: Mapping[str, Replica] | None = None) -> Batch:
        batch = Batch()
        ids[:] = register(store, batch, source, entries, at=at, author=author, snapshot=state, holders=known)
        return batch

    commit = store.commit(
        CommitKind.REGISTER,
        rows(snapshot, holders),
        author=author,
        rebase=lambda newest, _: rows(newest),
        base=snapshot,
    )
    return commit, ids


def _not_believed(
    entries: Sequence[Registration], ids: Sequence[FileId], holders: Mapping[str, Replica]
) -> Iterator[str]:
    for entry, file in zip(entries, ids, strict=True) if holders else ():
        holder = holders.get(entry.url)
        if entry.stat is None and holder is not None and holder.id == file and holder.state in SEEN_BAD:
            yield entry.url


def _registered(
    registration: uuid.UUID,
    places: Sequence[str | None],
    entries: Sequence[Registration],
    ids: Sequence[FileId],
) -> Iterator[Registered]:
    source = source_of(registration)
    for place, entry, file in zip(places, entries, ids, strict=True):
        yield Registered(entry.name, place, entry.url, file, entry.sha256, entry.size_bytes, file[0] == source)
