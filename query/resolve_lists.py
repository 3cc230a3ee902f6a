"""Lists and ranges of a condition: the values in them, each with its form, and how many there may be."""

from __future__ import annotations

from query import literals, tree
from query.context import Context
from query.errors import Span
from query.literals import Dimension, Moment, Number, TextValue, Truth
from query.resolve_values import constant
from query.resolved import Form
from query.typed import Typed

MOST_TIMES = 500
MOST_LOOKS = 100
"""What `query.limits` says of conditions, and of those with `has`."""

_FORMS = {Number: Form.NUMBER, TextValue: Form.TEXT, Truth: Form.BOOLEAN, Moment: Form.TIME}


def bounds(context: Context, choices: tree.Choices | tree.Range | tree.Expression) -> list[Typed]:
    """The values of a list; a parameter may hold a list itself."""
    nodes = choices.bounds if isinstance(choices, tree.Choices) else (choices,)
    found: list[Typed] = []
    for node in nodes:
        if isinstance(node, tree.Parameter) and literals.is_list(context.handed_over(node)):
            items = context.handed_over(node)
            found.extend(_typed(context.constant(item, node), node.span) for item in _in_order(items))
        else:
            assert not isinstance(node, tree.Range)
            found.append(bound(context, node))
    return found


def bound(context: Context, node: tree.Expression) -> Typed:
    """One bound of a range or list."""
    return _typed(constant(context, node), node.span)


def refuse_many(context: Context, count: int, limit: int, what: str, span: Span) -> None:
    """Where each value of a list is a condition of its own, there can be as many as there can be conditions."""
    if count > limit:
        context.fail(f"{count} {what}; the limit is {limit}", span, "ask in several queries")


def _typed(found: literals.Constant, span: Span) -> Typed:
    """A constant with its form; a parameter's text stays open."""
    dimension = found.dimension if isinstance(found, Number) and found.dimension is not Dimension.NONE else None
    return Typed(found, _FORMS.get(type(found)), span, dimension)


def _in_order(items: object) -> list[object]:
    """The items in the order given; of a set, in a fixed one: the text of the SQL must not depend on hashing."""
    if isinstance(items, set | frozenset):
        return sorted(items, key=repr)
    assert isinstance(items, list | tuple) or literals.is_list(items)
    return list(items)  # type: ignore[call-overload, no-any-return]
