"""Values: literals, parameters, names and what is computed of them, each with what it can be compared as."""

from __future__ import annotations

from query import literals, names, tree
from query.backticks import quoted
from query.context import NUMERIC, Context
from query.literals import BadLiteral, Dimension, Moment, TextValue, Truth
from query.resolve_arithmetic import calculated, negative, signed
from query.resolved import Form, Metadata
from query.typed import Typed, of_constant
from query.vocabulary import Entity, FieldType

_AGGREGATES = ("count", "sum", "min", "max", "avg", "median")
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
        case tree.Arithmetic(left=left, right=right):
            return calculated(context, entity, node, value(context, entity, left), value(context, entity, right))
        case tree.Sign(operator=operator, operand=operand):
            return signed(context, entity, operator, value(context, entity, operand), node)
        case tree.Quantity() | tree.Text() | tree.Boolean() | tree.Time() | tree.Now() | tree.Parameter():
            return of_constant(constant(context, node), node.span)
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
                return negative(context, operator, constant(context, operand), node)
            case _:
                raise AssertionError(f"no constant: {node!r}")
    except BadLiteral as error:
        context.fail(str(error), node.span, _as_name(context.text[slice(*node.span)], node, error.hint))


def _as_name(written: str, node: tree.Expression, hint: str | None) -> str | None:
    """The hint for a number whose unit is none: without a space between, `2mass_id` was rather meant as a name."""
    if not isinstance(node, tree.Quantity) or node.unit is None or written != f"{node.number}{node.unit}":
        return hint
    return f"a key of this name is quoted: {quoted(written)}; {hint}"


def field(context: Context, entity: Entity, node: tree.Name) -> Typed:
    """A field with its form; a list field has none that a comparison could ask for."""
    found = names.field(context, entity, node)
    if isinstance(found, Metadata):
        return Typed(found, None, node.span)
    dimension = _FIELD_DIMENSIONS.get(found.type, Dimension.NONE if found.type in NUMERIC else None)
    return Typed(found, _FIELD_FORMS.get(found.type), node.span, dimension)
