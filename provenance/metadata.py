"""Values of metadata: each keeps what was written and answers in every form that it has.

``42``, ``"42"`` and ``'42'`` all have the text form ``42`` and the number form 42; what differs between them is the
type that they were written with, and output gives that back. Which forms a text has is decided by the core schema of
YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) and, for times, by ISO 8601; nothing else is guessed: ``yes``
is no truth value, ``1,5`` and ``11-23-26`` are text.

Refused: nested mappings and lists of lists (a key has a value or a list of values), and text that no encoding of
Unicode can hold (lone surrogates).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from provenance.errors import StoreError

if TYPE_CHECKING:
    from provenance.batch import Batch

WrittenType = Literal["text", "number", "boolean", "time", "null", "untyped"]
Origin = Literal["static", "runtime", "set"]
EntityName = Literal["workflow", "job", "file", "transformation"]

EMPTY_LIST_POSITION = -1

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
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
_SURROGATE = re.compile("[\ud800-\udfff]")
# No 64-bit integer and no float that is not infinite needs more; it also keeps clear of Python's limit on int(text).
_LONGEST_NUMBER = 400
_STARTS_OF_NUMBERS = frozenset("+-.0123456789")


class MetadataError(StoreError):
    """A key or value that metadata cannot hold."""


class JsonNumber(str):
    """A number of a JSON document as its source text, so that ``1.10`` stays ``1.10``; made by `load_json`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it was written: its source text without quotes, and the type that it was written with.

    ``untyped`` comes from carriers without types (command line, CSV, ``key=value`` lines).
    """

    text: str | None
    type: WrittenType

    def __post_init__(self) -> None:
        if self.text is not None:
            require_unicode(self.text, "a metadata value")


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms that a value has; None: it has no such form. ``time`` is aware, in UTC.

    A value with an integer form also has a float form (the nearest one). All are None for a null.
    """

    text: str | None = None
    integer: int | None = None
    float: float | None = None
    boolean: bool | None = None
    time: dt.datetime | None = None


Value = Written | tuple[Written, ...]


def from_yaml(text: str, plain: bool) -> Written:
    """A scalar of a YAML 1.2 document; ``plain`` False: it was quoted or a block, thus text."""
    if not plain:
        return Written(text, "text")
    return Written(text, _core_type(text))


def from_text(text: str) -> Written:
    """A value from a carrier without types: command line, CSV, ``key=value`` lines."""
    return Written(text, "untyped")


def from_json(value: object) -> Value:
    """A parsed JSON or Python value; a list or tuple gives a tuple of values.

    Dates and times of Python are taken too (naive ones are UTC), and what is `Written` already. Raises MetadataError
    for anything else.
    """
    if isinstance(value, (list, tuple)):
        return tuple(_scalar(element) for element in value)
    return _scalar(value)


def load_json(text: str) -> object:
    """Parse JSON with numbers kept as `JsonNumber`; raises ValueError (also for NaN and doubled keys)."""
    try:
        return json.loads(
            text,
            parse_float=JsonNumber,
            parse_int=JsonNumber,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_without_doubles,
        )
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def forms(value: Written) -> Forms:
    """Every form that ``value`` has. They follow from its text alone, so that ``42`` and ``"42"`` answer alike."""
    return Forms(*form_columns(value))


def form_columns(
    value: Written,
) -> tuple[str | None, int | None, float | None, bool | None, dt.datetime | None]:
    """The same as a tuple, in the order of `Forms`: for those who have many."""
    if value.type == "null" or value.text is None:
        return (None, None, None, None, None)
    text = value.text
    integer, floating = _number(text)
    return (text, integer, floating, _BOOLEANS.get(text), _time(text))


def shown(written: str | None, written_type: str, text_form: str | None = None) -> object:
    """What output gives back: the JSON type that was written; for untyped values what a YAML 1.2 scalar would be.

    An empty untyped value stays an empty text: a command line has no other way to write one. Times are given back as
    their source text. ``text_form`` stands in where ``written`` is null.
    """
    text = text_form if written is None else written
    if text is None:
        return None
    if written_type == "untyped":
        written_type = "text" if text == "" else _core_type(text)
    if written_type == "null":
        return None
    if written_type == "boolean":
        return _BOOLEANS.get(text, text)
    if written_type == "number":
        integer, floating = _number(text)
        if integer is not None:
            return integer
        return _long_integer(text) if floating is None or _is_integer(text) else floating
    return text


