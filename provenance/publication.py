"""How a batch becomes a commit: optimistically, without locks.

Write segments, take the next number; if somebody else was first, look at what they brought, drop what is there already,
and go for the number after it. Somebody always gets through, so the store as a whole never waits.
Writers of one machine take turns where they can (`provenance.turns`), which only spares them work.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from integrity.merkle import root_hash
from provenance.batch import Batch
from provenance.commits import Commit, CommitKind, Segment, publish
from provenance.erased import Erased
from provenance.errors import NotWrittenError
from provenance.foreign import Pulled
from provenance.snapshot import Snapshot
from provenance.turns import after_a_lost_race, turn

if TYPE_CHECKING:
    from provenance.store import Rebase, Store

_TICK = dt.timedelta(microseconds=1)


def commit_batch(
    store: Store,
    kind: CommitKind,
    batch: Batch,
    *,
    author: str | None,
    rebase: Rebase | None,
    base: Snapshot | None,
) -> Commit | None:
    """Publish a batch; None: it is empty, or has nothing left that others did not bring. See `Store.commit`."""
    with turn(store.storage):
        while True:
            begun = time.monotonic()
            snapshot = store.snapshot()
            if rebase is not None and base is not None and snapshot.number > base.number:
                batch = rebase(snapshot, batch)
            base = snapshot
            if len(batch) == 0:
                return None
            commit = _tried(store, snapshot, kind, batch, author)
            if commit is not None:
                store.follow(commit)
                return commit
            after_a_lost_race(time.monotonic() - begun)


def _tried(store: Store, snapshot: Snapshot, kind: CommitKind, batch: Batch, author: str | None) -> Commit | None:
    """Publish a batch as the commit after ``snapshot``; None: somebody else was first, and nothing is left of it."""
    from provenance.arrow import record_digests
    from provenance.segments import remove, write_batch

    nonce = new_nonce()
    segments = write_batch(store.storage, batch, snapshot.number + 1, nonce)
    commit = next_commit(store, snapshot, kind, nonce, segments, records=record_digests(batch), author=author)
    try:
        if publish(store.storage, commit):
            return commit
    except NotWrittenError:
        remove(store.storage, segments)  # on a full disk they would be in the way of the next try
        raise
    remove(store.storage, segments)
    return None


def next_commit(
    store: Store,
    snapshot: Snapshot,
    kind: CommitKind,
    nonce: str,
    segments: Sequence[Segment],
    *,
    records: Sequence[bytes] = (),
    author: str | None = None,
    replaces: Sequence[str] = (),
    pulled: Sequence[Pulled] = (),
    later_than: dt.datetime | None = None,
    erased: Erased | None = None,
) -> Commit:
    """The commit that would follow ``snapshot``.

    Its time is the clock's, but later than that of the previous one, and than ``later_than``.
    """
    before = [time + _TICK for time in (snapshot.time, later_than) if time is not None]
    return Commit(
        store=store.store_id,
        number=snapshot.number + 1,
        time=max(dt.datetime.now(dt.UTC), *before) if before else dt.datetime.now(dt.UTC),
        kind=kind,
        nonce=nonce,
        segments=segments,
        records=len(records),
        records_root=root_hash(records).hex(),
        author=author,
        replaces=replaces,
        pulled=pulled,
        erased=erased,
    )


def new_nonce() -> str:
    """What tells one attempt to commit from every other: 64 random bits, hex."""
    return os.urandom(8).hex()
