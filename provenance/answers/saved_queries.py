"""Saved queries: named, versioned, in the store. A new version never changes an old one; `as of` finds the one of then.

Each keeps its text as it was written and its tree with every name decided: see `query.pinning`.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass

from provenance.answers.vocabulary import StoreVocabulary
from provenance.errors import StoreError
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.reading.views import Reading, fetch
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.users import current_user
from query.check import checked

_NAME = re.compile(r"[a-z_][\w./-]*", re.IGNORECASE)
_SELECT = 'SELECT name, version, query, "at", user_name, pulled FROM queries_in_order'
_VERSIONS = f"{_SELECT} ORDER BY name, commit_order, version"
_VERSIONS_OF = f"{_SELECT} WHERE name = $1 ORDER BY commit_order, version"


class BadNameError(StoreError):
    """A name that `@name` could not mention."""


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A version of a saved query; ``parameters`` are the names of its ``$name``\\ s, in their order."""

    name: str
    version: int
    text: str
    parameters: tuple[str, ...]
    at: dt.datetime
    user: str
    pulled: bool = False


def save(store: Store, name: str, text: str) -> SavedQuery:
    """Save a version of ``name`` in one commit. Saving what is its newest text already makes no version.

    Raises BadNameError, QueryError (at a place in ``text``), StoreError as `Store.commit`.
    """
    name = name.removeprefix("@")
    if not _NAME.fullmatch(name):
        hint = "a name starts with a letter and goes on with letters, digits and _ . / -"
        raise BadNameError(f"{name!r} is no name for a saved query", hint=hint)
    at, user = dt.datetime.now(dt.UTC), current_user()
    snapshot = store.snapshot()
    with Reading(store, snapshot) as reading:
        found = checked(text, StoreVocabulary(reading.rows, text), at, name=name)
    made: list[SavedQuery] = []

    def rows(newest: Snapshot, _: Batch | None = None) -> Batch:
        """The next version after what others may have saved meanwhile."""
        before = fetch(store, _VERSIONS_OF, [name], snapshot=newest)
        batch = Batch()
        if before and before[-1][2] == text and not before[-1][-1]:
            _, number, _, earlier, who, _ = before[-1]
            made[:] = [SavedQuery(name, number, text, found.parameters, earlier, who)]
            return batch
        number = max((version for _, version, *_ in before), default=0) + 1
        made[:] = [SavedQuery(name, number, text, found.parameters, at, user)]
        tree = json.dumps(found.tree, ensure_ascii=False)
        batch.add("queries", name=name, version=number, query=text, tree=tree, at=at, user_name=user)
        return batch

    store.commit(CommitKind.METADATA, rows(snapshot), author=user, rebase=rows, base=snapshot)
    return made[0]


def versions(store: Store, snapshot: Snapshot | None = None) -> list[SavedQuery]:
    """All versions of all saved queries, by name; the last of each name is what `@name` means."""
    from query.check import parameters

    return [
        SavedQuery(name, version, text, parameters(text), at, user, pulled)
        for name, version, text, at, user, pulled in fetch(store, _VERSIONS, snapshot=snapshot)
    ]
