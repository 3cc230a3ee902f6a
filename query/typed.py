"""A resolved value with what it can be compared as, before the other side of the comparison decides."""

from __future__ import annotations

from query import literals
from query.errors import Span
from query.frozen import Frozen, frozen
from query.literals import Dimension, FromOutside, Moment, Number, TextValue, Truth
from query.resolved import Form, Value


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


def of_constant(found: literals.Constant, span: Span) -> Typed:
    """A constant as the value that it is."""
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
    return of_constant(typed.value.reading, typed.span)


def plain(typed: Typed) -> Value:
    """The value for where no other side decides what a parameter means."""
    found = settled(typed, None).value
    assert not isinstance(found, FromOutside)
    return found
