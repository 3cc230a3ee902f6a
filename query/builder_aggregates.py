"""Aggregates of queries made in Python."""

from __future__ import annotations

from query import tree
from query.builder_values import Value


class Aggregates:
    """``agg.count()``, ``agg.sum(F.size)``, and so on: one method for each aggregate of the language."""

    def count(self, value: Value | None = None) -> Value:
        """Rows; with ``value``, those that have it."""
        return _call("count", value)

    def sum(self, value: Value) -> Value:
        """The sum."""
        return _call("sum", value)

    def min(self, value: Value) -> Value:
        """The least."""
        return _call("min", value)

    def max(self, value: Value) -> Value:
        """The greatest."""
        return _call("max", value)

    def avg(self, value: Value) -> Value:
        """The mean."""
        return _call("avg", value)

    def median(self, value: Value) -> Value:
        """The median."""
        return _call("median", value)


agg = Aggregates()


def _call(function: str, value: Value | None) -> Value:
    return Value(tree.Call(function, value is None, () if value is None else (value.node,)))
