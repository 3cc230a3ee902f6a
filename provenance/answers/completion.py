"""Completes queries with what a store has: fields, metadata keys, their values, names of saved queries.

Whoever presses Tab waits for nothing and is told of nothing that goes wrong: the store is only read, for a moment, and
where that is not enough there are no suggestions.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provenance.answers.entities import ENTITIES
from provenance.answers.vocabulary import StoreVocabulary
from provenance.errors import StoreError
from provenance.reading.views import Reading, Row
from provenance.store import Store
from query.backticks import unquoted
from query.errors import QueryError
from query.literals import quote
from query.spelling import spelled
from query.suggest import Wanted, wanted
from query.vocabulary import Entity, EntityTable, FieldType

_PATIENCE_SECONDS = 0.3  # of one look into the store: a big one is asked for less by who writes a letter more
_AGAIN_SECONDS = 0.01
_MOST = 100
_KEYS = "SELECT DISTINCT key FROM current_metadata WHERE entity = $1 ORDER BY key LIMIT 1000"
_VALUES = """
SELECT DISTINCT text_form FROM current_metadata
WHERE entity = $1 AND key = $2 AND starts_with(text_form, $3)
ORDER BY text_form LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``text`` is the whole query with the word completed, ``word`` what stands in place of the ``partial`` one at its
    end; ``meaning`` says what it is.
    """

    text: str
    word: str
    partial: str
    meaning: str = ""


def existing_store(place: str | Path | None) -> Store | None:
    """The store that is meant, if there is one: none is made."""
    try:
        return Store.open_existing(place)
    except (StoreError, OSError):
        return None


def complete(store: Store | None, text: str) -> list[Suggestion]:
    """What ``text``, a query up to the cursor, may go on with; the likeliest first. Empty: nothing is known."""
    found = wanted(text)
    if found is None:
        return []
    candidates = dict(_from_store(store, found))
    candidates.update((word, "") for word in found.words)
    return [
        Suggestion(found.before + word, word, found.partial, meaning)
        for word, meaning in candidates.items()
        # A key may have line breaks and what terminals obey, and shells print suggestions as they are.
        if word.isprintable() and _bare(word).startswith(_bare(found.partial)) and word != found.partial
    ][:_MOST]


def _bare(word: str) -> str:
    """Without backticks: who starts to write a key need not know that it needs them."""
    return word.replace("`", "").lower()


def _from_store(store: Store | None, found: Wanted) -> Iterator[tuple[str, str]]:
    if store is None:
        if found.names:
            yield from _fields(ENTITIES[found.entity], "")
        return
    try:
        with _patiently(store) as reading:
            if found.saved:
                yield from ((f"@{name}", "saved query") for name in StoreVocabulary(reading.rows).saved_names())
            if found.value_of is not None:
                yield from _values(reading, found.entity, found.value_of, found.partial)
            if found.names:
                yield from _names(reading, found.entity, found.partial)
    except (StoreError, QueryError, OSError):
        return


@contextmanager
def _patiently(store: Store) -> Iterator[Reading]:
    """A reading that ends by itself when it takes too long; then there is nothing more to say."""
    import duckdb

    ended = threading.Event()

    def end(reading: Reading) -> None:
        # Again and again: an interrupt that comes between two statements is forgotten by the next one.
        pause = _PATIENCE_SECONDS
        while not ended.wait(pause):
            reading.interrupt()
            pause = _AGAIN_SECONDS

    with Reading(store, store.snapshot()) as reading:
        patience = threading.Thread(target=end, args=(reading,))
        patience.start()
        try:
            yield reading
        except duckdb.Error:
            return  # interrupted, most likely
        finally:
            ended.set()
            patience.join()  # before the connection is closed under it


def _names(reading: Reading, entity: Entity, partial: str) -> Iterator[tuple[str, str]]:
    """Fields, paths and keys, behind the path that ``partial`` begins with."""
    entity, path = _along(entity, partial)
    table = ENTITIES[entity]
    yield from _fields(table, path)
    if table.metadata is not None:
        for (key,) in reading.rows(_KEYS, [table.metadata]):
            yield path + spelled(key, table), "metadata"


def _fields(table: EntityTable, path: str) -> Iterator[tuple[str, str]]:
    yield from ((path + field.name, field.meaning) for field in table.fields.values())
    yield from ((f"{path}{name}.", f"of its {name}") for name in table.paths)


def _along(entity: Entity, name: str) -> tuple[Entity, str]:
    """What is at the end of the path that ``name`` begins with, and the path with its points."""
    parts = name.split(".")
    for place, part in enumerate(parts[:-1]):
        if part not in ENTITIES[entity].paths:
            return entity, "".join(f"{each}." for each in parts[:place])
        entity = ENTITIES[entity].paths[part][0]
    return entity, "".join(f"{each}." for each in parts[:-1])


def _values(reading: Reading, entity: Entity, field: str, partial: str) -> Iterator[tuple[str, str]]:
    """Values of a field or key in the quotes that ``partial`` begins with, as far as that reaches."""
    mark, begun = (partial[0], partial[1:]) if partial else ('"', "")
    entity, path = _along(entity, field)
    for value in _found(reading, ENTITIES[entity], field.removeprefix(path), begun):
        if mark == '"':
            yield quote(value), ""
        elif value.isprintable() and not {"'", "\\"} & set(value):
            yield f"'{value}'", ""


def _found(reading: Reading, table: EntityTable, name: str, begun: str) -> Sequence[str]:
    built_in = table.fields.get(name)
    if built_in is not None and built_in.values:
        return built_in.values
    if built_in is not None:
        if built_in.type is not FieldType.TEXT or built_in.joins:
            return ()
        sql = (
            f"SELECT DISTINCT value FROM (SELECT {built_in.sql} AS value FROM {table.sql} AS e) AS found"
            " WHERE starts_with(value, $1) ORDER BY value LIMIT 100"
        )
        return _texts(reading.rows(sql, [begun]))
    key = unquoted(name.removeprefix("meta."))
    return () if table.metadata is None else _texts(reading.rows(_VALUES, [table.metadata, key, begun]))


def _texts(rows: Sequence[Row]) -> list[str]:
    return [str(value) for (value,) in rows]
