"""Aggregates: one value of many rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from query import tree
from tests.query.oracle.kinds import Kind
from tests.query.oracle.scalars import HIGHEST, LOWEST, Refused
from tests.query.oracle.sets import sorting_form
from tests.query.oracle.things import Thing
from tests.query.oracle.values import Values

FUNCTIONS = ("count", "sum", "min", "max", "avg", "median")


def aggregate_of(values: Values, item: tree.Item | tree.Everything) -> Callable[[list[Thing]], Any]:
    if isinstance(item, tree.Everything) or not isinstance(item.operand, tree.Call):
        raise Refused("summarize takes aggregates")
    call = item.operand
    function = call.function.lower()
    if function not in FUNCTIONS:
        raise Refused(f"no such function: {function}")
    if call.star and function == "count":
        return len
    if call.star or len(call.arguments) != 1:
        raise Refused("one value")
    operand = call.arguments[0]
    kind = values.kinds.of(operand)
    if kind.many or kind.constant:
        raise Refused("lists have no aggregates, and what is the same for all needs none")
    if function == "count":
        missing = values.missing(operand)
        return lambda things: sum(not missing(thing) for thing in things)
    form = "number"
    if function in ("min", "max"):
        form = sorting_form(kind.has) if kind.has is not None else kind.form or ""
    else:
        values.kinds.ask(kind, "number")
    value = values.of(operand)

    def aggregate(things: list[Thing]) -> Any:
        found = [getattr(value(thing), form) for thing in things]
        folded = _folded(function, [each for each in found if each is not None])
        return bytes.fromhex(folded) if form == "digest" and folded is not None else folded

    return aggregate


def _folded(function: str, found: list[Any]) -> Any:
    """Of what is there; of nothing it is missing. Not-a-number has no place in an order, and spoils a sum."""
    odd = [each for each in found if isinstance(each, float) and math.isnan(each)]
    if function in ("min", "max"):
        found = [each for each in found if each not in odd and each == each]
        return None if not found else min(found) if function == "min" else max(found)
    if not found:
        return None
    if odd:
        return math.nan
    if function == "sum":
        whole = all(isinstance(each, int) for each in found)
        total = sum(found) if whole else _sum(found)
        return None if whole and not LOWEST <= total <= HIGHEST else total
    if function == "avg":
        return _sum(found) / len(found)
    return statistics.median(sorted(map(float, found)))


def _sum(found: list[Any]) -> float:
    return math.nan if {math.inf, -math.inf} <= set(found) else math.fsum(found)


def type_of(values: Values, item: tree.Item) -> str:
    """The type of an aggregate, which later conditions are about."""
    assert isinstance(item.operand, tree.Call)
    function = item.operand.function.lower()
    if function == "count":
        return "integer"
    operand = item.operand.arguments[0]
    kind = values.kinds.of(operand)
    if isinstance(operand, tree.Name) and not kind.metadata:
        _, entity, name, _ = values.kinds.target(operand)
        built_in = values.kinds.state.types[entity][name]
        if function in ("min", "max") or (function == "sum" and built_in in ("integer", "size")):
            return built_in
    return _calculated(function, kind)


def _calculated(function: str, kind: Kind) -> str:
    form = sorting_form(kind.has) if kind.has is not None else kind.form
    if function in ("min", "max") and form in ("time", "text"):
        return form
    return "duration" if kind.dimension == "duration" else "float"
