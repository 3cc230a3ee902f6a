"""Literals: what a text, a number with its unit, a date or a parameter's value stands for.

Numbers are exact: an integer is a Python int whatever its size, a number that is none is the nearest double. Sizes are
bytes, durations seconds. A date or a month is the half-open period [start, end); an instant has no end.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from enum import Enum
from fractions import Fraction

from query.frozen import Frozen, frozen
from query.tree import TimeShape


class Dimension(Enum):
    """What a number counts; numbers of two different ones cannot be added or compared. The value is how messages
    say it.
    """

    NONE = "number"
    SIZE = "size"
    DURATION = "duration"


@frozen
class Number(Frozen):
    """An exact integer or a double."""

    value: int | float
    dimension: Dimension = Dimension.NONE


@frozen
class TextValue(Frozen):
    """A text."""

    value: str


@frozen
class Truth(Frozen):
    """True or false."""

    value: bool


@frozen
class Moment(Frozen):
    """The instant ``start``, or, with ``end``, the period [start, end). UTC."""

    start: dt.datetime
    end: dt.datetime | None = None


@frozen
class FromOutside(Frozen):
    """The text of a parameter together with the literal that it reads like: the other side decides which is meant."""

    text: str
    reading: Number | Truth | Moment


Constant = Number | TextValue | Truth | Moment | FromOutside

_UNITS: dict[str, tuple[Fraction, Dimension]] = {
    **{
        f"{prefix}B": (Fraction(1000**power), Dimension.SIZE)
        for power, prefix in enumerate(("", "k", "M", "G", "T", "P"))
    },
    **{f"{p}iB": (Fraction(1024**power), Dimension.SIZE) for power, p in enumerate(("K", "M", "G", "T", "P"), start=1)},
    "ms": (Fraction(1, 1000), Dimension.DURATION),
    "s": (Fraction(1), Dimension.DURATION),
    "min": (Fraction(60), Dimension.DURATION),
    "h": (Fraction(3600), Dimension.DURATION),
    "day": (Fraction(86400), Dimension.DURATION),
    "days": (Fraction(86400), Dimension.DURATION),
    "week": (Fraction(7 * 86400), Dimension.DURATION),
    "weeks": (Fraction(7 * 86400), Dimension.DURATION),
}
UNITS = tuple(_UNITS)

_MAX_EXPONENT = 400  # beyond any double: an exact fraction of 1e999999999 would take all memory
_MAX_DIGITS = 400

_QUANTITY = re.compile(r"([+-]?)\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?:\s*([^\W\d]\w*))?", re.ASCII)
_TIME = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:\d\d)?)?)?", re.ASCII
)
_QUOTED = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


class BadLiteral(ValueError):  # noqa: N818 - never leaves this package: callers add the place
    """A literal that stands for nothing; ``hint`` says what to write."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def number(written: str, unit: str | None = None) -> Number:
    """`5`, `1.5e3`, `2` with unit `GiB`. Raises BadLiteral for an unknown unit or a number beyond all doubles."""
    mantissa, _, exponent = written.lower().partition("e")
    if len(mantissa) > _MAX_DIGITS or (exponent and abs(int(exponent[:12])) > _MAX_EXPONENT):
        raise BadLiteral(f"number out of range: {written[:40]}", "numbers go up to about 1.8e308")
    exact = Fraction(written)
    dimension = Dimension.NONE
    if unit is not None:
        if unit not in _UNITS:
            raise BadLiteral(f"no such unit: {unit}", _unit_hint(unit))
        factor, dimension = _UNITS[unit]
        exact *= factor
    return Number(_exact_or_double(exact, written), dimension)


def _exact_or_double(exact: Fraction, written: str) -> int | float:
    if exact.denominator == 1 and abs(exact.numerator) < 1 << 64:
        return exact.numerator
    try:
        return float(exact)
    except OverflowError:
        raise BadLiteral(f"number out of range: {written[:40]}", "numbers go up to about 1.8e308") from None


def _unit_hint(unit: str) -> str:
    for known in UNITS:
        if known.casefold() == unit.casefold():
            return f"did you mean {known}?"
    return "sizes: kB MB GB TB (powers of 1000), KiB MiB GiB TiB (of 1024); durations: ms s min h days weeks"


