"""Values: literals, parameters, names and arithmetic, each with what it can be compared as. Constants are folded
exactly.
"""

from __future__ import annotations

import math
from fractions import Fraction

from query import literals, names, resolved, tree
from query.asked_keys import AskedKeys
from query.context import NUMERIC, Context
from query.errors import Span
from query.frozen import Frozen, frozen
from query.literals import BadLiteral, Dimension, FromOutside, Moment, Number, TextValue, Truth
from query.resolved import Arithmetic, BuiltIn, Form, Metadata, Value
from query.vocabulary import Entity, FieldType

_INT64 = range(-(1 << 63), 1 << 63)
_AGGREGATES = ("count", "sum", "min", "max", "avg", "median")


@frozen
class Typed(Frozen):
    """A resolved value, where it was written, and what it is.

    ``form`` None: it answers in whatever form is asked (metadata), or a parameter's text whose meaning the other side
    decides. ``dimension`` None: fits every dimension.
    """

    value: Value | FromOutside
    form: Form | None
    span: Span
    dimension: Dimension | None = None

    @property
    def constant(self) -> bool:
        """True if no row takes part in it."""
        return isinstance(self.value, Number | TextValue | Truth | Moment | FromOutside)


_FIELD_FORMS = {
    FieldType.TEXT: Form.TEXT,
    FieldType.INTEGER: Form.NUMBER,
    FieldType.FLOAT: Form.NUMBER,
    FieldType.BOOLEAN: Form.BOOLEAN,
    FieldType.TIME: Form.TIME,
    FieldType.DIGEST: Form.DIGEST,
    FieldType.SIZE: Form.NUMBER,
    FieldType.DURATION: Form.NUMBER,
}
_FIELD_DIMENSIONS = {FieldType.SIZE: Dimension.SIZE, FieldType.DURATION: Dimension.DURATION}


def value(context: Context, entity: Entity, node: tree.Expression) -> Typed:
    """The value of an expression about a row of ``entity``. A condition where a value is meant is an error."""
    match node:
        case tree.Name():
            return field(context, entity, node)
        case tree.Arithmetic():
            return _arithmetic(context, entity, node)
        case tree.Sign(operator=operator, operand=operand):
            return _signed(context, entity, operator, value(context, entity, operand), node)
        case tree.Quantity() | tree.Text() | tree.Boolean() | tree.Time() | tree.Now() | tree.Parameter():
            return _of_constant(constant(context, node), node.span)
        case tree.Lookalike(written=written):
            from query import lookalikes  # only when something is wrong

            message, hint = lookalikes.glued(written)
            context.fail(message, node.span, hint)
        case tree.Call(function=function):
            if function.lower() in _AGGREGATES:
                context.fail(
                    f"{function} is about many rows", node.span, f"write it after summarize: summarize {function}(…)"
                )
            context.fail(
                f"no such function: {function}", node.span, "functions: " + ", ".join(_AGGREGATES) + " (in summarize)"
            )
        case _:
            pass
    hint = "compare fields and literals, not conditions"
    return context.fail("a condition stands where a value is expected", node.span, hint)


def constant(context: Context, node: tree.Expression) -> literals.Constant:
    """A literal, `now`, a parameter, or one of these with a sign. Bounds of lists and ranges are nothing else."""
    try:
        match node:
            case tree.Quantity(number=number, unit=unit):
                return literals.number(number, unit)
            case tree.Text(value=text):
                return context.checked(TextValue(text), node.span)
            case tree.Boolean(value=truth):
                return Truth(truth)
            case tree.Time(written=written, shape=shape):
                return literals.moment(written, shape)
            case tree.Now():
                return Moment(context.now)
            case tree.Parameter():
                return context.parameter(node)
            case tree.Sign(operator=operator, operand=operand):
                return _negative(context, operator, constant(context, operand), node)
            case _:
                raise AssertionError(f"no constant: {node!r}")
    except BadLiteral as error:
        context.fail(str(error), node.span, _as_name(context.text[slice(*node.span)], node, error.hint))


