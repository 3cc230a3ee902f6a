"""Values as one writes them in a question: text, numbers, times and digests as literals of the language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from tests.query.oracle.facts import UTC

Pick = Callable[[Sequence[Any]], Any]


def quoted(text: str) -> str:
    """A text that means exactly this."""
    escaped = "".join(
        "\\" + each if each in '"\\' else each if each.isprintable() else f"\\U{ord(each):08x}" for each in text
    )
    return f'"{escaped}"'


def key(name: str) -> str:
    """A metadata key, in backticks where it is no plain name."""
    return name if name.replace(".", "x").isidentifier() else "`" + name.replace("`", "``") + "`"


def number(value: float, pick: Pick) -> str:
    """A number that is this one, or one beside it."""
    if isinstance(value, int):
        return str(value + pick([0, 0, 0, 1, -1]))
    if value != value or abs(value) == float("inf"):
        return pick(["0", "1e300", "9007199254740992"])
    return repr(value + pick([0, 0, 0.5])) if abs(value) < 1e15 else f"{value:.17g}"


def size(value: float, pick: Pick) -> str:
    """The same in some unit."""
    return pick([str(int(value)), f"{int(value) // 1000} kB", f"{int(value) // 1024} KiB", "1 B", "2.5 GB", "0.001 MB"])


def duration(value: float, pick: Pick) -> str:
    """The same in some unit."""
    return pick([repr(float(value)), f"{value!r} s", f"{int(value) // 60} min", "1 h", "59250 ms", "2 h", "0.04 weeks"])


def time(value: dt.datetime, pick: Pick) -> str:
    """An instant, its day, its month, or the same said from now."""
    there = value.astimezone(dt.timezone(dt.timedelta(hours=2)))
    instant = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return str(pick([
        f"{instant}Z", f"{value:%Y-%m-%d}", f"{value:%Y-%m-%d}", f"{value:%Y-%m}", there.strftime("%Y-%m-%dT%H:%M:%S+02:00"),
        instant, "now - 7 days", "now - 30 days", "now - 1.5 weeks", f"{value:%Y-%m-%d} + 1 day",
    ]))  # fmt: skip


def plain_time(value: dt.datetime, pick: Pick) -> str:
    """A time without arithmetic: for lists and ranges."""
    return str(pick([f"{value:%Y-%m-%dT%H:%M:%S.%f}Z", f"{value:%Y-%m-%d}", f"{value:%Y-%m}", "now"]))


def glob(text: str, pick: Pick) -> str:
    """A pattern that this text fits, or nearly."""
    literal = "".join(f"[{each}]" if each in "*?[" else each for each in text)
    start, end = text[:1], text[-2:]
    if set(start + end) & set("*?[]"):
        start = end = ""
    return str(
        pick(
            [literal, f"{start}*", f"*{end}", "?" * len(text), f"[!{start or 'x'}]*", "*[a-f]*", "*", f"{start}*{end}"]
        )
    )


def regex(text: str, pick: Pick) -> str:
    """A search that this text answers, or nearly."""
    word = "".join(each for each in text if each.isalnum())[:4]
    return str(pick([f"/^{word}/", r"/\d+/", "/[A-Z]/", f"/{word[:1]}|x/", r"/^\S*$/", "/^$/", r"/\.(fits|txt)$/"]))
