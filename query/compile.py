"""From the text of a query to SQL that answers it: the one entry to this package.

    as_of = query.compile.as_of(text, parameters, now)         which state is asked about: the caller picks the snapshot
    compiled = query.compile.compile_query(text, vocabulary, parameters, now)

Nothing here runs SQL. The caller runs ``compiled.sql`` with ``compiled.parameters`` (positional, numbered ``$1``, ``$2``, ...;
a DuckDB connection whose TimeZone is UTC) and each of ``compiled.counts``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from query.vocabulary import Entity, FieldType, Vocabulary

UnknownKeys = Literal["error", "no match"]
ColumnType = FieldType | Literal["metadata", "metadata value"]


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of the answer.

    ``type`` "metadata" (of `show *`): a list of STRUCT(key, position, written, written_type, text_form), all keys of the row,
    by key and position. "metadata value": the same list for one key (empty or null: missing; position null: a scalar;
    position -1: an empty list).
    """

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Count:
    """A statement whose single number goes into ``message`` in place of ``{count}``, unless it is 0."""

    sql: str
    parameters: tuple[object, ...]
    message: str
    severity: Literal["note", "warning"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A top-level condition and a statement that counts the rows there would be without it."""

    text: str
    sql: str
    parameters: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class AsOf:
    """Which state of the store is asked about: ``commit``, or all commits up to and including ``time`` (UTC)."""

    commit: int | None = None
    time: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A query, ready to run.

    ``text`` is the normalised query, ``tree`` its resolved tree (JSON-able). The first ``key_columns`` columns of the
    result are the key of ``entity`` (0 unless keys were asked for) and not in ``columns``. ``notes`` and ``warnings`` are
    known already; ``counts`` have to be run first.
    """

    text: str
    tree: object
    sql: str
    parameters: tuple[object, ...]
    columns: tuple[OutputColumn, ...]
    entity: Entity
    key_columns: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    counts: tuple[Count, ...]
    as_of: AsOf | None


def as_of(text: str, parameters: Mapping[str, object], now: dt.datetime) -> AsOf | None:
    """What the query says about `as of`; None if nothing. Parses only. Raises QueryError."""
    raise NotImplementedError


def compile_query(
    text: str,
    vocabulary: Vocabulary,
    parameters: Mapping[str, object],
    now: dt.datetime,
    *,
    unknown_keys: UnknownKeys = "error",
    selection: bool = False,
    keys: bool = False,
) -> Compiled:
    """Compile ``text``. ``now`` must carry a time zone. Raises QueryError.

    ``parameters``: text is read like a literal and is text if it reads like none; lists, numbers, bools, dates and times are
    taken as they are. ``unknown_keys`` "no match": a metadata key that the store has never seen matches nothing and warns.
    ``selection``: the query must choose files, and `status = "ok"` is added to it. ``keys``: the key of each row comes first
    (refused for `summarize`).
    """
    raise NotImplementedError


def without_each(
    text: str,
    vocabulary: Vocabulary,
    parameters: Mapping[str, object],
    now: dt.datetime,
    *,
    unknown_keys: UnknownKeys = "error",
    selection: bool = False,
) -> tuple[Condition, ...]:
    """For each condition joined by `and` at the top of the query: how many rows match without it. Same arguments."""
    raise NotImplementedError
