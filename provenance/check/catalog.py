"""Does the DuckLake catalog say what the commits say?

Nothing in the store reads it, and it is made anew from the commits: one that is behind, torn, or of other commits is no
damage, since who writes next mends it. One that goes on to tell clients what no commit says is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from provenance.check.findings import Finding, Kind, not_read
from provenance.ducklake.lake import FILE_NAME, place
from provenance.ducklake.lake_differences import Wrong, differences
from provenance.errors import LakeError, ReadFailedError

if TYPE_CHECKING:
    from provenance.store import Store

_ADVICE = "`pirene store check --rebuild` makes it anew"
_MISLEADS = "`pirene store check --rebuild` makes it anew; until then believe nothing that was read through it"
_NEWEST = "SELECT max(snapshot_id) FROM ducklake_snapshot"


@dataclass(frozen=True, slots=True)
class CatalogState:
    """How far a catalog is: ``newest`` is the commit that it shows; None: there is none, or (``problem`` says why) it
    cannot be read. ``path`` is where it is or would be; None: there is no place for it.
    """

    path: Path | None
    newest: int | None
    problem: str | None = None


def catalog_state(store: Store) -> CatalogState:
    """How far the catalog of a store is."""
    try:
        path = place(store).path
    except OSError as error:
        return CatalogState(None, None, str(error))
    if not path.exists():
        return CatalogState(path, None)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            ((newest,),) = connection.execute(_NEWEST)
    except (sqlite3.Error, ValueError) as error:
        return CatalogState(path, None, str(error))
    return CatalogState(path, newest)


def compared(store: Store) -> Iterator[Finding]:
    """Findings about the catalog of a store whose commits are whole; none if there is no catalog."""
    state = catalog_state(store)
    if state.newest is None and state.problem is None:
        return
    expected = "the commits as a DuckLake catalog"
    try:
        for difference in differences(store):
            found = f"{difference.wrong.value}: {difference.what}"
            if difference.wrong is Wrong.STALE:
                found = difference.what
            kind = Kind.MALFORMED if difference.misleads else Kind.STALE
            yield Finding(kind, FILE_NAME, expected, found, _MISLEADS if difference.misleads else _ADVICE)
    except LakeError as error:
        yield Finding(Kind.STALE, FILE_NAME, expected, str(error), "check again when nobody is at work on it")
    except ReadFailedError as error:
        yield not_read(store.storage, FILE_NAME, expected, error, "")
