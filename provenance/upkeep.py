"""What keeps a store quick: small segments merged, wide tables made, commits summed up, the catalog brought up to date.

No answer changes by any of it, and whoever wrote or asked something before has it: what keeps it from being done is
logged, unless it was what somebody asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provenance.errors import LakeError, StoreError
from provenance.history import checkpoints
from provenance.publishing.compaction import compact as merge
from provenance.publishing.compaction import is_due, relieve
from provenance.publishing.turns import alone
from provenance.storage.local import LocalStorage

if TYPE_CHECKING:
    from provenance.history.commits import Commit
    from provenance.store import Store


def care(store: Store, made: Commit) -> None:
    """See `Store.care`."""
    if is_due(made, store.seen):
        with alone(store.storage) as nobody_else_does:
            if nobody_else_does:
                _relieve(store)
    _sum_up_after(store, made)


def compact(store: Store, run: int | None) -> Commit | None:
    """See `Store.compact`."""
    made = merge(store, run=run)
    if made is not None:
        _sum_up_after(store, made)
    promote(store, eager=run is None)
    return made


def tidy(store: Store, run: int | None) -> None:
    """See `Store.tidy`."""
    try:
        compact(store, run)
    except StoreError as error:
        _not_merged(store, error)


def promote(store: Store, *, eager: bool) -> None:
    """See `Store.promote`."""
    from provenance.answers.entities import WIDE  # late: a commit has no use for the language
    from provenance.wide.wide import MIN_ROWS

    for table in WIDE:
        if sum(segment.rows for segment in store.seen.segments(table.sql)) < MIN_ROWS:
            continue
        from provenance.wide.wide_build import promote as made_anew  # late: pyarrow, for those who have enough rows

        try:
            made_anew(store, table, eager=eager)
        except (StoreError, OSError) as error:
            _warn(f"{store.storage.location}: no wide table of {table.entity.value} was made: {error}")


def sum_up(store: Store) -> None:
    """See `Store.sum_up`."""
    try:
        if store.snapshot().rewritten:
            store.reread()  # what was seen before an erasure may say what is erased, or where it was
        checkpoints.write(store.storage, store.store_id, store.snapshot())
    except (StoreError, OSError) as error:
        _warn(f"{store.storage.location}: no checkpoint was written: {error}")
    _extend_log(store)


def project(store: Store) -> None:
    """See `Store.project`."""
    _extend_log(store)
    from provenance.ducklake.lake import (
        project as bring_up_to_date,  # late: SQLAlchemy, which most writers have no use for
    )

    try:
        bring_up_to_date(store)
    except LakeError as error:
        _warn(f"the DuckLake catalog of {store.root} was not brought up to date: {error}")


def _extend_log(store: Store) -> None:
    from provenance.log.growth import extend  # late: the newest commit, for those who did not make one

    if isinstance(store.storage, LocalStorage) and not os.access(store.storage.root, os.W_OK):
        return  # nobody commits there either
    try:
        extend(store)
    except StoreError as error:
        _warn(f"the log was not brought up to date: {error}")


def _relieve(store: Store) -> None:
    try:
        made = relieve(store)
    except StoreError as error:
        _not_merged(store, error)
    else:
        if made is not None:
            _sum_up_after(store, made)


def _sum_up_after(store: Store, made: Commit) -> None:
    if made.number % checkpoints.INTERVAL == 0:
        store.sum_up()


def _not_merged(store: Store, error: StoreError) -> None:
    _warn(f"{store.storage.location}: small segments were not merged: {error}")


def _warn(message: str) -> None:
    import logging  # late: it takes as long as all other imports of this module

    from query.terminal_text import harmless

    logging.getLogger(__name__).warning("%s", harmless(message))
