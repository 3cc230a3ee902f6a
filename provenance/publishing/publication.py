"""How a batch becomes a commit: optimistically, without locks.

Write segments, take the next number; if somebody else was first, look at what they brought, drop what is there already,
and go for the number after it. Somebody always gets through, so the store as a whole never waits.
Writers of one machine take turns where they can (`provenance.publishing.turns`), which only spares them work.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from integrity.merkle import root_hash
from provenance.errors import DamagedStoreError, NotWrittenError
from provenance.history.commits import NUMBER_DIGITS, Commit, CommitKind, Segment, publish, time_text
from provenance.history.erased import Erased
from provenance.history.foreign import Pulled
from provenance.history.snapshot import Snapshot
from provenance.publishing.turns import after_a_lost_race, turn
from provenance.segments.batch import Batch
from provenance.storage.interface import Storage

if TYPE_CHECKING:
    from provenance.store import Rebase, Store

END_OF_TIME = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""Commits of others that are dated later are never taken: a year has room for more commits than there will be."""
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
    from provenance.segments.arrow import record_digests
    from provenance.segments.segment_files import remove, write_batch

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
    """The commit that would follow ``snapshot``, signed (`provenance.log.chain`).

    Its time is the clock's, but later than that of the previous one, and than ``later_than``. Raises DamagedStoreError
    if there is no later time.
    """
    if snapshot.time is not None and snapshot.time >= END_OF_TIME:
        raise DamagedStoreError(
            f"{store.storage.location}: commit {snapshot.number} is dated {time_text(snapshot.time)}: "
            "no commit could be dated later",
            hint="set the clock, and register again in a new store what is in this one",
        )
    before = [time + _TICK for time in (snapshot.time, later_than) if time is not None]
    made = Commit(
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
    return store.chain.vouched(made)


def named_for(storage: Storage, segments: Sequence[Segment], number: int) -> list[Segment] | None:
    """Segments that no commit names yet, under names for the commit of this number; None if one of them is gone.

    A file is named by the commit of the number that its name begins with, or by none: only so it can be known of a file
    that nobody will ever name it (`provenance.orphans`), however long its writer was stopped. Raises WriteFailedError.
    """
    named: list[Segment] = []
    for segment in segments:
        folder, _, name = segment.path.rpartition("/")
        named.append(replace(segment, path=f"{folder}/{number:0{NUMBER_DIGITS}d}{name[NUMBER_DIGITS:]}"))
    moved = [(old.path, new.path) for old, new in zip(segments, named, strict=True) if old.path != new.path]
    there = list(storage.together(lambda pair: storage.link(*pair), moved))
    for old, new in moved:
        storage.remove(old if all(there) else new)
    return named if all(there) else None


def new_nonce() -> str:
    """What tells one attempt to commit from every other: 64 random bits, hex."""
    return os.urandom(8).hex()
