"""The type of each column of an answer."""

from __future__ import annotations

from typing import Literal

from query.literals import Dimension, Moment, Number, TextValue
from query.resolved import AllMetadata, Arithmetic, BuiltIn, Condition, Form, Metadata, Value
from query.vocabulary import FieldType

ColumnType = FieldType | Literal["metadata", "metadata value"]


def column_type(content: Value | Condition | AllMetadata) -> ColumnType:
    """What a shown column holds; a condition is shown as true or false."""
    match content:
        case AllMetadata():
            return "metadata"
        case Metadata():
            return "metadata value"
        case BuiltIn(type=kind):
            return kind
        case Number(value=value, dimension=dimension):
            return _number(dimension, whole=isinstance(value, int))
        case Arithmetic(form=Form.NUMBER, dimension=dimension):
            return _number(dimension, whole=always_whole(content))
        case Arithmetic() | Moment():
            return FieldType.TIME
        case TextValue():
            return FieldType.TEXT
        case _:
            return FieldType.BOOLEAN


def aggregate_type(function: str, operand: object) -> ColumnType:
    """What an aggregate gives; metadata is grouped by its text form."""
    if function == "count":
        return FieldType.INTEGER
    match operand:
        case BuiltIn(type=FieldType.INTEGER | FieldType.SIZE as kind) if function in ("sum", "min", "max"):
            return kind
        case BuiltIn(type=kind) if function in ("min", "max"):
            return kind
        case Metadata(sorts_as=Form.TIME) | Arithmetic(form=Form.TIME) if function in ("min", "max"):
            return FieldType.TIME
        case Metadata(sorts_as=Form.TEXT) if function in ("min", "max"):
            return FieldType.TEXT
        case BuiltIn(type=FieldType.DURATION) | Arithmetic(dimension=Dimension.DURATION):
            return FieldType.DURATION
        case _:
            return FieldType.FLOAT


def may_be_whole(function: str, operand: object) -> bool:
    """True if an aggregate of numbers is an integer in some groups and a double in others."""
    return function in ("sum", "min", "max") and (
        isinstance(operand, Metadata | Arithmetic)
        and aggregate_type(function, operand) in (FieldType.FLOAT, FieldType.DURATION)
    )


def always_whole(value: Value) -> bool:
    """True if a number is an integer in every row."""
    match value:
        case BuiltIn(type=FieldType.INTEGER | FieldType.SIZE):
            return True
        case Number(value=number):
            return isinstance(number, int)
        case Arithmetic(operator=operator, left=left, right=right) if operator in ("+", "-", "*", "%"):
            return always_whole(left) and always_whole(right)
        case _:
            return False


def _number(dimension: Dimension | None, *, whole: bool) -> FieldType:
    if dimension is Dimension.DURATION:
        return FieldType.DURATION
    if not whole:
        return FieldType.FLOAT
    return FieldType.SIZE if dimension is Dimension.SIZE else FieldType.INTEGER
