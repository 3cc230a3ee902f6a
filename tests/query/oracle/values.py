"""What an expression is worth for a row."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from query import tree
from tests.query.oracle.entities import elements
from tests.query.oracle.kinds import Given, Kinds, settled
from tests.query.oracle.scalars import (
    MISSING,
    Forms,
    Refused,
    built_in,
    calculate,
    moment,
    number_of,
    quantity,
    reading,
    shifted,
    stored,
)
from tests.query.oracle.things import PATHS, Thing

Of = Callable[[Thing], Forms]


@dataclass(slots=True)
class Values:
    """Makes functions of a row from expressions. What `Kinds` refuses is refused when the function is made."""

    kinds: Kinds
    now: dt.datetime

    def of(self, node: Any) -> Of:
        """The forms of a value; a list has none."""
        self.kinds.of(node)
        match node:
            case tree.Name():
                listed = self.listed(node)
                return lambda thing: _only(listed(thing))
            case tree.Sign(operator=operator, operand=operand):
                return self.signed(operator, operand)
            case tree.Arithmetic():
                return self.arithmetic(node)
            case _:
                found = self.constant(node)
                return lambda thing: found

    def constant(self, node: Any) -> Forms:
        """A literal. The text of a parameter has its own form beside that of the literal that it reads like."""
        match node:
            case tree.Quantity(number=number, unit=unit):
                return Forms(number=quantity(number, unit)[0])
            case tree.Text(value=text):
                return Forms(text=text)
            case tree.Boolean(value=truth):
                return Forms(truth=truth)
            case tree.Time(written=written):
                return moment(written)
            case tree.Now():
                return Forms(time=self.now)
            case tree.Parameter(name=name):
                return given(self.kinds.parameters[name])
            case tree.Sign(operator=operator, operand=operand):
                found = self.constant(operand)
                assert found.number is not None
                return Forms(number=-found.number if operator == "-" else found.number)
            case _:
                raise AssertionError(node)

    def listed(self, name: tree.Name) -> Callable[[Thing], list[Forms] | Forms | None]:
        """None: missing. A list: what it has, maybe nothing."""
        path, entity, key, metadata = self.kinds.target(name)
        kind = None if metadata else self.kinds.state.types[entity][key]

        def found(thing: Thing) -> list[Forms] | Forms | None:
            at: Thing | None = thing
            for step in path:
                assert at is not None
                link = at.links[step]
                at = None if link is None else self.kinds.state.things[PATHS[at.entity][step]].get(link)
                if at is None:
                    return None
            assert at is not None
            if kind is None:
                said = at.metadata.get(key)
                if isinstance(said, tuple):
                    return [stored(each) for each in elements(said)]
                return next((stored(each) for each in elements(said)), None)
            value = at.fields[key]
            if kind == "texts":
                return [Forms(text=each) for each in value] if value else None
            return None if value is None else built_in(kind, value)

        return found

    def missing(self, node: Any) -> Callable[[Thing], bool]:
        """Whether there is no value; a list is one."""
        kind = self.kinds.of(node)
        if kind.constant:
            raise Refused("a literal is never missing")
        if isinstance(node, tree.Name):
            listed = self.listed(node)
            return lambda thing: listed(thing) is None
        value = self.of(node)
        return lambda thing: value(thing).missing

    # ---- arithmetic -------------------------------------------------------------------------------------------------

    def signed(self, operator: str, operand: Any) -> Of:
        """`-x` is `0 - x`."""
        value, constant = self.of(operand), self.kinds.of(operand).constant
        if constant:
            found = self.constant(tree.Sign(operator, operand)) if not isinstance(operand, tree.Arithmetic) else None
            return lambda thing: found or _numbers(operator, Forms(number=0), value(thing))
        return lambda thing: _numbers(operator, Forms(number=0), value(thing))

    def arithmetic(self, node: tree.Arithmetic) -> Of:
        """Numbers and times; literals among themselves exactly, and what they cannot give is refused."""
        left, right = self.of(node.left), self.of(node.right)
        one, other = settled(self.kinds.of(node.left), None), settled(self.kinds.of(node.right), None)
        times = self.kinds.of(node).form == "time"
        difference = not times and (
            one.form == "time" or (one.metadata and other.form == "time") or self.both_times(one, other)
        )
        if one.constant and other.constant:
            found = _folded(node.operator, left, right, times, difference)
            return lambda thing: found
        if difference:
            return lambda thing: _difference(left(thing), right(thing))
        if times:
            return lambda thing: _moved(node.operator, left(thing), right(thing), other.form == "time")
        return lambda thing: _numbers(node.operator, left(thing), right(thing))

    def both_times(self, one: Any, other: Any) -> bool:
        """Two keys that hold times."""
        return all(kind.metadata and kind.has["time"] and not kind.has["number"] for kind in (one, other))


def given(value: Any) -> Forms:
    """A value from outside."""
    match value:
        case Given(forms=forms):
            return forms
        case bool():
            return Forms(truth=value)
        case int() | float():
            return Forms(number=value)
        case str():
            found = reading(value)
            return Forms(text=value) if found is None else replace(found[0], text=value)
        case _:
            return Forms(time=value)


def _only(found: list[Forms] | Forms | None) -> Forms:
    return found if isinstance(found, Forms) else MISSING


def _numbers(operator: str, left: Forms, right: Forms) -> Forms:
    if left.number is None or right.number is None:
        return MISSING
    return Forms(number=calculate(operator, left.number, right.number))


def _difference(left: Forms, right: Forms) -> Forms:
    if left.time is None or right.time is None:
        return MISSING
    return Forms(number=(left.time - right.time) // dt.timedelta(microseconds=1) / 1e6)


def _moved(operator: str, left: Forms, right: Forms, time_last: bool) -> Forms:
    when, by = (right, left) if time_last and left.time is None else (left, right)
    if when.time is None or by.number is None or not math.isfinite(by.number):
        return MISSING
    return shifted(when, by.number if operator == "+" else -by.number)


def _folded(operator: str, left: Of, right: Of, times: bool, difference: bool) -> Forms:
    """Two literals; nothing that they give is missing: it would be missing in every row."""
    nowhere = Thing("", (), {}, ())
    one, other = left(nowhere), right(nowhere)
    if difference:
        found = _difference(one, other)
    elif times:
        found = _moved(operator, one, other, time_last=one.time is None)
    elif operator == "/" and other.number:
        assert one.number is not None
        found = Forms(number=number_of(Fraction(one.number) / Fraction(other.number)))
    else:
        found = _numbers(operator, one, other)
    if found.missing:
        raise Refused("out of range")
    return found
