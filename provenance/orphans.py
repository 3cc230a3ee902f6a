"""What killed or failing writers leave behind: temporary files, and segments that no commit names.

Nobody reads them. They are told from the files of a writer at work by their age only, since a store knows no locks.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from provenance import wide
from provenance.storage.durable import TEMPORARY
from provenance.storage.interface import Stored

if TYPE_CHECKING:
    from provenance.store import Store

SAFE_AGE = dt.timedelta(days=1)
"""No writer takes longer from its first segment to its commit."""
_PUBLISHED = frozenset({("segments", "parquet"), ("foreign", "jsonl")})
"""Folders and endings of what a commit has to name."""


def orphans(store: Store) -> list[Stored]:
    """Files of the store that no commit stands for, sorted by name. Some may belong to writers at work."""
    # Files first, commits second: what a commit names by then is no orphan, however recently it was published.
    found = [stored for stored in store.storage.stored("") if is_candidate(stored.name) or wide.is_part(stored.name)]
    named = wide.parts_named(store.storage, store.store_id)
    for commit in store.all_commits():
        named.update(segment.path for segment in commit.segments)
        named.update(pulled.path for pulled in commit.pulled)
    return [stored for stored in found if stored.name not in named]


def remove_orphans(store: Store, *, older_than: dt.timedelta = SAFE_AGE) -> list[Stored]:
    """Remove the orphans that nobody can be writing any more; returns those that it removed."""
    limit = dt.datetime.now(dt.UTC) - older_than
    nobodys = {orphan.name for orphan in orphans(store)}
    # Listed once more: commits take their time to read, and what is named by its content may have been made anew.
    old = [stored for stored in store.storage.stored("") if stored.name in nobodys and stored.modified <= limit]
    for orphan in old:
        store.storage.remove(orphan.name)
    left = {stored.name for stored in store.storage.stored("")} if old else set()
    return [orphan for orphan in old if orphan.name not in left]


def is_candidate(name: str) -> bool:
    """Whether a file of this name is one that a writer makes on its way to a commit."""
    top = name.partition("/")[0]
    # What is in the spool belongs to a command, which is alive or will be taken up.
    return (name.endswith(TEMPORARY) and top != "spool") or (top, name.rpartition(".")[2]) in _PUBLISHED