def _as_name(written: str, node: tree.Expression, hint: str | None) -> str | None:
    """The hint for a number whose unit is none: without a space between, `2mass_id` was rather meant as a name."""
    if not isinstance(node, tree.Quantity) or node.unit is None or written != f"{node.number}{node.unit}":
        return hint
    return f"a key of this name is quoted: `{written}`; {hint}"


def field(context: Context, entity: Entity, node: tree.Name) -> Typed:
    """A field with its form; a list field has none that a comparison could ask for."""
    found = names.field(context, entity, node)
    if isinstance(found, Metadata):
        return Typed(found, None, node.span)
    dimension = _FIELD_DIMENSIONS.get(found.type, Dimension.NONE if found.type in NUMERIC else None)
    return Typed(found, _FIELD_FORMS.get(found.type), node.span, dimension)


def _of_constant(found: literals.Constant, span: Span) -> Typed:
    match found:
        case Number(dimension=dimension):
            return Typed(found, Form.NUMBER, span, None if dimension is Dimension.NONE else dimension)
        case TextValue():
            return Typed(found, Form.TEXT, span)
        case Truth():
            return Typed(found, Form.BOOLEAN, span)
        case Moment():
            return Typed(found, Form.TIME, span)
        case FromOutside():
            return Typed(found, None, span)


def settled(typed: Typed, other: Form | None) -> Typed:
    """A parameter's text as text where only text fits, else as the literal that it reads like."""
    if not isinstance(typed.value, FromOutside):
        return typed
    if other in (Form.TEXT, Form.DIGEST):
        return Typed(TextValue(typed.value.text), Form.TEXT, typed.span)
    return _of_constant(typed.value.reading, typed.span)


def _negative(context: Context, operator: str, found: literals.Constant, node: tree.Sign) -> literals.Constant:
    plain = found.reading if isinstance(found, FromOutside) else found
    if not isinstance(plain, Number):
        context.fail(f"{operator} needs a number", node.span)
    return plain if operator == "+" else Number(-plain.value, plain.dimension)


def _signed(context: Context, entity: Entity, operator: str, operand: Typed, node: tree.Sign) -> Typed:
    if operand.constant:
        assert not isinstance(operand.value, BuiltIn | Metadata | Arithmetic)
        return _of_constant(_negative(context, operator, operand.value, node), node.span)
    zero = Typed(Number(0), Form.NUMBER, node.span)
    return _numbers(context, entity, "+" if operator == "+" else "-", zero, operand, node.span)


def _arithmetic(context: Context, entity: Entity, node: tree.Arithmetic) -> Typed:
    left = settled(value(context, entity, node.left), None)
    right = settled(value(context, entity, node.right), None)
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
        return _of_constant(Number(folded, dimension or Dimension.NONE), span)
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
        return _of_constant(Number(seconds, Dimension.DURATION), span)
    assert not isinstance(left.value, FromOutside) and not isinstance(right.value, FromOutside)
    difference = Arithmetic("time-", left.value, right.value, Form.NUMBER, Dimension.DURATION)
    return Typed(difference, Form.NUMBER, span, Dimension.DURATION)


def _moved(context: Context, node: tree.Arithmetic, left: Typed, right: Typed) -> Typed:
    if isinstance(left.value, Moment) and isinstance(right.value, Number):
        seconds = right.value.value if node.operator == "+" else -right.value.value
        try:
            return _of_constant(literals.shifted(left.value, seconds), node.span)
        except BadLiteral as error:
            context.fail(str(error), node.span)
    assert not isinstance(left.value, FromOutside) and not isinstance(right.value, FromOutside)
    return Typed(Arithmetic(node.operator, left.value, right.value, Form.TIME, None), Form.TIME, node.span)


def plain(typed: Typed) -> resolved.Value:
    """The value for where no other side decides what a parameter means."""
    found = settled(typed, None).value
    assert not isinstance(found, FromOutside)
    return found
