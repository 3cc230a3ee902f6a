"""All that is known of one workflow, job or file, fact by fact: what the user gave, what was set later, what the job
reported, what was measured. For `pirene meta list`.

Measured facts are not metadata: they are the built-in fields of the language, gathered here under ``origin``
"measured".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.metadata import EMPTY_LIST_POSITION, EntityName, shown
from provenance.views import Reading, Row
from provenance.vocabulary import ENTITIES
from query.vocabulary import Entity, EntityTable

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
    from provenance.store import Store

_CURRENT = """
SELECT key, position, written, written_type, text_form, origin, author, "at"
FROM current_metadata
WHERE entity = $1 AND source = $2 AND number = $3
ORDER BY key, position NULLS FIRST
"""
_HISTORY = """
SELECT key, position, written, written_type, text_form, origin, author, "at", withdrawn, commit_number
FROM metadata
WHERE entity = $1 AND source = $2 AND number = $3
ORDER BY key, commit_number, "at", position NULLS FIRST
"""
_HOLDERS = """
SELECT DISTINCT entity, source, number, key FROM current_metadata WHERE key IN (SELECT unnest($1::VARCHAR[]))
"""
ENTITY_NAMES: dict[Entity, EntityName] = {Entity.WORKFLOWS: "workflow", Entity.JOBS: "job", Entity.FILES: "file"}


@dataclass(frozen=True, slots=True)
class Thing:
    """A workflow, job or file by its key; ``label`` is what people call it, ``id`` its field ``id``."""

    entity: Entity
    source: int
    number: int
    id: str
    label: str

    @property
    def kind(self) -> EntityName:
        """The word of the table ``metadata``."""
        return ENTITY_NAMES[self.entity]


@dataclass(frozen=True, slots=True)
class Fact:
    """One key and its value as it was written. ``origin`` static | set | runtime | measured; ``text`` is the source
    text.

    ``author`` and ``at`` are None for what was measured. ``withdrawn`` only in a history.
    """

    key: str
    value: object
    text: str | None
    origin: str
    author: str | None
    at: dt.datetime | None
    withdrawn: bool = False
    commit: int | None = None


def facts(store: Store, thing: Thing, *, snapshot: Snapshot | None = None) -> list[Fact]:
    """What is known of ``thing`` now: its metadata by key, then what was measured."""
    with Reading(store, store.snapshot() if snapshot is None else snapshot) as reading:
        rows = reading.rows(_CURRENT, [thing.kind, thing.source, thing.number])
        return [*_grouped([(*row, False, None) for row in rows]), *_measured(reading, thing)]


def with_keys(store: Store, things: Sequence[Thing], keys: Sequence[str]) -> list[tuple[Thing, frozenset[str]]]:
    """Each thing with those of ``keys`` that it has now."""
    held: dict[Row, set[str]] = {}
    with Reading(store, store.snapshot()) as reading:
        for entity, source, number, key in reading.rows(_HOLDERS, [list(keys)]):
            held.setdefault((entity, source, number), set()).add(key)
    return [(thing, frozenset(held.get((thing.kind, thing.source, thing.number), ()))) for thing in things]


def history(store: Store, thing: Thing) -> list[Fact]:
    """Everything that was ever said about ``thing``, by key and then by commit; withdrawals too."""
    with Reading(store, store.snapshot()) as reading:
        return _grouped(reading.rows(_HISTORY, [thing.kind, thing.source, thing.number]))


def _grouped(rows: Sequence[Row]) -> list[Fact]:
    """Rows of one saying become one fact; the elements of a list one after the other."""
    groups: dict[Row, list[Row]] = {}
    for row in rows:
        key, _, _, _, _, origin, author, at, _, commit = row
        groups.setdefault((key, commit, at, origin, author), []).append(row)
    found = []
    for (key, commit, at, origin, author), group in groups.items():
        value, text = _value(group)
        withdrawn = bool(group[0][8])
        found.append(Fact(key, value, text, origin, author, at, withdrawn, commit))
    return found


def _value(group: Sequence[Row]) -> tuple[object, str | None]:
    _, position, written, written_type, text_form, *_ = group[0]
    if position is None:
        return shown(written, written_type or "null", text_form), written
    if position == EMPTY_LIST_POSITION:
        return [], None
    values = [shown(row[2], row[3] or "null", row[4]) for row in group]
    return values, ", ".join(str(row[2]) for row in group)


def _measured(reading: Reading, thing: Thing) -> list[Fact]:
    """The built-in fields that have a value."""
    table = ENTITIES[thing.entity]
    names = list(table.fields)
    columns = ", ".join(table.fields[name].sql for name in names)
    where = " AND ".join(f"e.{column} = ${position}" for position, column in enumerate(table.key, start=1))
    key = [thing.source, thing.number][: len(table.key)]
    rows = reading.rows(f"SELECT {columns} FROM {table.sql} AS e {_joins(table)} WHERE {where}", key)
    found = []
    for name, value in zip(names, rows[0] if rows else (), strict=bool(rows)):
        if value is not None:
            found.append(Fact(name, value.hex() if isinstance(value, bytes) else value, None, "measured", None, None))
    if thing.entity is Entity.FILES:
        found += _measured_file(reading, thing)
    return found


def _measured_file(reading: Reading, thing: Thing) -> list[Fact]:
    """What is recorded of a file beside its fields: its time and owner then, and what hashing it took."""
    sql = "SELECT modified, owner, checksum_seconds FROM files WHERE source = $1 AND file = $2"
    rows = reading.rows(sql, [thing.source, thing.number])
    names = ("modified", "owner", "checksum_seconds")
    return [
        Fact(name, value, None, "measured", None, None)
        for name, value in zip(names, rows[0] if rows else (), strict=bool(rows))
        if value is not None
    ]


def _joins(table: EntityTable) -> str:
    return " ".join(table.joins.values())
