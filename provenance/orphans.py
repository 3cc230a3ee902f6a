"""What killed or failing writers leave behind: temporary files, and segments that no commit names.

Nobody reads them. They are told from the files of a writer at work by their age only, since a store knows no locks.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.durable import TEMPORARY, discard

if TYPE_CHECKING:
    from provenance.store import Store

SAFE_AGE = dt.timedelta(days=1)
"""No writer takes longer from its first segment to its commit."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that no commit stands for. ``modified`` is when it was last written to (UTC)."""

    path: Path
    size_bytes: int
    modified: dt.datetime


def orphans(store: Store) -> list[Orphan]:
    """Files in the store's folder that no commit stands for, sorted by path. Some may belong to writers at work."""
    # Files first, commits second: what a commit names by then is no orphan, however recently it was published.
    found = [orphan for path in _candidates(store.root) if (orphan := _described(path))]
    named = {segment.path for commit in store.commits() for segment in commit.segments}
    return [orphan for orphan in found if orphan.path.relative_to(store.root).as_posix() not in named]


def remove_orphans(store: Store, *, older_than: dt.timedelta = SAFE_AGE) -> list[Orphan]:
    """Remove the orphans that nobody can be writing any more; returns those that it removed."""
    limit = dt.datetime.now(dt.UTC) - older_than
    old = [orphan for orphan in orphans(store) if orphan.modified <= limit]
    for orphan in old:
        discard(orphan.path)
    return [orphan for orphan in old if not orphan.path.exists()]


def _candidates(root: Path) -> list[Path]:
    temporary = f"*{TEMPORARY}"
    return sorted(
        chain(
            root.glob(temporary),
            (root / "commits").glob(temporary),
            (root / "segments").glob(f"*/{temporary}"),
            (root / "segments").glob("*/*.parquet"),
        )
    )


def _described(path: Path) -> Orphan | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None  # its writer is done with it
    return Orphan(path, status.st_size, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))
