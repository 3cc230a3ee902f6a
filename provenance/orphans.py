"""What killed or failing writers leave behind: temporary files, and segments that no commit names.

Nobody reads them. A store knows no locks, so whether a writer is still at work cannot be known of any file; that no
commit will ever name it can, however long its writer was stopped:

- A segment is named by the commit of the number that its own name begins with, or by none: it is nobody's once there is
  a commit of that number, which does not name it.
- A file with commits of another store is named by a commit that brings these commits: it is nobody's once they came.

Temporary files belong to no commit: who misses one has not published yet, and fails.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provenance.errors import ReadFailedError
from provenance.history.commits import Commit
from provenance.history.snapshot import Snapshot
from provenance.storage.durable import TEMPORARY
from provenance.storage.interface import Stored
from provenance.wide import wide

if TYPE_CHECKING:
    from provenance.store import Store

SAFE_AGE = dt.timedelta(days=1)
"""Younger ones stay: a writer that has lost a race, or a pull that is begun again, may have a use for them."""
_PUBLISHED = frozenset({("segments", "parquet"), ("foreign", "jsonl")})
"""Folders and endings of what a commit has to name."""
_NUMBERED = re.compile(r"segments/[a-z_]+/([0-9]{12})-[0-9a-z-]+\.parquet")
_PULLED = re.compile(r"foreign/([0-9a-f-]{36})/([0-9]{12})-[0-9a-f]{64}\.jsonl")


def orphans(store: Store) -> list[Stored]:
    """Files of the store that no commit stands for, sorted by name. Some may belong to writers at work."""
    return _found(store)[0]


def remove_orphans(store: Store, *, older_than: dt.timedelta = SAFE_AGE) -> list[Stored]:
    """Remove the orphans that no commit can ever name and that are old enough; returns those that it removed."""
    limit = dt.datetime.now(dt.UTC) - older_than
    found, snapshot = _found(store)
    nobodys = [orphan for orphan in found if orphan.modified <= limit and is_nobodys(orphan.name, snapshot)]
    for orphan in nobodys:
        store.storage.remove(orphan.name)
    left = {stored.name for stored in store.storage.stored("")} if nobodys else set()
    return [orphan for orphan in nobodys if orphan.name not in left]


def is_candidate(name: str) -> bool:
    """Whether a file of this name is one that a writer makes on its way to a commit."""
    top = name.partition("/")[0]
    # What is in the spool belongs to a command, which is alive or will be taken up.
    return (name.endswith(TEMPORARY) and top != "spool") or (top, name.rpartition(".")[2]) in _PUBLISHED


def is_nobodys(name: str, snapshot: Snapshot) -> bool:
    """Whether no commit after ``snapshot`` can name an orphan of this name."""
    if numbered := _NUMBERED.fullmatch(name):
        return int(numbered[1]) <= snapshot.number
    if pulled := _PULLED.fullmatch(name):
        return int(pulled[2]) <= snapshot.foreign.known(pulled[1])
    return True


def _found(store: Store) -> tuple[list[Stored], Snapshot]:
    """The orphans, and what the store holds after the commits that they were compared with."""
    # Files first, commits second: what a commit names by then is no orphan, however recently it was published.
    found = [stored for stored in store.storage.stored("") if is_candidate(stored.name) or wide.is_part(stored.name)]
    try:
        named = wide.parts_named(store.storage, store.store_id)
    except ReadFailedError:  # what is not known to be left is not named, and stays
        named = {stored.name for stored in found if wide.is_part(stored.name)}

    def read() -> Iterator[Commit]:
        for commit in store.all_commits():
            named.update(segment.path for segment in commit.segments)
            named.update(pulled.path for pulled in commit.pulled)
            yield commit

    snapshot = Snapshot().after(read())
    return [stored for stored in found if stored.name not in named], snapshot