def moment(written: str, shape: TimeShape) -> Moment:
    """A date, month or time in ISO 8601; UTC unless it carries an offset. Raises BadLiteral for a day that is none."""
    match = _TIME.fullmatch(written)
    if match is None:
        raise BadLiteral(f"not a date or time: {written}", "write 2026-05, 2026-05-01 or 2026-05-01T13:30:00Z")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = dt.UTC
    try:
        if offset not in (None, "Z"):
            zone = dt.timezone(
                dt.timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])) * (-1 if offset[0] == "-" else 1)
            )
        start = dt.datetime(
            int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "").ljust(6, "0")), tzinfo=zone,
        ).astimezone(dt.UTC)  # fmt: skip
        match shape:
            case TimeShape.INSTANT:
                return Moment(start)
            case TimeShape.DAY:
                return Moment(start, start + dt.timedelta(days=1))
            case TimeShape.MONTH:
                return Moment(start, (start + dt.timedelta(days=31)).replace(day=1))
    except (ValueError, OverflowError) as error:
        raise BadLiteral(f"no such time: {written} ({error})", "years go from 0001 to 9998") from None


def unquote(written: str) -> str:
    """What a quoted literal means. Escapes: \\n \\t \\r \\\\ \\" \\' \\uXXXX \\UXXXXXXXX; anything else raises
    BadLiteral.
    """

    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if escape in _ESCAPES:
            return _ESCAPES[escape]
        if escape[0] in "uU" and len(escape) > 1:
            code = int(escape[1:], 16)
            if code < 0x110000 and not 0xD800 <= code < 0xE000:
                return chr(code)
        raise BadLiteral(f"no such escape in a text: \\{escape}", "a backslash itself is written \\\\")

    return _ESCAPE.sub(replace, written[1:-1])


def quote(value: str) -> str:
    """The quoted literal that means ``value``: printable, on one line."""
    pieces = ['"']
    for character in value:
        if character in '"\\':
            pieces.append("\\" + character)
        elif character in "\n\t\r":
            pieces.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character])
        elif character.isprintable():
            pieces.append(character)
        else:
            pieces.append(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}")
    return "".join([*pieces, '"'])


def read(text: str) -> Constant:
    """A parameter's text: the literal that it reads like, else the text itself."""
    stripped = text.strip()
    if _QUOTED.fullmatch(stripped):
        try:
            return TextValue(unquote(stripped))
        except BadLiteral:
            return TextValue(text)
    reading = _read_literal(stripped)
    return TextValue(text) if reading is None else FromOutside(text, reading)


def _read_literal(text: str) -> Number | Truth | Moment | None:
    if text.lower() in ("true", "false"):
        return Truth(text.lower() == "true")
    time = _TIME.fullmatch(text)
    try:
        if time is not None:
            shape = TimeShape.INSTANT if time[4] else TimeShape.DAY if time[3] else TimeShape.MONTH
            return moment(text, shape)
        quantity = _QUANTITY.fullmatch(text)
        if quantity is not None:
            value = number(quantity[2], quantity[3])
            return Number(-value.value, value.dimension) if quantity[1] == "-" else value
    except BadLiteral:
        return None
    return None


def constant(value: object) -> Constant:
    """One value that a program handed over. Raises BadLiteral for what no literal could say."""
    match value:
        case bool():
            return Truth(value)
        case int() | float():
            return Number(value)
        case str():
            return read(value)
        case dt.datetime():
            if value.tzinfo is None:
                raise BadLiteral(
                    f"a time without a time zone: {value.isoformat()}", "give it tzinfo, for example datetime.UTC"
                )
            return Moment(value.astimezone(dt.UTC))
        case dt.date():
            return moment(value.isoformat(), TimeShape.DAY)
        case dt.timedelta():
            return Number(value.total_seconds(), Dimension.DURATION)
        case bytes():
            return TextValue(value.hex())
        case _:
            shown = "null" if value is None else type(value).__name__
            raise BadLiteral(
                f"no literal stands for a value like this: {shown}", "give text, a number, true or false, or a time"
            )


def is_list(value: object) -> bool:
    """True for what `in $name` takes as several values."""
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes)


def shifted(when: Moment, seconds: int | float, span_text: str = "") -> Moment:
    """``when`` moved by ``seconds``, a period as a whole. Raises BadLiteral outside the years 1 to 9999."""
    try:
        if not math.isfinite(seconds):
            raise OverflowError
        delta = dt.timedelta(microseconds=round(Fraction(seconds) * 1_000_000))
        return Moment(when.start + delta, None if when.end is None else when.end + delta)
    except OverflowError:
        raise BadLiteral("a time outside the years 1 to 9999") from None
