"""Segments that are not what their commit says: found when reading fails, and before rows are written anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from provenance.commits import Segment
from provenance.errors import DamagedStoreError, ReadFailedError, unread
from provenance.snapshot import Snapshot
from provenance.storage.interface import Storage

_HINT = "restore the file from a backup of the store"
_DERIVED_HINT = "remove the file: it was made from others, and is made again by `pirene store compact`"


def intact(storage: Storage, segment: Segment) -> bytes:
    """The bytes of a segment. Raises DamagedStoreError if they are missing or not those that were committed,
    ReadFailedError if that cannot be known.
    """
    try:
        data = storage.read(segment.path)
    except OSError as error:
        raise unread(storage.where(segment.path), error) from error
    found = hashlib.sha256(data).hexdigest()
    if found != segment.sha256:
        raise not_as_recorded(storage.where(segment.path), segment, len(data), found)
    return data


def not_as_recorded(where: str, segment: Segment, size_bytes: int, sha256: str) -> DamagedStoreError:
    """The error to raise for a segment of which ``size_bytes`` with another digest were found."""
    return DamagedStoreError(
        f"{where}: expected {segment.size} bytes with sha256 {segment.sha256}, found {size_bytes} with {sha256}",
        hint=_HINT if segment.path.startswith("segments/") else _DERIVED_HINT,
    )


@contextmanager
def damage_named(storage: Storage, snapshot: Snapshot, also: Sequence[Segment] = ()) -> Iterator[None]:
    """Turns what DuckDB says of a damaged segment into DamagedStoreError, and of one that it could not read into
    ReadFailedError; every other error stays as it is. ``also`` are further files that are read, of wide tables.

    DuckDB does not always say which file it could not make sense of: then all are compared with their digests.
    """
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.ConversionException):
        raise  # these say nothing about files, and looking at all of them takes its time
    except duckdb.Error as error:
        live = [segment for table in snapshot.tables() for segment in snapshot.segments(table)] + list(also)
        named = [each for each in live if each.path in str(error) or each.sha256 in str(error)]
        storage.distrust(named or live)
        if isinstance(error, duckdb.IOException):
            # All is well on a second look: what the system refused the first time it may refuse again.
            message = str(error).splitlines()[0].removeprefix("IO Error: ")
            raise ReadFailedError(f"{storage.location}: {message}", hint="try again") from error
        raise
