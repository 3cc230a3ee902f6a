"""Which forms a text has besides itself: a number, a truth value, a time, nothing.

Decided by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) and, for times, by ISO 8601;
nothing else is guessed: ``yes`` is no truth value, ``1,5`` and ``11-23-26`` are text.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Literal

WrittenType = Literal["text", "number", "boolean", "time", "null", "untyped"]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# [0-9], never \d, which also takes the digits of other scripts; fullmatch, never $, which forgives a final newline.
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r" ?(?:([Zz])|([-+])([0-9]{2}):?([0-9]{2})?)?)?"
)
# No 64-bit integer and no float that is not infinite needs more; it also keeps clear of Python's limit on int(text).
_LONGEST_NUMBER = 400
_STARTS_OF_NUMBERS = frozenset("+-.0123456789")


def core_type(text: str) -> WrittenType:
    """The type of a plain scalar of YAML 1.2 with this text."""
    if text in _NULL:
        return "null"
    if text in BOOLEANS:
        return "boolean"
    patterns = (_FLOAT, _OCTAL, _HEXADECIMAL, _INFINITY, _NOT_A_NUMBER)
    return "number" if any(pattern.fullmatch(text) for pattern in patterns) else "text"


def typed(text: str, written_type: str) -> object:
    """The value that a text is when it is of a type, as JSON has it; the text itself where it cannot be."""
    if written_type == "null":
        return None
    if written_type == "boolean":
        return BOOLEANS.get(text, text)
    if written_type == "number":
        integer, floating = number(text)
        if integer is not None:
            return integer
        return _long_integer(text) if floating is None or _is_integer(text) else floating
    return text


def number(text: str) -> tuple[int | None, float | None]:
    """Integer and float form. A finite number that only infinity could stand for has none: it would answer wrongly."""
    if len(text) > _LONGEST_NUMBER or text[:1] not in _STARTS_OF_NUMBERS:
        return None, None
    if _is_integer(text):
        integer = _integer(text)
        try:
            floating = float(integer)
        except OverflowError:
            return None, None
        return (integer if -(1 << 63) <= integer < 1 << 63 else None), floating
    if _FLOAT.fullmatch(text):
        floating = float(text)
        return None, (None if math.isinf(floating) else floating)
    if infinity := _INFINITY.fullmatch(text):
        return None, (-math.inf if infinity.group(1) == "-" else math.inf)
    return None, (math.nan if _NOT_A_NUMBER.fullmatch(text) else None)


def time(text: str) -> dt.datetime | None:
    """The time form: a date is its first instant, times without an offset are UTC, beyond microseconds is cut off."""
    match = _TIME.fullmatch(text) if text[4:5] == "-" else None
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = match.groups()
    try:
        zone = dt.UTC
        if sign:
            offset = dt.timedelta(hours=int(offset_hours), minutes=int(offset_minutes or 0))
            zone = dt.timezone(-offset if sign == "-" else offset)
        microsecond = int((fraction or "").ljust(6, "0")[:6])
        clock = (int(hour or 0), int(minute or 0), int(second or 0), microsecond)
        return dt.datetime(int(year), int(month), int(day), *clock, tzinfo=zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None  # shaped like a time but none, as 2026-02-30: it is text


def _is_integer(text: str) -> bool:
    if _INTEGER.fullmatch(text):
        return True
    return text.startswith("0") and bool(_OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text))


def _long_integer(text: str) -> object:
    """An integer beyond 64 bits for output, exact; the text itself where Python would refuse to convert it."""
    if _is_integer(text) and len(text) <= _LONGEST_NUMBER:
        return _integer(text)
    return text


def _integer(text: str) -> int:
    return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
