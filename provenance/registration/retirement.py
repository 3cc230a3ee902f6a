"""Taking files out of use: every copy of them is `retired`, nothing is deleted, the history stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from provenance.answers.designators import find_files, is_query
from provenance.copies.replicas import GIVEN_UP, add_event, by_file
from provenance.errors import StoreError
from provenance.history.commits import CommitKind
from provenance.reading.views import fetch
from provenance.segments.batch import Batch
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_STATES = frozenset({"ok", "quarantined", "missing", "removed", "replaced", "retired"})


class NotFilesError(StoreError):
    """A query selects something else than files."""


def wanted_files(store: Store, texts: Iterable[str], parameters: Mapping[str, object]) -> list[tuple[int, int]]:
    """The files (source, file) that queries, names, digests and paths mean, each once. Errors as of `answer`."""
    from provenance.answers.ask import answer

    keys: dict[tuple[int, int], None] = {}
    for text in texts:
        if not is_query(text):
            keys.update(dict.fromkeys(ref.key for ref in find_files(store, text)))
            continue
        found = answer(store, text, parameters, keys=True)
        if found.entity is not Entity.FILES:
            raise NotFilesError(f"this query selects {found.entity.value}, not files: {found.text}")
        keys.update(dict.fromkeys((key[0], key[1]) for key, _ in found.keyed_rows()))
    return list(keys)


def retire_files(
    store: Store, keys: Sequence[tuple[int, int]], *, reason: str | None = None, author: str | None = None
) -> int:
    """Retire files in one commit; how many were not retired before. Raises StoreError as `Store.commit`."""
    at = dt.datetime.now(dt.UTC)
    retired: set[tuple[int, int]] = set()

    def rows(snapshot: Snapshot) -> Batch:
        retired.clear()
        batch = Batch()
        copies = by_file(store, keys, states=_STATES, snapshot=snapshot)
        statuses = dict(_statuses(store, keys, snapshot))
        for key in keys:
            if statuses.get(key) == "retired":
                continue
            retired.add(key)
            live = [copy for copy in copies.get(key, ()) if copy.state not in GIVEN_UP]
            places: list[tuple[str | None, str | None]] = [(copy.url, copy.site) for copy in live]
            for url, site in places or [(None, None)]:
                add_event(batch, "retired", source=key[0], file=key[1], url=url, site=site, at=at, reason=reason)
        return batch

    snapshot = store.snapshot()
    store.commit(
        CommitKind.REGISTER, rows(snapshot), author=author, rebase=lambda newest, _: rows(newest), base=snapshot
    )
    return len(retired)


def _statuses(
    store: Store, keys: Sequence[tuple[int, int]], snapshot: Snapshot
) -> Iterable[tuple[tuple[int, int], str]]:
    sql = (
        "SELECT source, file, status FROM file_states"
        " WHERE (source, file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))"
    )
    columns = [[source for source, _ in keys], [file for _, file in keys]]
    return (((source, file), status) for source, file, status in fetch(store, sql, columns, snapshot=snapshot))
