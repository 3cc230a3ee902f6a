"""What there is to say of a store at a glance: who it is, what it holds, what it takes, what waits in it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.check.catalog import CatalogState, catalog_state
from provenance.history import formats
from provenance.history.erased import gone_from
from provenance.ingest.quarantine import Quarantined, quarantined
from provenance.orphans import orphans
from provenance.schema import TABLES

if TYPE_CHECKING:
    from provenance.history.commits import Commit, Segment
    from provenance.store import Store

_SPOOL = "spool"


@dataclass(frozen=True, slots=True)
class TableSize:
    """What the live segments of one table hold and take."""

    rows: int
    size_bytes: int
    segments: int


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """One store as of its newest commit. Times are UTC; ``tables`` are in the order of the schema.

    ``superseded_bytes`` are segments that were merged into others, ``orphaned_bytes`` what no commit names (its writer
    may be at work), ``spooled`` and ``spooled_bytes`` records of commands on their way in. ``erasures`` are the commits
    that took something away, in order.
    """

    store: str
    location: str
    format: int
    created: dt.datetime
    commits: int
    newest_commit: dt.datetime | None
    tables: Mapping[str, TableSize]
    superseded_bytes: int
    orphaned_bytes: int
    quarantined: tuple[Quarantined, ...]
    spooled: int
    spooled_bytes: int
    catalog: CatalogState
    read_only: bool
    erasures: tuple[Commit, ...] = ()

    @property
    def live_bytes(self) -> int:
        """What the segments take that are read."""
        return sum(table.size_bytes for table in self.tables.values())

    def document(self) -> dict[str, object]:
        """The summary as JSON has it."""
        return {
            "store": self.store,
            "path": self.location,
            "format": self.format,
            "created": self.created,
            "read_only": self.read_only,
            "commits": self.commits,
            "newest_commit": self.newest_commit,
            "rows": {name: table.rows for name, table in self.tables.items()},
            "bytes": {name: table.size_bytes for name, table in self.tables.items()},
            "segments": sum(table.segments for table in self.tables.values()),
            "live_bytes": self.live_bytes,
            "superseded_bytes": self.superseded_bytes,
            "orphaned_bytes": self.orphaned_bytes,
            "quarantined": [
                {"what": one.what, "sha256": one.sha256, "reason": one.reason, "at": one.at} for one in self.quarantined
            ],
            "spool": {"files": self.spooled, "size_bytes": self.spooled_bytes},
            "erasures": [_erasure(commit) for commit in self.erasures],
            "catalog": {
                "path": None if self.catalog.path is None else str(self.catalog.path),
                "commit": self.catalog.newest,
                "problem": self.catalog.problem,
            },
        }


def summarize(store: Store) -> StoreSummary:
    """Look at a store. Errors as of `Store.snapshot`."""
    left = orphans(store)
    snapshot = store.snapshot()
    live = {table.name: _size(snapshot.segments(table.name)) for table in TABLES}
    commits = list(store.all_commits())
    ever = {segment.path: segment.size for commit in commits for segment in commit.segments}
    for path in gone_from(commits):
        ever.pop(path, None)
    spooled = [stored.size_bytes for stored in store.storage.stored(_SPOOL)]
    return StoreSummary(
        store=store.store_id,
        location=store.storage.location,
        format=formats.newest(),
        created=store.created,
        commits=snapshot.number,
        newest_commit=snapshot.time,
        tables=live,
        superseded_bytes=sum(ever.values()) - sum(segment.size for segment in snapshot.live()),
        orphaned_bytes=sum(stored.size_bytes for stored in left),
        quarantined=tuple(quarantined(store)),
        spooled=len(spooled),
        spooled_bytes=sum(spooled),
        catalog=catalog_state(store),
        read_only=is_read_only(store.root),
        erasures=tuple(commit for commit in commits if commit.erased),
    )


def _erasure(commit: Commit) -> dict[str, object]:
    assert commit.erased is not None
    return {
        "commit": commit.number,
        "at": commit.time,
        "author": commit.author,
        "reason": commit.erased.reason,
        "rows": sum(commit.erased.rows.values()),
        "cleared": commit.erased.cleared,
        "files": len(commit.erased.files),
    }


def is_read_only(folder: Path) -> bool:
    """Whether this user may not write into a folder, or nobody may because of how it is mounted."""
    return not os.access(folder, os.W_OK)


def _size(segments: Iterable[Segment]) -> TableSize:
    listed = list(segments)
    return TableSize(sum(one.rows for one in listed), sum(one.size for one in listed), len(listed))
