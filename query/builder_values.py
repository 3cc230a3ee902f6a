"""Parts of queries made in Python: fields, literals, conditions, columns. `query.builder` makes queries of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NoReturn

from query import builder_literals, tree
from query import format as text_of
from query.errors import QueryError
from query.frozen import Frozen, frozen

Plain = str | bool | int | float | dt.date | dt.timedelta
"""What stands for a value of the language; a datetime is a date, too."""


class Term:
    """Something with a place in an expression. It has no truth value: Python would throw half of the query away."""

    __slots__ = ("node",)

    def __init__(self, node: tree.Expression) -> None:
        self.node = node

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "join conditions with & | ~, each in parentheses; for `in` there is in_(…), for a < b < c between"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {text_of.format_expression(self.node)}>"

    def as_(self, name: str) -> Item:
        """A column called ``name``."""
        if not isinstance(name, str) or not name:
            raise unexpected("as_()", "a name", name)
        return Item(tree.Item(self.node, tree.Part(name, quoted=not name.isidentifier())))


class Condition(Term):
    """What holds of a row or not."""

    def __and__(self, other: Condition) -> Condition:
        return Condition(tree.And((*operands_of(self, tree.And), *operands_of(other, tree.And))))

    def __or__(self, other: Condition) -> Condition:
        return Condition(tree.Or((*operands_of(self, tree.Or), *operands_of(other, tree.Or))))

    def __invert__(self) -> Condition:
        return Condition(tree.Not(node_of(self)))


class Value(Term):
    """A field, a literal, or what is computed from them."""

    __hash__ = None  # type: ignore[assignment]  # equality is a condition here

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("=", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: Value | Plain) -> Condition:
        return self._compare("<", other)

    def __le__(self, other: Value | Plain) -> Condition:
        return self._compare("<=", other)

    def __gt__(self, other: Value | Plain) -> Condition:
        return self._compare(">", other)

    def __ge__(self, other: Value | Plain) -> Condition:
        return self._compare(">=", other)

    def __add__(self, other: Value | Plain) -> Value:
        return Value(tree.Arithmetic("+", self.node, node_of(other)))

    def __radd__(self, other: Plain) -> Value:
        return Value(tree.Arithmetic("+", node_of(other), self.node))

    def __sub__(self, other: Value | Plain) -> Value:
        return Value(tree.Arithmetic("-", self.node, node_of(other)))

    def __rsub__(self, other: Plain) -> Value:
        return Value(tree.Arithmetic("-", node_of(other), self.node))

    def __mul__(self, other: Value | Plain) -> Value:
        return Value(tree.Arithmetic("*", self.node, node_of(other)))

    def __rmul__(self, other: Plain) -> Value:
        return Value(tree.Arithmetic("*", node_of(other), self.node))

    def __truediv__(self, other: Value | Plain) -> Value:
        return Value(tree.Arithmetic("/", self.node, node_of(other)))

    def __rtruediv__(self, other: Plain) -> Value:
        return Value(tree.Arithmetic("/", node_of(other), self.node))

    def __mod__(self, other: Value | Plain) -> Value:
        return Value(tree.Arithmetic("%", self.node, node_of(other)))

    def __neg__(self) -> Value:
        return Value(tree.Sign("-", self.node))

    def in_(self, *values: Value | Plain) -> Condition:
        """`x in (a, b, …)`; one parameter may hold a list, one month or day stands for all of it."""
        return Condition(tree.In(self.node, choices_of(values)))

    def in_range(self, low: Value | Plain, high: Value | Plain) -> Condition:
        """`x in low..high`, both ends included, of literals."""
        return Condition(tree.In(self.node, tree.Range(node_of(low), node_of(high))))

    def between(self, low: Value | Plain, high: Value | Plain) -> Condition:
        """Both ends included."""
        return Condition(tree.Between(self.node, node_of(low), node_of(high)))

    def like(self, pattern: str | Value) -> Condition:
        """A glob over the whole text."""
        return Condition(tree.Like(self.node, _pattern("like()", pattern)))

    def matches(self, pattern: str | Value) -> Condition:
        """An RE2 search."""
        return Condition(tree.Matches(self.node, _pattern("matches()", pattern)))

    def is_missing(self) -> Condition:
        """There is no value."""
        return Condition(tree.Is(self.node, True))

    def is_present(self) -> Condition:
        """There is a value."""
        return Condition(tree.Is(self.node, False))

    def has(self, value: Value | Plain) -> Condition:
        """The list holds ``value``."""
        return Condition(tree.Has(self.node, None, node_of(value)))

    def has_any(self, *values: Value | Plain) -> Condition:
        """The list holds one of ``values`` at least."""
        return Condition(tree.Has(self.node, "any", choices_of(values)))

    def has_all(self, *values: Value | Plain) -> Condition:
        """The list holds all of ``values``."""
        return Condition(tree.Has(self.node, "all", choices_of(values)))

    def is_true(self) -> Condition:
        """The bool form of the value is true: a bare key as a condition."""
        return Condition(self.node)

    def asc(self) -> Sort:
        """Ascending."""
        return Sort(tree.Sort(self.node, False))

    def desc(self) -> Sort:
        """Descending."""
        return Sort(tree.Sort(self.node, True))

    def _compare(self, operator: str, other: object) -> Condition:
        return Condition(tree.Compare(operator, self.node, node_of(other)))


class Field(Value):
    """A field or key: ``F.job.site``, ``F.job["exposure id"]``."""

    def __getattr__(self, name: str) -> Field:
        return self._with(_part(name))

    def __getitem__(self, key: str) -> Field:
        return self._with(_key(key))

    def _with(self, part: tree.Part) -> Field:
        assert isinstance(self.node, tree.Name)
        return Field(tree.Name((*self.node.parts, part)))


class Fields:
    """Where fields come from: ``F.size``, ``F.qc.score``, ``F["exposure id"]``."""

    def __getattr__(self, name: str) -> Field:
        return Field(tree.Name((_part(name),)))

    def __getitem__(self, key: str) -> Field:
        return Field(tree.Name((_key(key),)))


F = Fields()
now = Value(tree.Now())
everything = tree.Everything()
"""`*` of `show *`."""


@frozen
class Item(Frozen):
    """A column with a name of its own."""

    node: tree.Item


@frozen
class Sort(Frozen):
    """What to sort by, and which way."""

    node: tree.Sort


def _part(name: str) -> tree.Part:
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)  # Python asks objects for names like these: none is a field
    return tree.Part(name)


def _key(key: object) -> tree.Part:
    """A key in brackets. Python hands numbers over, one after the other, when it is asked what is `in` a field."""
    if not isinstance(key, str) or not key:
        raise unexpected("F[…]", "the name of a key", key)
    return tree.Part(key, quoted=True)


def _pattern(where: str, pattern: object) -> tree.Text | tree.Parameter:
    node = node_of(pattern) if isinstance(pattern, str | Value) else None
    if not isinstance(node, tree.Text | tree.Parameter):
        raise unexpected(where, "a pattern as a text, or param(…)", pattern)
    return node


def unexpected(where: str, expected: str, found: object) -> TypeError:
    """What a wrong argument is answered with."""
    return TypeError(f"{where} takes {expected}, found {found!r}")


def operands_of(condition: Condition, kind: type[tree.And | tree.Or]) -> tuple[tree.Expression, ...]:
    """What ``condition`` joins, if it is of ``kind``; else itself. TypeError for what is no condition."""
    if not isinstance(condition, Condition):
        raise TypeError(f"a condition is expected here, found {condition!r}: put comparisons in parentheses")
    return condition.node.operands if isinstance(condition.node, kind) else (condition.node,)


def choices_of(values: Iterable[Value | Plain]) -> Any:
    """A list of values; a parameter or a time that is alone stands for several itself."""
    nodes = tuple(map(node_of, values))
    if not nodes:
        raise QueryError("an empty list matches nothing: hand one over as a parameter if it may be empty")
    alone = len(nodes) == 1 and isinstance(nodes[0], tree.Parameter | tree.Time)
    return nodes[0] if alone else tree.Choices(nodes)


def node_of(value: object) -> tree.Expression:
    """The tree of a term, or of a literal. QueryError for what no literal stands for."""
    return value.node if isinstance(value, Term) else builder_literals.literal(value)


def param(name: str) -> Value:
    """`$name`: its value is handed over with the query."""
    if not isinstance(name, str):
        raise unexpected("param()", "the name of a parameter", name)
    return Value(tree.Parameter(name.removeprefix("$")))


def quantity(number: int | float, unit: str) -> Value:
    """A number with its unit: ``quantity(2, "GiB")``, ``quantity(7, "days")``."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise unexpected("quantity()", "a number and its unit", number)
    return Value(builder_literals.number(number, unit))


def month(year: int, number: int) -> Value:
    """A whole month."""
    return Value(tree.Time(f"{year:04d}-{number:02d}", tree.TimeShape.MONTH))