def parse_assignment(text: str) -> tuple[str, Written]:
    """``key=value`` of a command line; the first ``=`` divides. Raises MetadataError without ``=`` or without a key."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise MetadataError(f"expected key=value, found {text!r}", hint="for example: -m instrument=MOUSE")
    require_unicode(key, "a metadata key")
    return key, from_text(value)


def parse_assignments(texts: tuple[str, ...]) -> dict[str, Value]:
    """The ``-m`` options of one command; a key given several times has the list of its values, in order."""
    collected: dict[str, list[Written]] = {}
    for text in texts:
        key, value = parse_assignment(text)
        collected.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else tuple(values) for key, values in collected.items()}


def add_metadata(
    batch: Batch,
    entity: EntityName,
    source: int,
    number: int,
    key: str,
    value: Value | None,
    *,
    origin: Origin,
    author: str | None,
    at: dt.datetime,
    subject: str | None = None,
    withdrawn: bool = False,
) -> None:
    """Add the rows of one key of one thing to ``batch``: one a value, one for an empty list, one for a withdrawal.

    ``value`` None is for withdrawals only. Raises MetadataError for a key that is not Unicode.
    """
    require_unicode(key, "a metadata key")
    common = {
        "entity": entity,
        "source": source,
        "number": number,
        "subject": subject,
        "key": key,
        "origin": origin,
        "author": author,
        "at": at,
        "withdrawn": withdrawn,
    }
    if withdrawn:
        batch.add("metadata", **common)
    elif value is None:
        raise ValueError(f"metadata key {key!r}: no value, and not a withdrawal")
    else:
        for position, element in positions_and_values(value):
            columns = {"position": position} if element is None else _columns(element, position)
            batch.add("metadata", **common, **columns)


def positions_and_values(value: Value) -> Sequence[tuple[int | None, Written | None]]:
    """The rows of one value: position in the list (None: it is none) and what is there (None: the list is empty)."""
    if isinstance(value, Written):
        return ((None, value),)
    return tuple(enumerate(value)) or ((EMPTY_LIST_POSITION, None),)


def add_metadata_of_many(
    batch: Batch,
    entity: EntityName,
    sayings: Iterable[tuple[int, int, str, Value]],
    *,
    origin: Origin,
    author: str | None,
    at: dt.datetime,
) -> None:
    """Add the rows of keys of many things: each (source, number, key, value). The same as `add_metadata` of each, for
    values that repeat: their forms are found once.
    """
    known: dict[Written, tuple[object, ...]] = {}
    rows: list[tuple[object, ...]] = []
    for source, number, key, value in sayings:
        require_unicode(key, "a metadata key")
        if isinstance(value, tuple) and not value:
            rows.append((source, number, key, EMPTY_LIST_POSITION, *_NO_COLUMNS))
        for position, element in enumerate(value) if isinstance(value, tuple) else ((None, value),):
            columns = known.get(element)
            if columns is None:
                columns = known[element] = tuple(_columns(element, None).values())[1:]
            rows.append((source, number, key, position, *columns))
    names = ("source", "number", "key", "position", *_VALUE_COLUMNS)
    columns_of_rows = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    same = {"entity": entity, "origin": origin, "author": author, "at": at, "withdrawn": False}
    if rows:
        batch.add_columns("metadata", len(rows), columns_of_rows, **same)


_VALUE_COLUMNS = (
    "written",
    "written_type",
    "text_form",
    "integer_form",
    "float_form",
    "boolean_form",
    "time_form",
)
_NO_COLUMNS = (None,) * len(_VALUE_COLUMNS)


def require_unicode(text: str, what: str) -> None:
    """Raise MetadataError, naming ``what``, if ``text`` holds a lone surrogate: no encoding of Unicode can store it."""
    match = None if text.isascii() else _SURROGATE.search(text)
    if match:
        raise MetadataError(
            f"{what} is not valid Unicode: U+{ord(match.group()):04X} at position {match.start()} of {text!r}",
            hint="write it as UTF-8",
        )


def _columns(value: Written, position: int | None) -> dict[str, object]:
    found = forms(value)
    return {
        "position": position,
        "written": value.text,
        "written_type": value.type,
        "text_form": found.text,
        "integer_form": found.integer,
        "float_form": found.float,
        "boolean_form": found.boolean,
        "time_form": found.time,
    }


def _core_type(text: str) -> WrittenType:
    if text in _NULL:
        return "null"
    if text in _BOOLEANS:
        return "boolean"
    patterns = (_FLOAT, _OCTAL, _HEXADECIMAL, _INFINITY, _NOT_A_NUMBER)
    return "number" if any(pattern.fullmatch(text) for pattern in patterns) else "text"


def _scalar(value: object) -> Written:
    match value:
        case Written():
            return value
        case None:
            return Written("null", "null")
        case bool():
            return Written("true" if value else "false", "boolean")
        case JsonNumber():
            return Written(str(value), "number")
        case str():
            return Written(value, "text")
        case int():
            return Written(_integer_text(value), "number")
        case float():
            return Written(_float_text(value), "number")
        case dt.datetime():
            return Written(value.isoformat().replace("+00:00", "Z"), "time")
        case dt.date():
            return Written(value.isoformat(), "time")
        case Mapping():
            raise MetadataError(
                "a metadata value cannot be a mapping", hint="use dotted keys: {a: {b: 1}} is written as a.b: 1"
            )
        case list() | tuple():
            raise MetadataError("a list of metadata values cannot hold another list", hint="flatten it")
        case _:
            raise MetadataError(
                f"a metadata value cannot be of type {type(value).__name__}",
                hint="text, numbers, true and false, dates, times, null and lists of these are possible",
            )


def _integer_text(value: int) -> str:
    try:
        return str(int(value))
    except ValueError:
        raise MetadataError("an integer of more than 4300 digits cannot be a metadata value") from None


def _float_text(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return repr(float(value))


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


def _number(text: str) -> tuple[int | None, float | None]:
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


def _time(text: str) -> dt.datetime | None:
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


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object_without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} appears twice in one JSON object")
        found[key] = value
    return found
