"""Values of Python as literals of the language."""

from __future__ import annotations

import datetime as dt
import math

from query import tree
from query.errors import QueryError


def literal(value: object) -> tree.Expression:
    """The literal for ``value``. QueryError for what none stands for."""
    match value:
        case bool():
            return tree.Boolean(value)
        case int() | float():
            return number(value)
        case str():
            return tree.Text(value)
        case dt.datetime():
            if value.tzinfo is None:
                raise QueryError(f"a time without a time zone: {value.isoformat()}", hint="give it tzinfo=datetime.UTC")
            return tree.Time(value.astimezone(dt.UTC).isoformat(), tree.TimeShape.INSTANT)
        case dt.date():
            return tree.Time(value.isoformat(), tree.TimeShape.DAY)
        case dt.timedelta():
            return _seconds(value)
        case _:
            hint = "a missing value: is_missing()" if value is None else None
            raise QueryError(f"no literal stands for a value like this: {value!r}", hint=hint)


def number(value: int | float, unit: str | None = None) -> tree.Expression:
    """A number, with a unit if there is one. QueryError for infinity and NaN."""
    if not math.isfinite(value):
        raise QueryError(f"no literal stands for {value}")
    written = tree.Quantity(repr(abs(value)), unit)
    return tree.Sign("-", written) if value < 0 else written


def _seconds(difference: dt.timedelta) -> tree.Expression:
    micros = abs(difference) // dt.timedelta(microseconds=1)
    seconds, rest = divmod(micros, 1_000_000)
    written = tree.Quantity(f"{seconds}.{rest:06d}".rstrip("0") if rest else str(seconds), "s")
    return tree.Sign("-", written) if difference < dt.timedelta(0) else written
