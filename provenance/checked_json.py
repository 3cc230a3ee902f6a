"""Values taken out of parsed JSON, each checked for type and range, with errors that name the place.

A `JsonObject` is one object of a document that somebody else wrote. Nothing is converted silently: a number where text
is expected is an error, also when the text of it would do.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

from provenance.errors import StoreError

T = TypeVar("T")
INT64_MAX = (1 << 63) - 1
UINT64_MAX = (1 << 64) - 1
DIGEST = re.compile(r"[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EXACT_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")


SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""In bytes that may have text which JSON can say and UTF-8 cannot."""


class MalformedError(StoreError):
    """A document is not what it claims to be; the message names the place, what was expected and what was found."""


def parse_object(data: bytes) -> JsonObject:
    """One JSON object in UTF-8. Raises MalformedError for anything else, doubled keys included."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles)
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}") from None
    except RecursionError:
        raise MalformedError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise MalformedError(f"not JSON: {error}") from None
    return object_of(value)


def object_of(value: object) -> JsonObject:
    """A whole document that was parsed, if it is an object. Raises MalformedError."""
    if not isinstance(value, dict):
        raise MalformedError(f"expected a JSON object, found {_shown(value)}")
    return JsonObject(value, "")


class JsonObject:
    """One object and where it stands in its document. Every reader takes a key; ``optional`` ones map null to None."""

    __slots__ = ("_path", "_values")

    def __init__(self, values: dict[str, object], path: str) -> None:
        self._values = values
        self._path = path

    def fail(self, key: str, expected: str) -> MalformedError:
        """The error that says what was expected under ``key`` and what is there."""
        found = _shown(self._values[key]) if key in self._values else "nothing"
        return MalformedError(f"{self._path}{key}: expected {expected}, found {found}")

    @property
    def raw(self) -> dict[str, object]:
        """All keys, with whatever is there."""
        return self._values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def value(self, key: str) -> object:
        """Whatever there is, which may be null."""
        if key not in self._values:
            raise self.fail(key, "a value or null")
        return self._values[key]

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        """Text of a form, which is called ``expected``."""
        value = self._values.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.fail(key, expected)
        return value

    def any_text(self, key: str) -> str:
        """Text, may be empty."""
        value = self._values.get(key)
        if not isinstance(value, str):
            raise self.fail(key, "text")
        return value

    def exact_time(self, key: str) -> dt.datetime:
        """A time as ``2026-11-23T05:20:00.123456Z``, with all of its digits, so that its text sorts as time does."""
        value = self._values.get(key)
        if not isinstance(value, str) or not EXACT_TIME.fullmatch(value):
            raise self.fail(key, "a time like 2026-11-23T05:20:00.123456Z")
        return self.time(key)

    def list_of(self, key: str, kind: type[T], expected: str) -> list[T]:
        """A list with values of one type, which is called ``expected``: no booleans among integers."""
        value = self._values.get(key)
        if not isinstance(value, list) or not all(type(element) is kind for element in value):
            raise self.fail(key, f"a list of {expected}")
        return value

    def text(self, key: str) -> str:
        """Text that is not empty."""
        value = self._values.get(key)
        if not isinstance(value, str) or not value:
            raise self.fail(key, "text")
        return value

    def optional_text(self, key: str, longest: int | None = None) -> str | None:
        """Text, may be empty; of at most ``longest`` characters."""
        value = self._values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, "text or null")
        if value is not None and longest is not None and len(value) > longest:
            raise self.fail(key, f"text of at most {longest} characters")
        return value

    def one_of(self, key: str, words: Sequence[str]) -> str:
        """One of a closed set of words."""
        value = self._values.get(key)
        if not isinstance(value, str) or value not in words:
            raise self.fail(key, " | ".join(words))
        return value

    def optional_one_of(self, key: str, words: Sequence[str]) -> str | None:
        """One of a closed set of words, or null."""
        return None if self._values.get(key) is None else self.one_of(key, words)

    def integer(self, key: str, low: int, high: int = INT64_MAX) -> int:
        """An integer in [low, high]."""
        value = self._values.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.fail(key, f"an integer from {low} to {high}")
        return value

    def optional_integer(self, key: str, low: int, high: int = INT64_MAX) -> int | None:
        """An integer in [low, high], or null."""
        return None if self._values.get(key) is None else self.integer(key, low, high)

    def optional_seconds(self, key: str) -> float | None:
        """A finite number that is not negative, or null."""
        value = self._values.get(key)
        if value is None:
            return None
        if type(value) not in (int, float) or not isinstance(value, (int, float)):
            raise self.fail(key, "a number of seconds")
        if not 0 <= value < math.inf or value > INT64_MAX:
            raise self.fail(key, "a number of seconds")
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        """One of true and false; ``default`` where the key is missing."""
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def optional_digest(self, key: str) -> bytes | None:
        """A sha256 of 64 lower-case hex digits, or null."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not DIGEST.fullmatch(value):
            raise self.fail(key, "64 lower-case hex digits")
        return bytes.fromhex(value)

    def time(self, key: str) -> dt.datetime:
        """A time of day as ``2026-11-23T05:20:00.123456Z``."""
        value = self._values.get(key)
        if not isinstance(value, str) or not TIME.fullmatch(value):
            raise self.fail(key, "a time like 2026-11-23T05:20:00.123456Z")
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            raise self.fail(key, "a time that exists") from None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, which may be empty themselves."""
        value = self._values.get(key)
        if not isinstance(value, list) or not all(isinstance(element, str) for element in value):
            raise self.fail(key, "a list of texts")
        return tuple(value)

    def object(self, key: str) -> JsonObject:
        """An object."""
        value = self._values.get(key)
        if not isinstance(value, dict):
            raise self.fail(key, "an object")
        return JsonObject(value, f"{self._path}{key}.")

    def optional_object(self, key: str) -> JsonObject | None:
        """An object, or null."""
        return None if self._values.get(key) is None else self.object(key)

    def objects(self, key: str) -> Iterator[JsonObject]:
        """The objects of a list, each with its place."""
        value = self._values.get(key)
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        for index, element in enumerate(value):
            if not isinstance(element, dict):
                raise MalformedError(f"{self._path}{key}[{index}]: expected an object, found {_shown(element)}")
            yield JsonObject(element, f"{self._path}{key}[{index}].")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:  # writing takes more calls than reading did
        return "a value nested too deeply to be shown"
    return text if len(text) <= 80 else text[:77] + "..."


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r} appears twice in one object")
            seen.add(key)
    return found
