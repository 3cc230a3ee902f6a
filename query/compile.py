"""From the text of a query to SQL that answers it: the one entry to this package.

    as_of = query.compile.as_of(text, parameters, now)         which state is asked about: the caller picks the snapshot
    compiled = query.compile.compile_query(text, vocabulary, parameters, now)

Nothing here runs SQL. The caller runs ``compiled.sql`` with ``compiled.parameters`` (positional, numbered
``$1``, ``$2``, ...; a DuckDB connection whose TimeZone is UTC) and each of ``compiled.counts``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from query import format as text_of
from query import limits, literals, resolve, resolved, tree
from query.context import Context
from query.counts import Count
from query.errors import QueryTooLarge
from query.frozen import Frozen, frozen
from query.output_types import column_type
from query.parse import parse
from query.selection import READABLE, selected
from query.sql import Compiler
from query.vocabulary import Entity, EntityTable, FieldType, MetadataKey, Relations, SavedText, Vocabulary

UnknownKeys = Literal["error", "no match"]
ColumnType = FieldType | Literal["metadata", "metadata value"]


@frozen
class OutputColumn(Frozen):
    """A column of the answer.

    ``type`` "metadata" (of `show *`): a list of STRUCT(key, position, written, written_type, text_form), all keys of
    the row, by key and position. "metadata value": the same list for one key (empty or null: missing; position null: a
    scalar; position -1: an empty list).
    """

    name: str
    type: ColumnType


@frozen
class Condition(Frozen):
    """A condition and a statement that counts the rows there would be without it."""

    text: str
    sql: str
    parameters: tuple[object, ...]


@frozen
class AsOf(Frozen):
    """Which state of the store is asked about: ``commit``, or all commits up to and including ``time`` (UTC)."""

    commit: int | None = None
    time: dt.datetime | None = None


@frozen
class Compiled(Frozen):
    """A query, ready to run.

    ``text`` is the normalised query, ``tree`` its resolved tree (JSON-able). The first ``key_columns`` columns of the
    result are the key of ``entity`` (0 unless keys were asked for) and not in ``columns``; the names of the result's
    own columns mean nothing. ``notes`` and ``warnings`` are known already; ``counts`` have to be run first.
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
    context = Context(text, _Nothing(), parameters, now)
    return _as_of(context, parse(text))


def compile_query(
    text: str,
    vocabulary: Vocabulary,
    parameters: Mapping[str, object],
    now: dt.datetime,
    *,
    unknown_keys: UnknownKeys = "error",
    selection: bool = False,
    statuses: tuple[str, ...] = READABLE,
    keys: bool = False,
) -> Compiled:
    """Compile ``text``. ``now`` must carry a time zone. Raises QueryError.

    ``parameters``: text is read like a literal and is text if it reads like none; lists, numbers, bools, dates and
    times are taken as they are. ``unknown_keys`` "no match": a metadata key that the store has never seen matches
    nothing and warns. ``selection``: the query must choose files, and `status = "ok"` is added to it (or other
    ``statuses``: which files it would choose then). ``keys``: the key of each row comes first (refused for
    `summarize`).
    """
    context = Context(text, vocabulary, parameters, now, unknown_keys)
    statement, within = _statement(context, selection, statuses)
    with resolve.errors_of(within):
        found = resolve.statement(within, statement.query)
    for name in sorted(parameters.keys() - context.used - _as_of_names(statement)):
        context.warn(f"the query does not use ${name}")
    if isinstance(found.output, resolved.Summary) and keys:
        context.fail("a summary has no rows to name", statement.query.span, "leave summarize out")
    compiler = Compiler(vocabulary)
    if isinstance(found.output, resolved.Summary):
        sql, values = compiler.summary_statement(found.query, found.output)
    else:
        sql, values = compiler.rows_statement(found.query, found.output, keys=keys)
    return Compiled(
        text=text_of.format_statement(statement),
        tree=tree.to_json(found),
        sql=sql,
        parameters=values,
        columns=_columns(found.output),
        entity=found.query.entity,
        key_columns=len(vocabulary.table(found.query.entity).key) if keys else 0,
        notes=tuple(context.notes),
        warnings=tuple(context.warnings),
        counts=compiler.counted(),
        as_of=_as_of(context, statement),
    )


