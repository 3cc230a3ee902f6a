"""Segments that are not what their commit says: found when reading fails, and before rows are written anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provenance.errors import NOT_THERE, DamagedStoreError, ReadFailedError, UserFolderError, WideTableError, lost
from provenance.history.commits import Segment, read
from provenance.history.snapshot import Snapshot
from provenance.storage.interface import Storage
from provenance.storage.recorded import DERIVED_HINT, difference, not_as_recorded

if TYPE_CHECKING:
    import duckdb


def intact(storage: Storage, segment: Segment) -> bytes:
    """The bytes of a segment. Raises DamagedStoreError if they are missing or not those that were committed,
    ReadFailedError if that cannot be known.
    """
    try:
        data = storage.read(segment.path, segment.size)
    except NOT_THERE as error:
        raise lost(storage.where(segment.path), error) from error
    found = difference(data, segment)
    if found is not None:
        raise not_as_recorded(storage.where(segment.path), segment, found)
    return data


@contextmanager
def erasure_named(storage: Storage, snapshot: Snapshot) -> Iterator[None]:
    """Turns DamagedStoreError into ReadFailedError where an erasure since ``snapshot`` may have taken the file away."""
    try:
        yield
    except WideTableError:
        raise  # whoever meets it reads the tables instead
    except DamagedStoreError as error:
        number = snapshot.number
        while (commit := read(storage, number := number + 1)) is not None:
            if commit.erased is not None:
                raise ReadFailedError(f"{error}: it was erased from meanwhile", hint="do it again") from error
        raise


@contextmanager
def damage_named(
    storage: Storage, snapshot: Snapshot, wide: Sequence[Segment] = (), *, of_user: bool = False
) -> Iterator[None]:
    """Turns what DuckDB says of a damaged segment into DamagedStoreError, of a damaged file of a wide table into
    WideTableError, of a segment that it could not read into ReadFailedError, and of too little memory into MemoryError;
    every other error stays as it is. ``wide`` are the files of wide tables that are read besides the segments of the
    snapshot.

    DuckDB does not always say which file it could not make sense of, nor that it was a file: a length that was damaged
    is memory that nobody has, a name in a footer a column that the statement lacks. Then all are compared with their
    digests; of a statement ``of_user`` only where DuckDB does not say what is wrong with it.
    """
    with erasure_named(storage, snapshot), _said_by_duckdb(storage, snapshot, wide, of_user):
        yield


@contextmanager
def _said_by_duckdb(storage: Storage, snapshot: Snapshot, wide: Sequence[Segment], of_user: bool) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        live = [segment for table in snapshot.tables() for segment in snapshot.segments(table)]
        named, named_wide = _named(live, str(error)), _named(wide, str(error))
        if of_user and _is_about_the_statement(error):
            live, wide = [], []
        if not named:
            _distrust_wide(storage, named_wide or wide)
        if named or not named_wide:
            storage.distrust(named or live)
        if isinstance(error, duckdb.OutOfMemoryException):
            raise MemoryError(str(error).splitlines()[0]) from error
        if isinstance(error, duckdb.IOException):
            # All is well on a second look: what the system refused the first time it may refuse again.
            message = str(error).splitlines()[0].removeprefix("IO Error: ")
            raise ReadFailedError(f"{storage.location}: {message}", hint="try again") from error
        raise


def _is_about_the_statement(error: duckdb.Error) -> bool:
    """Whether DuckDB says what is wrong with a statement: looking at all files for that would take its time."""
    import duckdb

    return isinstance(
        error,
        duckdb.ParserException
        | duckdb.BinderException
        | duckdb.CatalogException
        | duckdb.PermissionException
        | duckdb.ConversionException,
    )


def _named(files: Sequence[Segment], message: str) -> list[Segment]:
    return [each for each in files if each.path in message or each.sha256 in message]


def _distrust_wide(storage: Storage, files: Sequence[Segment]) -> None:
    try:
        storage.distrust(files)
    except (DamagedStoreError, ReadFailedError, UserFolderError) as bad:
        raise WideTableError(str(bad), hint=DERIVED_HINT) from bad.__cause__ or bad


def left_aside(error: DamagedStoreError) -> None:
    """Say that a wide table is not used because it is damaged: answers are the same, and take longer. Of one that is
    gone nothing is said: it was made anew, or is not part of a copy of the store.
    """
    import logging  # late: a query of a store without damage has no use for it

    from query.terminal_text import harmless

    if not isinstance(error.__cause__, FileNotFoundError):
        logging.getLogger(__name__).warning(
            "%s", harmless(f"a wide table is left aside, so answers take longer: {error} ({error.hint})")
        )
