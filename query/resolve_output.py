"""What is shown: columns of rows, or one row for each group."""

from __future__ import annotations

from query import format as text_of
from query import resolved, tree
from query.context import Context
from query.errors import Span, did_you_mean
from query.resolve_conditions import Conditions
from query.resolve_values import field, value
from query.resolved import AllMetadata, BuiltIn, Column, Form, Metadata
from query.typed import plain
from query.vocabulary import Entity, FieldType

_FUNCTIONS = ("count", "sum", "min", "max", "avg", "median")
_CONDITIONS = (
    tree.And | tree.Or | tree.Not | tree.Compare | tree.In | tree.Between | tree.Like | tree.Matches | tree.Is
    | tree.Has | tree.Relation
)  # fmt: skip


def default_columns(context: Context, entity: Entity) -> tuple[Column, ...]:
    """The main fields of an entity."""
    table = context.table(entity)
    return tuple(_built_in(table.fields[name].type, name) for name in table.show)


def _built_in(kind: FieldType, name: str) -> Column:
    return Column(name, BuiltIn((), name, kind, name))


def every_column(context: Context, entity: Entity) -> tuple[Column, ...]:
    """What `show *` shows: all built-in fields, and all metadata as one object."""
    table = context.table(entity)
    found = tuple(_built_in(each.type, name) for name, each in table.fields.items())
    return found if table.metadata is None else (*found, Column("metadata", AllMetadata()))


def columns(conditions: Conditions, show: tree.Show, everything: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns of `show`, where `*` is ``everything``; two of one name are an error, since rows are objects keyed by
    name.
    """
    context, found = conditions.context, list[Column]()
    for item in show.items:
        if isinstance(item, tree.Everything):
            found.extend(everything)
        else:
            found.append(Column(_name(item), _content(conditions, item.operand)))
        names = [column.name for column in found]
        _refuse_twice(context, names, item.span)
    return tuple(found)


def _refuse_twice(context: Context, names: list[str], span: Span) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            context.fail(f"two columns called {name}", span, "give one of them another name: … as other")


def _name(item: tree.Item) -> str:
    if item.name is not None:
        return item.name.text
    if isinstance(item.operand, tree.Name):
        return ".".join(part.text for part in item.operand.parts)
    return text_of.format_expression(item.operand)


def _content(conditions: Conditions, node: tree.Expression) -> resolved.Value | resolved.Condition:
    if isinstance(node, _CONDITIONS):
        return conditions.condition(node)
    return plain(value(conditions.context, conditions.entity, node))


def summary(conditions: Conditions, clause: tree.Summarize) -> resolved.Summary:
    """Groups and aggregates of `summarize`."""
    groups = []
    for name in clause.by:
        typed = field(conditions.context, conditions.entity, name)
        conditions.keys.refuse_list(typed)
        conditions.keys.warn_lists(typed)
        assert isinstance(typed.value, BuiltIn | Metadata)
        groups.append(Column(typed.value.label, typed.value))
    aggregates = tuple(_aggregate(conditions, item) for item in clause.items)
    names = [*(group.name for group in groups), *(each.name for each in aggregates)]
    _refuse_twice(conditions.context, names, clause.span)
    return resolved.Summary(tuple(groups), aggregates)


def _aggregate(conditions: Conditions, item: tree.Item | tree.Everything) -> resolved.Aggregate:
    context = conditions.context
    if isinstance(item, tree.Everything) or not isinstance(item.operand, tree.Call):
        context.fail("summarize takes aggregates", item.span, "for example: summarize count(*), sum(size) by site")
    call = item.operand
    function = call.function.lower()
    if function not in _FUNCTIONS:
        near = did_you_mean(function, _FUNCTIONS)
        context.fail(
            f"no such function: {call.function}", call.span, f"did you mean {near}?" if near else ", ".join(_FUNCTIONS)
        )
    if call.star and function == "count":
        return resolved.Aggregate(_name(item), function, None)
    if call.star or len(call.arguments) != 1:
        context.fail(f"{function} takes one value", call.span, f"for example: {function}(size)")
    typed = conditions.value(call.arguments[0])
    if typed.constant:
        context.fail("an aggregate of the same value for every row", call.arguments[0].span, "count(*) counts rows")
    conditions.keys.refuse_list(typed)
    conditions.keys.warn_lists(typed)
    operand = plain(typed)
    if function in ("sum", "avg", "median"):
        if isinstance(operand, Metadata):
            conditions.keys.ask(typed, Form.NUMBER, call.arguments[0].span, hint="count, min and max take anything")
        elif typed.form is not Form.NUMBER:
            context.fail(f"{function} needs numbers", call.arguments[0].span, "count, min and max take anything")
    elif isinstance(operand, Metadata) and function != "count":
        conditions.keys.warn_order(operand)
    return resolved.Aggregate(_name(item), function, operand)