def without_each(
    text: str,
    vocabulary: Vocabulary,
    parameters: Mapping[str, object],
    now: dt.datetime,
    *,
    unknown_keys: UnknownKeys = "error",
    selection: bool = False,
) -> tuple[Condition, ...]:
    """For each condition that all rows must fulfil (see `query.dropping`): how many rows match without it. Same
    arguments as `compile_query`; of a summary, its rows are counted.
    """
    from query import dropping  # asked when nothing was found: the good way must start fast

    context = Context(text, vocabulary, parameters, now, unknown_keys)
    statement, context = _statement(context, selection)
    found = []
    for condition, query in dropping.without_each(statement.query):
        with resolve.errors_of(context):
            without = resolve.statement(context, query)
        compiler = Compiler(vocabulary)
        if isinstance(without.output, resolved.Summary):
            sql, values = compiler.summary_statement(without.query, without.output)
            sql = f"SELECT count(*) FROM ({sql}) AS counted"
        else:
            sql, values = compiler.count_statement(without.query)
        found.append(Condition(condition, sql, values))
    return tuple(found)


def _statement(
    context: Context, selection: bool, statuses: tuple[str, ...] = READABLE
) -> tuple[tree.Statement, Context]:
    """The tree of the text, saved queries expanded, and the context of the text that its places are in."""
    if context.now.tzinfo is None:
        raise ValueError(f"now needs a time zone: {context.now.isoformat()}")
    statement = parse(context.text)
    query = statement.query
    if "@" in context.text:
        query, context = _with_saved(context, query)
    return replace(statement, query=selected(context, query, statuses) if selection else query), context


def _with_saved(context: Context, query: tree.Query) -> tuple[tree.Query, Context]:
    from query import saved  # few queries use any

    whole = saved.alone(query)
    try:
        found, within = (saved.expanded(context, query), context) if whole is None else saved.opened(context, whole)
    except RecursionError:
        raise QueryTooLarge("saved queries within saved queries are nested too deeply") from None
    limits.check(found)
    return found, within


def _columns(output: tuple[resolved.Column, ...] | resolved.Summary) -> tuple[OutputColumn, ...]:
    shown = output.columns if isinstance(output, resolved.Summary) else output
    return tuple(OutputColumn(column.name, column_type(column.content)) for column in shown)


def _as_of_names(statement: tree.Statement) -> set[str]:
    match statement.as_of:
        case tree.AsOfTime(time=tree.Parameter(name=name)) | tree.AsOfCommit(number=tree.Parameter(name=name)):
            return {name}
        case _:
            return set()


def _as_of(context: Context, statement: tree.Statement) -> AsOf | None:
    """A commit, or the last instant of the time that was said: a day stands for all of it."""
    match statement.as_of:
        case None:
            return None
        case tree.AsOfCommit(number=int(number)):
            return AsOf(commit=number)
        case tree.AsOfCommit(number=tree.Parameter() as parameter):
            found = _plain(context.parameter(parameter))
            if not isinstance(found, literals.Number) or not isinstance(found.value, int) or found.value < 0:
                context.fail(f"a commit has a number, and ${parameter.name} is none", parameter.span)
            return AsOf(commit=found.value)
        case tree.AsOfTime(time=tree.Parameter() as parameter):
            moment = _plain(context.parameter(parameter))
        case tree.AsOfTime(time=tree.Time() as written):
            parameter = tree.Parameter("", span=written.span)
            moment = resolve.constant_of(context, written)
        case _:
            raise AssertionError(f"unknown as of: {statement.as_of!r}")
    if not isinstance(moment, literals.Moment):
        context.fail(
            f"${parameter.name} is no date or time", parameter.span, "for example 2026-05-01 or 2026-05-01T13:30:00Z"
        )
    return AsOf(time=moment.start if moment.end is None else moment.end - dt.timedelta(microseconds=1))


def _plain(found: literals.Constant) -> literals.Constant:
    return found.reading if isinstance(found, literals.FromOutside) else found


class _Nothing:
    """The vocabulary for what needs none: `as of` is read before there is a snapshot to take one from."""

    def table(self, entity: Entity) -> EntityTable:
        raise AssertionError("as of asks for no table")

    def relations(self) -> Relations:
        raise AssertionError("as of asks for no relations")

    def metadata_sql(self) -> str:
        raise AssertionError("as of asks for no metadata")

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        return None

    def metadata_keys(self, entity: Entity) -> tuple[MetadataKey, ...]:
        return ()

    def saved(self, name: str) -> SavedText | None:
        return None

    def saved_names(self) -> tuple[str, ...]:
        return ()
