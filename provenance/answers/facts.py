"""All that is known of one workflow, job or file, fact by fact: what the user gave, what was set later, what the job
reported, what was measured. For `pirene meta list`.

Measured facts are not metadata: they are the built-in fields of the language, gathered here under ``origin``
"measured".
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.answers.entities import ENTITIES
from provenance.metadata import shown
from provenance.metadata_rows import EMPTY_LIST_POSITION, EntityName
from provenance.reading.views import Reading, Row
from provenance.storable import storable
from query.vocabulary import Entity, EntityTable

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_SAYINGS = 'key, position, written, written_type, text_form, origin, author, "at"'
_OF_THINGS = "entity = $1 AND (source, number) IN (SELECT unnest($2::BIGINT[]), unnest($3::BIGINT[]))"
_CURRENT = f"""
SELECT source, number, {_SAYINGS}, false, NULL
FROM current_metadata
WHERE {_OF_THINGS}
ORDER BY key, position NULLS FIRST
"""
_HISTORY = f"""
SELECT source, number, {_SAYINGS}, withdrawn, commit_number
FROM metadata_in_order
WHERE {_OF_THINGS}
ORDER BY key, commit_order, "at", position NULLS FIRST
"""
_HOLDERS = """
SELECT DISTINCT entity, source, number, key FROM current_metadata WHERE key IN (SELECT unnest($1::VARCHAR[]))
"""
_BLOCK_THINGS = 1000
"""Asked about at once: that takes hardly longer than asking about one of them."""

ThingKey = tuple[int, int]
_BESIDE_FIELDS: dict[Entity, dict[str, str]] = {
    Entity.WORKFLOWS: {"planner_version": "e.planner_version"},
    Entity.JOBS: {"read_bytes": "a.read_bytes", "written_bytes": "a.written_bytes"},
    Entity.FILES: {
        "modified": "e.modified",
        "owner": "e.owner",
        "checksum_seconds": "e.checksum_seconds",
        "checksums": "e.checksums",
    },
}
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
    def key(self) -> ThingKey:
        """(source, number)."""
        return (self.source, self.number)

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


def facts(store: Store, things: Sequence[Thing], *, snapshot: Snapshot | None = None) -> Iterator[tuple[Thing, Fact]]:
    """What is known of ``things`` now, one after the other: metadata by key, then what was measured. Streams."""
    with Reading(store, store.snapshot() if snapshot is None else snapshot) as reading:
        for block in _blocks(things):
            said, measured = _said(reading, _CURRENT, block), _measured(reading, block)
            for thing in block:
                for fact in (*_grouped(said.get(thing.key, ())), *measured.get(thing.key, ())):
                    yield thing, fact


def with_keys(store: Store, things: Sequence[Thing], keys: Sequence[str]) -> list[tuple[Thing, frozenset[str]]]:
    """Each thing with those of ``keys`` that it has now."""
    held: dict[Row, set[str]] = {}
    with Reading(store, store.snapshot()) as reading:
        for entity, source, number, key in reading.rows(_HOLDERS, [[storable(key) for key in keys]]):
            held.setdefault((entity, source, number), set()).add(key)
    return [(thing, frozenset(held.get((thing.kind, thing.source, thing.number), ()))) for thing in things]


def history(store: Store, things: Sequence[Thing]) -> Iterator[tuple[Thing, Fact]]:
    """Everything that was ever said about ``things``, of each by key and then by commit; withdrawals too. Streams."""
    with Reading(store, store.snapshot()) as reading:
        for block in _blocks(things):
            said = _said(reading, _HISTORY, block)
            for thing in block:
                for fact in _grouped(said.get(thing.key, ())):
                    yield thing, fact


def _blocks(things: Sequence[Thing]) -> Iterator[list[Thing]]:
    """Things of one entity, as many as are asked about at once."""
    for _, same in itertools.groupby(things, key=lambda thing: thing.entity):
        while block := list(itertools.islice(same, _BLOCK_THINGS)):
            yield block


def _said(reading: Reading, sql: str, block: Sequence[Thing]) -> dict[ThingKey, list[Row]]:
    """The rows of metadata of each thing."""
    found: dict[ThingKey, list[Row]] = {}
    for source, number, *row in reading.rows(sql, [block[0].kind, *_columns(block)]):
        found.setdefault((source, number), []).append(tuple(row))
    return found


def _columns(block: Sequence[Thing]) -> list[list[int]]:
    return [[thing.source for thing in block], [thing.number for thing in block]]


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


def _measured(reading: Reading, block: Sequence[Thing]) -> dict[ThingKey, list[Fact]]:
    """The built-in fields that have a value, and what is measured beside them."""
    table = ENTITIES[block[0].entity]
    fields = {name: field.sql for name, field in table.fields.items()} | _BESIDE_FIELDS[table.entity]
    key = [f"e.{column}" for column in table.key]
    wanted = ", ".join(f"unnest(${position}::BIGINT[])" for position in range(1, len(key) + 1))
    rows = reading.rows(
        f"SELECT {', '.join((*key, *fields.values()))} FROM {table.sql} AS e {_joins(table)} "
        f"WHERE ({', '.join(key)}) IN (SELECT {wanted})",
        _columns(block)[: len(key)],
    )
    found: dict[ThingKey, list[Fact]] = {}
    for row in rows:
        source, number = (*row[: len(key)], 0)[:2]
        values = zip(fields, row[len(key) :], strict=True)
        found[source, number] = [
            Fact(name, value.hex() if isinstance(value, bytes) else value, None, "measured", None, None)
            for name, value in values
            if value is not None
        ]
    return found


def _joins(table: EntityTable) -> str:
    return " ".join(table.joins.values())
