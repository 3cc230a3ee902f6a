"""Values of metadata: each keeps what was written and answers in every form that it has.

``42``, ``"42"`` and ``'42'`` all have the text form ``42`` and the number form 42 (`provenance.text_forms`); what
differs between them is the type that they were written with, and output gives that back.

Refused: nested mappings and lists of lists (a key has a value or a list of values), and text that no encoding of
Unicode can hold (lone surrogates).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from provenance.errors import StoreError
from provenance.text_forms import BOOLEANS, WrittenType, core_type, number, time, typed

_SURROGATE = re.compile("[\ud800-\udfff]")


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
    return Written(text, core_type(text))


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
    integer, floating = number(text)
    return (text, integer, floating, BOOLEANS.get(text), time(text))


def shown(written: str | None, written_type: str, text_form: str | None = None) -> object:
    """What output gives back: the JSON type that was written; for untyped values what a YAML 1.2 scalar would be.

    An empty untyped value stays an empty text: a command line has no other way to write one. Times are given back as
    their source text. ``text_form`` stands in where ``written`` is null.
    """
    text = text_form if written is None else written
    if text is None:
        return None
    if written_type == "untyped":
        written_type = "text" if text == "" else core_type(text)
    return typed(text, written_type)


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


def require_unicode(text: str, what: str) -> None:
    """Raise MetadataError, naming ``what``, if ``text`` holds a lone surrogate: no encoding of Unicode can store it."""
    match = None if text.isascii() else _SURROGATE.search(text)
    if match:
        raise MetadataError(
            f"{what} is not valid Unicode: U+{ord(match.group()):04X} at position {match.start()} of {text!r}",
            hint="write it as UTF-8",
        )


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


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object_without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r} appears twice in one JSON object")
        found[key] = value
    return found
