"""Values to tell a store, with the forms that they answer in: text, numbers of every size, times, truth, and mixtures."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from random import Random

from tests.query.oracle.facts import UTC, Said, Saying

NOW = dt.datetime(2026, 6, 15, 12, tzinfo=UTC)
"""What `now` is in every question."""


def text(written: str) -> Said:
    return Said(written, written_type="text")


def number(written: str, value: float, written_type: str = "number") -> Said:
    return Said(written, number=value, written_type=written_type)


def time(written: str, value: dt.datetime) -> Said:
    return Said(written, time=value, written_type="untyped")


WORDS = [text(word) for word in ("raw", "flat", "dark", "calexp", "Größe", "a%b", "a_b", "日本語", "", "Raw")]
HOSTILE = [
    text(word)
    for word in (
        "'; DROP TABLE files; --", '" or "1" = "1', "\x1b[31mred", "a\nb", "\\", "$bad", "files where kind", "../..", "\u202eabc",
    )
]  # fmt: skip
NUMBERS = [
    number("10", 10), number("9", 9, "untyped"), number("-7", -7), number("0", 0), number("42", 42, "text"),
    number("1.5", 1.5), number("-3.25", -3.25), number("1e3", 1000.0), number("10.0", 10.0), number("0.1", 0.1),
]  # fmt: skip
HUGE = [
    number("9007199254740993", 9007199254740993), number("9007199254740992.0", 9007199254740992.0),
    number("9007199254740992", 9007199254740992), number("9223372036854775807", 9223372036854775807),
    number("9223372036854775808", 9223372036854775808.0), number("-9223372036854775808", -9223372036854775808),
    number("1e300", 1e300), number(".inf", math.inf), number("-.inf", -math.inf),
    number(".nan", math.nan), number("9007199254740993", 9007199254740993, "text"),
]  # fmt: skip
VERSIONS = [
    number("1.10", 1.1), number("1.1", 1.1), number("007", 7, "text"), number("7", 7), text("draft"), text("1.10.0"),
    number("1.1", 1.1, "text"), text("v1.1"),
]  # fmt: skip
TIMES = [
    time("2026-05-01", dt.datetime(2026, 5, 1, tzinfo=UTC)),
    time("2026-05-01T12:00:00Z", dt.datetime(2026, 5, 1, 12, tzinfo=UTC)),
    time("2026-05-31T23:59:59.999999Z", dt.datetime(2026, 5, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    time("2026-06-01", dt.datetime(2026, 6, 1, tzinfo=UTC)),
    time("2026-06-01T00:30:00+02:00", dt.datetime(2026, 5, 31, 22, 30, tzinfo=UTC)),
    time("2026-06-01 08:00:00", dt.datetime(2026, 6, 1, 8, tzinfo=UTC)),
    time("2026-06-14T12:00:00-05:00", dt.datetime(2026, 6, 14, 17, tzinfo=UTC)),
    time("1999-12-31", dt.datetime(1999, 12, 31, tzinfo=UTC)),
]
FLAGS = [Said("true", truth=True), Said("false", truth=False, written_type="boolean"), Said("True", truth=True),
         Said("FALSE", truth=False, written_type="text")]  # fmt: skip
NOTHING = Said(None, written_type="null")
MIXED = [*WORDS[:6], *NUMBERS, *VERSIONS, *TIMES[:4], *FLAGS, *HUGE[:4], NOTHING]


def some_integer(random: Random) -> Said:
    """A small integer."""
    value = random.randint(-5, 40)
    return number(str(value), value, random.choice(["number", "text", "untyped"]))


def some_decimal(random: Random) -> Said:
    """A decimal of two places, `-95.10` say."""
    written = f"{random.randint(-12000, 9000) / 100:.2f}"
    return number(written, float(written))


def some_of(pool: list[Said]) -> Callable[[Random], Saying]:
    """One of a pool."""
    return lambda random: random.choice(pool)


def some_tags(random: Random) -> Saying:
    """A list of texts, maybe empty."""
    return tuple(random.sample([text(tag) for tag in ("golden", "silver", "retracted", "tape")], random.randint(0, 3)))


def some_loose(random: Random) -> Saying:
    """A list of anything, or one value."""
    pool = [*FLAGS[:2], *NUMBERS[:4], *TIMES[:2], *WORDS[:2]]
    if random.random() < 0.4:
        return random.choice(pool)
    return tuple(random.sample(pool, random.randint(1, 3)))


KEYS: dict[str, dict[str, Callable[[Random], Saying]]] = {
    "file": {
        "kind": some_of(WORDS[:4]), "detector_temp": some_decimal, "run": some_integer, "site": some_of(WORDS[1:5]),
        "campaign": some_of([text("DR3"), text("DR2")]), "version": some_of(VERSIONS), "n": some_of([*NUMBERS, *HUGE]),
        "mixed": some_of(MIXED), "taken": some_of(TIMES), "flag": some_of(FLAGS), "maybe": some_of([*FLAGS, *WORDS[:3]]),
        "tags": some_tags, "loose": some_loose, "exposure id": some_integer, "sample.tissue": some_of(WORDS),
        "status": some_of([text("final"), text("draft")]), "größe": some_decimal, "hostile": some_of(HOSTILE),
        "'; DROP TABLE files; --": some_of(HOSTILE), "tract": some_integer, "band": some_of([text("g"), text("r")]),
    },
    "job": {"memory_requested": some_integer, "mixed": some_of(MIXED), "campaign": some_of(WORDS[:3]),
            "n": some_of(NUMBERS)},
    "workflow": {"campaign": some_of([text("DR3"), text("DR2")]), "n": some_integer},
}  # fmt: skip
