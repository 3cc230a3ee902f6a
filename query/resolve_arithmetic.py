"""Arithmetic: what can be calculated with what, and what comes out. Constants are folded exactly."""

from __future__ import annotations

import math
from fractions import Fraction

from query import literals, names, tree
from query.asked_keys import AskedKeys
from query.context import Context
from query.errors import Span
from query.literals import BadLiteral, Dimension, FromOutside, Moment, Number
from query.resolved import Arithmetic, BuiltIn, Form, Metadata
from query.typed import Typed, of_constant, settled
from query.vocabulary import Entity

_INT64 = range(-(1 << 63), 1 << 63)


def calculated(context: Context, entity: Entity, node: tree.Arithmetic, left: Typed, right: Typed) -> Typed:
    """``left`` and ``right``, the operands of ``node``, put together."""
    left, right = settled(left, None), settled(right, None)
    as_times = _with_times(context, entity, node, left, right)
    if as_times is not None:
        return as_times
    return _numbers(context, entity, node.operator, left, right, node.span)


def _numbers(context: Context, entity: Entity, operator: str, left: Typed, right: Typed, span: Span) -> Typed:
    for side in (left, right):
        _must_be_number(context, entity, side, operator)
    dimension = _dimension(context, operator, left, right, span)
    if isinstance(left.value, Number) and isinstance(right.value, Number):
        folded = _folded(context, operator, left.value.value, right.value.value, span)
        return of_constant(Number(folded, dimension or Dimension.NONE), span)
    assert not isinstance(left.value, FromOutside) and not isinstance(right.value, FromOutside)
    return Typed(Arithmetic(operator, left.value, right.value, Form.NUMBER, dimension), Form.NUMBER, span, dimension)


def _must_be_number(context: Context, entity: Entity, side: Typed, operator: str) -> None:
    if isinstance(side.value, Metadata):
        _must_have(context, entity, side, Form.NUMBER)
        return
    if side.form is Form.NUMBER:
        return
    what = {Form.TEXT: "text", Form.BOOLEAN: "true or false", Form.TIME: "a time", Form.DIGEST: "a digest"}
    shown = what[side.form] if side.form is not None else "a list"
    context.fail(f"{operator} needs numbers, and this is {shown}", side.span)


def _must_have(context: Context, entity: Entity, side: Typed, form: Form) -> None:
    """What is calculated with has ``form``; a key of which no value has it would give nothing, and say nothing."""
    keys = AskedKeys(context, entity)
    keys.refuse_list(side)
    keys.ask(side, form, side.span, hint=f"calculations need {'times' if form is Form.TIME else 'numbers'}")


def _dimension(context: Context, operator: str, left: Typed, right: Typed, span: Span) -> Dimension | None:
    """What the result counts; None fits everything. Only like things can be added."""
    one, other = left.dimension, right.dimension
    if operator in "+-%":
        check_dimensions(context, one, other, span, operator)
        return other if one in (None, Dimension.NONE) else one
    plain = (None, Dimension.NONE)
    if operator == "*":
        return one if other in plain else other if one in plain else Dimension.NONE
    return one if other in plain else Dimension.NONE


def check_dimensions(
    context: Context, one: Dimension | None, other: Dimension | None, span: Span, operator: str
) -> None:
    """Sizes and durations do not mix; a plain number fits both."""
    if {one, other} == {Dimension.SIZE, Dimension.DURATION}:
        context.fail(f"{operator} of a size and a duration", span, "divide one by a unit: duration / 1 h")


def _folded(context: Context, operator: str, left: int | float, right: int | float, span: Span) -> int | float:
    if operator in "/%" and right == 0:
        context.fail("division by zero", span)
    try:
        result = _apply(operator, left, right)
    except OverflowError:
        result = math.inf
    if isinstance(result, int) and result not in _INT64:
        result = math.inf
    if not math.isfinite(result):
        context.fail("this number is out of range", span)
    return result


def _apply(operator: str, left: int | float, right: int | float) -> int | float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            quotient = Fraction(left) / Fraction(right)
            return quotient.numerator if quotient.denominator == 1 else left / right
        case _:
            return left % right


def _with_times(context: Context, entity: Entity, node: tree.Arithmetic, left: Typed, right: Typed) -> Typed | None:
    """Time plus or minus duration, time minus time; None if no time takes part."""
    left_time, right_time = _is_time(context, entity, left), _is_time(context, entity, right)
    if Form.TIME not in (left.form, right.form) and not (left_time and right_time):
        return None
    if node.operator == "-" and left_time and right_time:
        for side in (left, right):
            _must_have(context, entity, side, Form.TIME)
        return _difference(left, right, node.span)
    if node.operator == "+" and right_time and not left_time:
        left, right = right, left
    elif node.operator not in "+-" or not left_time:
        context.fail(
            f"{node.operator} does not work on times", node.span, "time - time, time + duration, time - duration"
        )
    if right.form is Form.TIME:
        context.fail("two times cannot be added", node.span)
    _must_have(context, entity, left, Form.TIME)
    _must_be_number(context, entity, right, node.operator)
    if not isinstance(right.value, Metadata) and right.dimension is not Dimension.DURATION:
        context.fail(
            "a time is moved by a duration, and this number has no unit", right.span, "write for example: now - 7 days"
        )
    return _moved(context, node, left, right)


def _is_time(context: Context, entity: Entity, side: Typed) -> bool:
    if isinstance(side.value, Metadata):
        known = names.known(context, entity, side.value)
        return known is not None and known.times > 0 and known.numbers == 0
    return side.form is Form.TIME


def _difference(left: Typed, right: Typed, span: Span) -> Typed:
    if isinstance(left.value, Moment) and isinstance(right.value, Moment):
        seconds = (left.value.start - right.value.start).total_seconds()
        return of_constant(Number(seconds, Dimension.DURATION), span)
    assert not isinstance(left.value, FromOutside) and not isinstance(right.value, FromOutside)
    difference = Arithmetic("time-", left.value, right.value, Form.NUMBER, Dimension.DURATION)
    return Typed(difference, Form.NUMBER, span, Dimension.DURATION)


def _moved(context: Context, node: tree.Arithmetic, left: Typed, right: Typed) -> Typed:
    if isinstance(left.value, Moment) and isinstance(right.value, Number):
        seconds = right.value.value if node.operator == "+" else -right.value.value
        try:
            return of_constant(literals.shifted(left.value, seconds), node.span)
        except BadLiteral as error:
            context.fail(str(error), node.span)
    assert not isinstance(left.value, FromOutside) and not isinstance(right.value, FromOutside)
    return Typed(Arithmetic(node.operator, left.value, right.value, Form.TIME, None), Form.TIME, node.span)


def signed(context: Context, entity: Entity, operator: str, operand: Typed, node: tree.Sign) -> Typed:
    """``operand`` with the sign of ``node``."""
    if operand.constant:
        assert not isinstance(operand.value, BuiltIn | Metadata | Arithmetic)
        return of_constant(negative(context, operator, operand.value, node), node.span)
    zero = Typed(Number(0), Form.NUMBER, node.span)
    return _numbers(context, entity, "+" if operator == "+" else "-", zero, operand, node.span)


def negative(context: Context, operator: str, found: literals.Constant, node: tree.Sign) -> literals.Constant:
    """A constant with the sign of ``node``; only numbers have one."""
    plain = found.reading if isinstance(found, FromOutside) else found
    if not isinstance(plain, Number):
        context.fail(f"{operator} needs a number", node.span)
    return plain if operator == "+" else Number(-plain.value, plain.dimension)
