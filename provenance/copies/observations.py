"""What somebody saw of copies, when others have said something about the same copies before it came into the store.

Looking takes time, a day for a large audit. What was decided or seen since then counts: a copy that is retired by now
is not damaged, one that was found missing and has been registered again is not missing. That it was looked at stays.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from provenance.copies.replicas import GIVEN_UP, by_file
from provenance.segments.batch import Batch

if TYPE_CHECKING:
    from provenance.copies.replicas import Replica
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_MAKES = {"verified": "ok", "reinstated": "ok", "missing": "missing", "quarantined": "quarantined"}
"""Events that are sights, and the state that each leads to."""
_ANY_STATE = frozenset({"ok", "quarantined", "missing", *GIVEN_UP})
_Copy = tuple[int, int, str | None]
"""(source, file, url)."""


def still_news(store: Store, batch: Batch, *, base: Snapshot, newest: Snapshot) -> Batch:
    """``batch``, which was made from ``base``, without sights of copies that ``newest`` knows better about."""
    if not batch.rows("replicas"):
        return batch
    seen = [row for row in batch.each("replicas") if row["event"] in _MAKES]
    before, now = _copies(store, seen, base), _copies(store, seen, newest)
    changed = {key: copy for key, copy in now.items() if key not in before or _is_other(before[key], copy)}
    if not changed:
        return batch
    kept = Batch()
    for table in batch.tables():
        for row in batch.each(table):
            if table != "replicas" or _is_news(row, changed.get(_key(row))):
                kept.add(table, **row)
    return kept


def _copies(store: Store, seen: list[dict[str, Any]], snapshot: Snapshot) -> dict[_Copy, Replica]:
    files = {(row["source"], row["file"]) for row in seen}
    found = by_file(store, files, states=_ANY_STATE, snapshot=snapshot)
    return {(*copy.id, copy.url): copy for copies in found.values() for copy in copies}


def _key(row: dict[str, Any]) -> _Copy:
    return row["source"], row["file"], row["url"]


def _is_other(before: Replica, now: Replica) -> bool:
    return (before.state, before.since) != (now.state, now.since)


def _is_news(row: dict[str, Any], changed: Replica | None) -> bool:
    """Whether a row of ``replicas`` says something of a copy that what others said since does not say better."""
    if changed is None or row["event"] not in _MAKES:
        return True
    at = row["at"]
    assert isinstance(at, dt.datetime)
    return changed.state not in GIVEN_UP and changed.since < at and changed.state != _MAKES[row["event"]]
