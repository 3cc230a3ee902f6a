"""From syntax tree to resolved tree: sets, relations, clauses and what is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from query import groups, literals, resolved, tree
from query.asked_keys import AskedKeys
from query.context import ENTITY_WORDS, Context
from query.errors import QueryError, QueryMeaningError, did_you_mean
from query.parse import parse
from query.relations import check_relation, steps
from query.resolve_conditions import Conditions
from query.resolve_output import columns, default_columns, every_column, summary
from query.resolve_values import constant, field, plain, value
from query.resolved import BuiltIn, Metadata
from query.vocabulary import Entity

_NEWEST_BY: dict[Entity, str] = {
    Entity.FILES: "created",
    Entity.JOBS: "ended",
    Entity.WORKFLOWS: "started",
    Entity.REPLICAS: "registered",
    Entity.CHECKS: "at",
}
_MAX_SAVED_DEPTH = 16


def statement(context: Context, node: tree.Query) -> resolved.Resolved:
    """A whole query: `show` and `summarize` are clauses of the outermost one only."""
    shows = [clause for clause in node.clauses if isinstance(clause, tree.Show | tree.Summarize)]
    summaries = shows and isinstance(shows[0], tree.Summarize)
    if len(shows) > (2 if summaries else 1):
        context.fail("what is shown is said twice", shows[-1].span, "leave one of them out")
    if shows and isinstance(shows[0], tree.Summarize):
        return _summarized(context, node, shows[0])
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
        case tree.Nested(query=inner):
            source = query(context, inner)
            entity = source.entity
        case tree.Saved():
            source = _saved(context, node.source)
            entity = source.entity
        case _ as unreachable:
            assert_never(unreachable)
    where = () if node.where is None else _conjuncts(Conditions(context, entity, relation).condition(node.where))
    return resolved.Operand(source, (*related, *where)), entity


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


def _saved(context: Context, node: tree.Saved) -> resolved.Query:
    """A saved query in place of its name: resolved with its own arguments, in its own text."""
    text = context.vocabulary.saved(node.name)
    if text is None:
        context.fail(
            f"no saved query called {node.name}", node.span, "this version cannot save queries yet: write it out"
        )
    if node.name in context.saved or len(context.saved) >= _MAX_SAVED_DEPTH:
        context.fail(f"the saved query {node.name} uses itself", node.span, " → ".join((*context.saved, node.name)))
    arguments = {argument.name: _argument(context, argument) for argument in node.arguments}
    inner = Context(
        text, context.vocabulary, arguments, context.now, context.unknown_keys, (*context.saved, node.name),
        context.notes, context.warnings,
    )  # fmt: skip
    try:
        parsed = parse(text)
        if parsed.as_of is not None:
            context.fail(
                f"the saved query {node.name} carries its own `as of`", node.span, "`as of` ends a whole query"
            )
        found = query(inner, parsed.query)
    except QueryMeaningError as error:
        if error.text == context.text:
            raise
        raise _inside(context, node, error) from error
    except QueryError as error:
        raise _inside(context, node, error) from error
    for unused in arguments.keys() - inner.used:
        near = did_you_mean(unused, inner.used)
        context.fail(f"@{node.name} has no parameter {unused}", node.span, f"did you mean {near}?" if near else None)
    return found


def _inside(context: Context, node: tree.Saved, error: QueryError) -> QueryMeaningError:
    return QueryMeaningError(
        f"in the saved query {node.name}: {error}", text=context.text, span=node.span, hint=error.hint
    )


def _argument(context: Context, argument: tree.Argument) -> object:
    if isinstance(argument.value, tree.Range):
        context.fail(
            "an argument is one value or a list", argument.span, "two arguments make a range: $a..$b in the saved query"
        )
    bounds = Conditions(context, Entity.FILES, relation).bounds(argument.value)
    values = [bound.value for bound in bounds]
    return values if isinstance(argument.value, tree.Choices) or len(values) != 1 else values[0]


def constant_of(context: Context, node: tree.Time) -> literals.Constant:
    """The time of `as of`."""
    return constant(context, node)
