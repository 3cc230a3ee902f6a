"""Rows of metadata: who said which value of which key of which thing, one row for each value of a list."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from provenance.metadata import Value, Written, forms, require_unicode

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.segments.batch import Batch
    from provenance.store import Store

Origin = Literal["static", "runtime", "set"]
EntityName = Literal["workflow", "job", "file", "transformation"]

EMPTY_LIST_POSITION = -1


def add_metadata(
    batch: Batch,
    entity: EntityName,
    source: int,
    number: int,
    key: str,
    value: Value | None,
    *,
    origin: Origin,
    author: str | None,
    at: dt.datetime,
    subject: str | None = None,
    withdrawn: bool = False,
) -> None:
    """Add the rows of one key of one thing to ``batch``: one a value, one for an empty list, one for a withdrawal.

    ``value`` None is for withdrawals only. Raises MetadataError for a key that is not Unicode.
    """
    require_unicode(key, "a metadata key")
    common = {
        "entity": entity,
        "source": source,
        "number": number,
        "subject": subject,
        "key": key,
        "origin": origin,
        "author": author,
        "at": at,
        "withdrawn": withdrawn,
    }
    if withdrawn:
        batch.add("metadata", **common)
    elif value is None:
        raise ValueError(f"metadata key {key!r}: no value, and not a withdrawal")
    else:
        for position, element in positions_and_values(value):
            columns = {"position": position} if element is None else _columns(element, position)
            batch.add("metadata", **common, **columns)


def positions_and_values(value: Value) -> Sequence[tuple[int | None, Written | None]]:
    """The rows of one value: position in the list (None: it is none) and what is there (None: the list is empty)."""
    if isinstance(value, Written):
        return ((None, value),)
    return tuple(enumerate(value)) or ((EMPTY_LIST_POSITION, None),)


def add_metadata_of_many(
    batch: Batch,
    entity: EntityName,
    sayings: Iterable[tuple[int, int, str, Value]],
    *,
    origin: Origin,
    author: str | None,
    at: dt.datetime,
) -> None:
    """Add the rows of keys of many things: each (source, number, key, value). The same as `add_metadata` of each, for
    values that repeat: their forms are found once.
    """
    known: dict[Written, tuple[object, ...]] = {}
    rows: list[tuple[object, ...]] = []
    for source, number, key, value in sayings:
        require_unicode(key, "a metadata key")
        if isinstance(value, tuple) and not value:
            rows.append((source, number, key, EMPTY_LIST_POSITION, *_NO_COLUMNS))
        for position, element in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            columns = known.get(element)
            if columns is None:
                columns = known[element] = tuple(_columns(element, None).values())[1:]
            rows.append((source, number, key, position, *columns))
    names = ("source", "number", "key", "position", *_VALUE_COLUMNS)
    columns_of_rows = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    same = {"entity": entity, "origin": origin, "author": author, "at": at, "withdrawn": False}
    if rows:
        batch.add_columns("metadata", len(rows), columns_of_rows, **same)


def add_what_is_new(batch: Batch, said: Batch, store: Store, snapshot: Snapshot) -> None:
    """Add those rows of ``said``, which has metadata of files alone, of which the store does not say the same now.

    To say it again would change no answer, and every registration of the same files would make the store longer.
    """
    from provenance.reading.views import Reading

    said.pack()
    for rows in said.blocks("metadata"):
        with Reading(store, snapshot) as reading:
            connection = reading.define(_NEW)
            connection.register("said", rows)
            batch.add_block("metadata", connection.table(_NEW).cast(rows.schema))


_NEW = """
WITH incoming AS (
    SELECT source, number, key, list((position, written, written_type) ORDER BY position) AS value
    FROM said GROUP BY ALL
), known AS (
    SELECT source, number, key, list((position, written, written_type) ORDER BY position) AS value
    FROM current_metadata WHERE entity = 'file' AND (source, number) IN (SELECT source, number FROM said) GROUP BY ALL
)
SELECT said.* FROM said
ANTI JOIN (SELECT * FROM incoming SEMI JOIN known USING (source, number, key, value)) AS same
    USING (source, number, key)
"""
_VALUE_COLUMNS = (
    "written",
    "written_type",
    "text_form",
    "integer_form",
    "float_form",
    "boolean_form",
    "time_form",
)
_NO_COLUMNS = (None,) * len(_VALUE_COLUMNS)


def _columns(value: Written, position: int | None) -> dict[str, object]:
    found = forms(value)
    return {
        "position": position,
        "written": value.text,
        "written_type": value.type,
        "text_form": found.text,
        "integer_form": found.integer,
        "float_form": found.float,
        "boolean_form": found.boolean,
        "time_form": found.time,
    }
