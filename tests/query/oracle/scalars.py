"""Single values in all their forms: literals, parameters, what is stored; and how two of them compare."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.query.oracle.facts import UTC, Said

Number = int | float


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The language says that this question makes no sense here."""


@dataclass(frozen=True, slots=True)
class Forms:
    """One value in the forms that it has; ``end``: the time is the period [time, end). All None: missing."""

    text: str | None = None
    number: Number | None = None
    truth: bool | None = None
    time: dt.datetime | None = None
    end: dt.datetime | None = None
    digest: str | None = None

    @property
    def missing(self) -> bool:
        return self == MISSING


MISSING = Forms()
_SIZES = {"B": 1} | {f"{letter}B": 1000**power for power, letter in enumerate("kMGTP", 1)}
_SIZES |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)}
_SECONDS = {"ms": Fraction(1, 1000), "s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400,
            "week": 604800, "weeks": 604800}  # fmt: skip
_QUANTITY = re.compile(r"(-?)\s*(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([A-Za-z]+)?")
LOWEST, HIGHEST = -(2**63), 2**63 - 1


def number_of(exact: Fraction) -> Number:
    """An integer as one, anything else as the nearest double."""
    try:
        return exact.numerator if exact.denominator == 1 and abs(exact.numerator) < 1 << 64 else float(exact)
    except OverflowError:
        raise Refused("out of range") from None


def quantity(number: str, unit: str | None) -> tuple[Number, str | None]:
    """Bytes or seconds, and "size" or "duration"; None: a plain number, which fits both."""
    if unit is None:
        return number_of(Fraction(number)), None
    for units, dimension in ((_SIZES, "size"), (_SECONDS, "duration")):
        if unit in units:
            return number_of(Fraction(number) * Fraction(units[unit])), dimension
    raise Refused(f"no such unit: {unit}")


def moment(written: str) -> Forms:
    """A month, a day or a time; the first two stand for all of it. Refused: there is no such day."""
    try:
        if len(written) == 7:
            year, month = int(written[:4]), int(written[5:])
            start = dt.datetime(year, month, 1, tzinfo=UTC)
            return Forms(time=start, end=dt.datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC))
        found = dt.datetime.fromisoformat(written)
        if len(written) == 10:
            start = found.replace(tzinfo=UTC)
            return Forms(time=start, end=start + dt.timedelta(days=1))
        return Forms(time=found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    except ValueError as error:
        raise Refused(str(error)) from None


def reading(text: str) -> tuple[Forms, str | None] | None:
    """The literal that a parameter's text reads like, with its dimension; None: it is text."""
    written = text.strip()
    if written.lower() in ("true", "false"):
        return Forms(truth=written.lower() == "true"), None
    try:
        if re.fullmatch(r"\d{4}-\d\d(-\d\d(T.*)?)?", written):
            return moment(written), None
        found = _QUANTITY.fullmatch(written)
        if found is not None:
            number, dimension = quantity(found[2], found[3])
            return Forms(number=-number if found[1] else number), dimension
    except Refused:
        return None
    return None


def stored(value: Said) -> Forms:
    """A value of metadata."""
    return Forms(text=value.text, number=value.number, truth=value.truth, time=value.time)


def built_in(kind: str, value: Any) -> Forms:
    """A value of a built-in field, which has one form."""
    if value is None:
        return MISSING
    match kind:
        case "text":
            return Forms(text=value)
        case "time":
            return Forms(time=value)
        case "digest":
            return Forms(digest=value.hex())
        case _:
            return Forms(number=value)


def compare(operator: str, form: str, left: Forms, right: Forms) -> bool:
    """`left operator right` in one form; false where either has none."""
    one, other = getattr(left, form), getattr(right, form)
    if one is None or other is None:
        return False
    if form == "time" and left.end is not None:
        flipped = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)
        return _with_period(flipped, other, left)
    if form == "time" and right.end is not None:
        return _with_period(operator, one, right)
    return _ordered(operator, one, other)


def _with_period(operator: str, instant: dt.datetime, period: Forms) -> bool:
    assert period.time is not None and period.end is not None
    match operator:
        case "=":
            return period.time <= instant < period.end
        case "!=":
            return not period.time <= instant < period.end
        case "<":
            return instant < period.time
        case "<=":
            return instant < period.end
        case ">":
            return instant >= period.end
        case _:
            return instant >= period.time


def _ordered(operator: str, one: Any, other: Any) -> bool:
    match operator:
        case "=":
            return bool(one == other)
        case "!=":
            return bool(one != other)
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
        case _:
            return bool(one >= other)


def calculate(operator: str, left: Number, right: Number) -> Number | None:
    """Integers exactly to 64 bits (but for `/`), else doubles; division by zero and overflow are missing."""
    try:
        if operator == "/":
            return _finite(float(left) / float(right))
        if not (isinstance(left, int) and isinstance(right, int)):
            left, right = float(left), float(right)
        match operator:
            case "+":
                return _finite(left + right)
            case "-":
                return _finite(left - right)
            case "*":
                return _finite(left * right)
            case _:
                return _finite(left % right)  # the sign of the divisor, as in Python
    except (ZeroDivisionError, OverflowError):
        return None


def _finite(value: Number) -> Number | None:
    if isinstance(value, int):
        return value if LOWEST <= value <= HIGHEST else None
    return value if math.isfinite(value) else None


def shifted(when: Forms, seconds: Number) -> Forms:
    """A time moved by a duration, a period as a whole; outside the years 1 to 9999 it is missing."""
    assert when.time is not None
    try:
        by = dt.timedelta(microseconds=round(Fraction(seconds) * 1_000_000))
        return Forms(time=when.time + by, end=None if when.end is None else when.end + by)
    except (OverflowError, ValueError):
        return MISSING
