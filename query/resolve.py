"""From syntax tree to resolved tree: sets, relations, clauses and what is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from query import format as text_of
from query import literals, resolved, tree
from query.asked_keys import AskedKeys
from query.context import ENTITY_WORDS, Context
from query.errors import LocatedError
from query.relations import check_relation, steps
from query.resolve_conditions import Conditions
from query.resolve_output import columns, default_columns, every_column, summary
from query.resolve_values import constant, field, value
from query.resolved import BuiltIn, Metadata
from query.typed import plain
from query.vocabulary import Entity

_NEWEST_BY: dict[Entity, str] = {
    Entity.FILES: "created",
    Entity.JOBS: "ended",
    Entity.WORKFLOWS: "started",
    Entity.REPLICAS: "registered",
    Entity.CHECKS: "at",
}


def statement(context: Context, node: tree.Query) -> resolved.Resolved:
    """A whole query: `show` and `summarize` are clauses of the outermost one only."""
    shows = [clause for clause in node.clauses if isinstance(clause, tree.Show | tree.Summarize)]
    summaries = shows and isinstance(shows[0], tree.Summarize)
    if len(shows) > (2 if summaries else 1):
        context.fail("what is shown is said twice", shows[-1].span, "leave one of them out")
    if shows and isinstance(shows[0], tree.Summarize):
        return _summarized(context, node, shows[0])
    for item in (item for show in shows for item in show.items):
        if isinstance(item, tree.Item) and item.name is not None:
            context.shown_as[item.name.text] = text_of.format_expression(item.operand)
    rows = tuple(clause for clause in node.clauses if not isinstance(clause, tree.Show))
    resolved_query = query(context, replace(node, clauses=rows))
    conditions = Conditions(context, resolved_query.entity, relation)
    if shows:
        assert isinstance(shows[0], tree.Show)
        everything = every_column(context, resolved_query.entity)
        return resolved.Resolved(resolved_query, columns(conditions, shows[0], everything))
    return resolved.Resolved(resolved_query, default_columns(context, resolved_query.entity))


def _summarized(context: Context, node: tree.Query, clause: tree.Summarize) -> resolved.Resolved:
    """Clauses before `summarize` choose rows; those after it are about the groups and their columns."""
    from query import groups  # few queries summarize

    position = node.clauses.index(clause)
    rows = query(context, replace(node, clauses=node.clauses[:position]))
    found = summary(Conditions(context, rows.entity, relation), clause)
    inner = groups.context_of(context, rows.entity, found)
    clauses, shown = [], groups.columns(found)
    for written in node.clauses[position + 1 :]:
        if isinstance(written, tree.Summarize):
            context.fail("a summary of a summary", written.span, "one summarize, with all that it goes by")
        after = groups.about_columns(context, found, written)
        if isinstance(after, tree.Show):
            shown = groups.as_shown(found, columns(Conditions(inner, Entity.GROUPS, relation), after, everything=shown))
        else:
            clauses.append(_clause(inner, Entity.GROUPS, after))
    return resolved.Resolved(rows, replace(found, clauses=tuple(clauses), columns=shown))


def query(context: Context, node: tree.Query) -> resolved.Query:
    """A set of rows with its clauses, without what is shown of them."""
    rows, entity = _rows(context, node.rows)
    clauses = tuple(_clause(context, entity, clause) for clause in node.clauses)
    return resolved.Query(entity, rows, clauses)


def _rows(
    context: Context, node: tree.Operand | tree.SetOperation
) -> tuple[resolved.Operand | resolved.SetOperation, Entity]:
    if isinstance(node, tree.Operand):
        return _operand(context, node)
    operands = [_operand(context, operand) for operand in node.operands]
    entity = operands[0][1]
    for (_, other), written in zip(operands, node.operands, strict=True):
        if other is not entity:
            message = f"{node.operator} of {entity.value} and {other.value}"
            context.fail(message, written.span, "both sides must be about the same kind of thing")
    return resolved.SetOperation(node.operator, tuple(operand for operand, _ in operands)), entity


def _operand(context: Context, node: tree.Operand) -> tuple[resolved.Operand, Entity]:
    source: resolved.All | resolved.Query
    related: tuple[resolved.Condition, ...] = ()
    match node.source:
        case tree.Entity(name=name, relation=written):
            entity = ENTITY_WORDS[name]
            source = resolved.All(entity)
            if written is not None:
                related = (relation(context, entity, written),)
        case tree.Nested(query=inner, origin=None):
            source = query(context, inner)
            entity = source.entity
        case tree.Nested(query=inner, origin=tree.Origin(name=name, text=text)):
            with errors_of(context.inside(name, text)) as within:
                source = query(within, inner)
            entity = source.entity
        case tree.Saved():
            raise AssertionError("saved queries are expanded before names mean anything")
        case _:
            raise AssertionError(f"unknown source: {node.source!r}")
    where = () if node.where is None else _conjuncts(Conditions(context, entity, relation).condition(node.where))
    return resolved.Operand(source, (*related, *where)), entity


@contextlib.contextmanager
def errors_of(context: Context) -> Iterator[Context]:
    """What is wrong in the text of a saved query says which query that is."""
    try:
        yield context
    except LocatedError as error:
        if not context.saved or error.text != context.text or str(error).startswith("in the saved query"):
            raise
        raise error.within_saved(context.saved[-1]) from error


def _conjuncts(condition: resolved.Condition) -> tuple[resolved.Condition, ...]:
    return condition.operands if isinstance(condition, resolved.And) else (condition,)


def relation(context: Context, entity: Entity, node: tree.Relation) -> resolved.Related:
    """`upstream of (…)` and its like: checks that the two kinds of things stand in it."""
    inner = query(context, node.query)
    check_relation(context, node, entity, inner.entity)
    return resolved.Related(node.word, inner, steps(context, node))


def _clause(context: Context, entity: Entity, clause: tree.Clause) -> resolved.Clause:
    if isinstance(clause, tree.Show | tree.Summarize):
        hint = "take it out of the parentheses"
        context.fail("what is shown belongs to the end of the whole query", clause.span, hint)
    match clause:
        case tree.Where(condition=condition):
            return resolved.Where(_conjuncts(Conditions(context, entity, relation).condition(condition)))
        case tree.Latest():
            return _latest(context, entity, clause)
        case tree.Order(sorts=sorts):
            return resolved.Order(tuple(_sort(context, entity, sort) for sort in sorts))
        case tree.Limit():
            return _limit(context, clause)
        case _ as unreachable:
            assert_never(unreachable)


def _latest(context: Context, entity: Entity, clause: tree.Latest) -> resolved.Latest:
    if clause.count == 0:
        context.fail("latest 0 would be nothing", clause.span, "latest 1")
    per = tuple(_single(context, entity, name) for name in clause.per)
    if clause.by is not None:
        by = _single(context, entity, clause.by)
        AskedKeys(context, entity).warn_order(by)
        return resolved.Latest(clause.count or 1, per, by)
    name = _NEWEST_BY.get(entity, "")
    newest = context.table(entity).fields.get(name)
    if newest is None:
        context.fail("latest by what?", clause.span, "say it: latest 1 per name by FIELD")
    return resolved.Latest(clause.count or 1, per, BuiltIn((), name, newest.type, name))


def _single(context: Context, entity: Entity, name: tree.Name) -> BuiltIn | Metadata:
    conditions = Conditions(context, entity, relation)
    typed = field(context, entity, name)
    conditions.keys.refuse_list(typed)
    conditions.keys.warn_lists(typed)
    assert isinstance(typed.value, BuiltIn | Metadata)
    return typed.value


def _sort(context: Context, entity: Entity, sort: tree.Sort) -> resolved.Sort:
    conditions = Conditions(context, entity, relation)
    typed = value(context, entity, sort.operand)
    if typed.constant:
        context.fail(
            "an order by the same value for every row", sort.operand.span, "order by a field; a field has no quotes"
        )
    conditions.keys.refuse_list(typed)
    conditions.keys.warn_lists(typed)
    if isinstance(typed.value, Metadata):
        conditions.keys.warn_order(typed.value)
    return resolved.Sort(plain(typed), bool(sort.descending))


def _limit(context: Context, clause: tree.Limit) -> resolved.Limit:
    if isinstance(clause.count, int):
        return resolved.Limit(clause.count)
    found = context.parameter(clause.count)
    number = found.reading if isinstance(found, literals.FromOutside) else found
    whole = isinstance(number, literals.Number) and isinstance(number.value, int) and 0 <= number.value < 1 << 62
    if not whole or not isinstance(number, literals.Number):
        context.fail(f"limit needs a whole number, and ${clause.count.name} is none", clause.count.span)
    return resolved.Limit(int(number.value))


def constant_of(context: Context, node: tree.Time) -> literals.Constant:
    """The time of `as of`."""
    return constant(context, node)
