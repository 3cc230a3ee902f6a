"""What is registered of each file that was found: its bytes read or its checksums taken as declared, its name made, its
metadata put together.

Files are read a portion at a time, and what is known of them is packed, so that memory holds a portion of them, however
many there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from integrity.checksum import algorithms
from integrity.digest import Hashed
from integrity.digest_many import hash_many
from provenance.copies.replicas import Replica, last_holders
from provenance.errors import StoreError
from provenance.metadata import Value
from provenance.registration.found_files import FoundFile, Unusable, refusal
from provenance.registration.metadata_table import Declared
from provenance.registration.name_template import fill
from provenance.registration.packed import Packed
from provenance.registration.path_template import PathTemplate
from provenance.registration.registration import Registration

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Progress = Callable[[int, int, int, int], None]
"""Files done, files in all, bytes read, bytes in all (folders that are one file not counted)."""

GO_ON = "nothing was registered; --keep-going registers the others and ends with exit code 3"
_PORTION_FILES = 1 << 16
"""Read together: threads wait for each other at the end of a portion, which must not be often."""


class UnreadDigestError(StoreError):
    """A digest was given to compare a file with that is not to be read."""


class DeclaredDigestError(StoreError):
    """A file does not have the digest or the size that was declared for it."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of all files of one registration: at which ``site`` they are, ``metadata`` and how more of it is
    read from paths, how ``name`` is made, and the ``sha256`` that the one file must have.
    """

    site: str = "local"
    metadata: Mapping[str, Value] = field(default_factory=dict)
    path_template: PathTemplate | None = None
    name: str | None = None
    sha256: bytes | None = None

    def of(self, found: Iterable[FoundFile]) -> Iterator[FoundFile]:
        """The files with the metadata that they are registered with. Raises PathTemplateError."""
        if self.path_template is None and not self.metadata:
            return iter(found)
        return (replace(each, metadata=self._metadata(each)) for each in found)

    def _metadata(self, found: FoundFile) -> Mapping[str, Value]:
        if self.path_template is None:
            return {**self.metadata, **found.metadata} if found.metadata else self.metadata
        return {**self.metadata, **self.path_template.read(found.below), **found.metadata}

    def entry(self, found: FoundFile, hashed: Hashed | None) -> Registration:
        """What is registered. Raises NameTemplateError."""
        declared = found.declared or Declared()
        sha256 = declared.sha256 if hashed is None else hashed.sha256
        unread_size = declared.size_bytes if found.size_bytes is None else found.size_bytes
        place, name = found.path or found.url, found.name
        if self.name is not None:
            name = fill(self.name, name, place=place, site=self.site, sha256=sha256, metadata=found.metadata)
        return Registration(
            name=name,
            url=found.url,
            site=self.site,
            sha256=sha256,
            size_bytes=unread_size if hashed is None else hashed.stat.size,
            digest_origin="declared" if self.sha256 is not None or hashed is None else "observed",
            stat=None if hashed is None else hashed.stat,
            kind=found.kind,
            owner=found.owner,
            checksums=hashed.checksums if hashed is not None else declared.foreign,
            checksum_seconds=None if hashed is None else hashed.seconds,
            metadata=found.metadata,
        )


@dataclass(slots=True)
class Reading:
    """One reading of files. ``files`` and ``size_bytes``: how many are to be read. ``holders``: what the store knows of
    the places of all of them, as of ``snapshot``, if they were few (None: not kept).
    """

    store: Store
    snapshot: Snapshot
    description: Description
    keep_going: bool
    workers: int | None
    progress: Progress | None
    files: int = 0
    size_bytes: int = 0
    holders: Mapping[str, Replica] | None = None
    _before: tuple[int, int] = (0, 0)

    def check(self, found: Iterable[FoundFile]) -> None:
        """Refuse what is known to be wrong before anything is read. Raises PathTemplateError, DeclaredDigestError."""
        for each in self.description.of(found):
            _require_size(each, each.size_bytes)
            if _is_to_read(each):
                self.files += 1
                self.size_bytes += each.size_bytes or 0

    def entries(self, found: Iterable[FoundFile], unusable: list[Unusable]) -> Packed[tuple[str | None, Registration]]:
        """Path (None: not on this machine) and registration of each; those that cannot be read go to ``unusable``.

        Raises UnreadableFilesError for these unless it is to keep going; DeclaredDigestError, UnreadDigestError,
        NameTemplateError.
        """
        entries: Packed[tuple[str | None, Registration]] = Packed()
        rest = self.description.of(found)
        while portion := list(itertools.islice(rest, _PORTION_FILES)):
            holders = last_holders(self.store, [each.url for each in portion], snapshot=self.snapshot)
            self.holders = None if len(entries) else holders
            for each, hashed in self._read(portion, holders, unusable):
                if hashed is not None:
                    _require_size(each, hashed.stat.size)
                if self.description.sha256 is not None:
                    _require_digest(each, hashed, self.description.sha256)
                entries.append((each.path, self.description.entry(each, hashed)))
        return entries

    def _read(
        self, portion: Sequence[FoundFile], holders: Mapping[str, Replica], unusable: list[Unusable]
    ) -> Iterator[tuple[FoundFile, Hashed | None]]:
        """Each file with what was read of it (None: it is not to be read)."""
        to_read = [each for each in portion if _is_to_read(each)]
        results = hash_many(
            [each.path or "" for each in to_read],
            sizes=[each.size_bytes for each in to_read],
            checksums=[_asked(holders.get(each.url)) for each in to_read] if holders else None,
            workers=self.workers,
            stop_at_error=not self.keep_going,
            progress=None if self.progress is None else self._tell,
        )
        failed = [result for result in results if isinstance(result, OSError)]
        rest = iter(results)
        for each in portion:
            result = next(rest) if _is_to_read(each) else None
            if isinstance(result, OSError):
                unusable.append(Unusable(each.path or "", result.strerror or str(result)))
            elif not failed or self.keep_going:
                yield each, result
        if failed and not self.keep_going:
            raise refusal(unusable, GO_ON)
        self._before = (self._before[0] + len(to_read), self._before[1] + sum(each.size_bytes or 0 for each in to_read))

    def _tell(self, files: int, size_bytes: int) -> None:
        assert self.progress is not None
        self.progress(self._before[0] + files, self.files, self._before[1] + size_bytes, self.size_bytes)


def _is_to_read(found: FoundFile) -> bool:
    return found.path is not None and not (found.declared is not None and found.declared.checksums)


def _asked(holder: Replica | None) -> tuple[str, ...]:
    """The foreign checksums that tell whether a file is the one that was declared at its place and never read."""
    if holder is None or holder.sha256 is not None or holder.state == "replaced":
        return ()
    return algorithms(holder.checksums or ())


def _require_size(found: FoundFile, size: int | None) -> None:
    """No size may contradict the declared one."""
    declared = None if found.declared is None else found.declared.size_bytes
    if declared is not None and size not in (None, declared):
        raise DeclaredDigestError(
            f"{found.path}: expected {declared} bytes, found {size}",
            hint="nothing was registered; fetch the file again, or correct the size",
        )


def _require_digest(found: FoundFile, hashed: Hashed | None, declared: bytes) -> None:
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
