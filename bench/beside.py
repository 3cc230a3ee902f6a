"""One question put to several engines in turn, in one process: medians, and whether all of them say the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Rows = list[tuple[Any, ...]]
Ask = Callable[[], Rows | None]
"""Asks and fetches all rows; None: gave up."""

TIMES = 7
PATIENCE_SECONDS = 60
"""After which peers are stopped."""
_BUDGET_SECONDS = 8.0
"""For one question and one engine: what takes long is not asked seven times."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Seconds of one engine, in the order in which it was asked; ``gave_up``: it was stopped after the only one."""

    seconds: tuple[float, ...]
    gave_up: bool = False

    @property
    def median(self) -> float:
        """The middle; of one that was stopped, less than it would have taken."""
        return statistics.median(self.seconds)

    def cell(self) -> str:
        """In milliseconds, for a table."""
        shown = f"{1000 * self.median:.1f}" if self.median < 0.1 else f"{1000 * self.median:,.0f}".replace(",", " ")
        return f"> {shown}" if self.gave_up else shown


def asked(engines: Mapping[str, Ask], *, by_first_column: bool) -> dict[str, Seen]:
    """Each engine once to warm up, which counts only if it takes long, then all in turn.

    AssertionError: two of them answer differently, in their first columns or in all.
    """
    seconds: dict[str, list[float]] = {}
    answers: dict[str, Rows] = {}
    stopped: set[str] = set()
    for name, ask in engines.items():
        took, rows = _timed(ask)
        seconds[name] = [took] if took > _BUDGET_SECONDS else []
        if rows is None:
            stopped.add(name)
        else:
            answers[name] = [row[:1] for row in rows] if by_first_column else rows
    first, *others = answers
    for other in others:
        assert _comparable(answers[first]) == _comparable(answers[other]), f"{first} and {other} differ"
    for _ in range(TIMES):
        for name, ask in engines.items():
            if sum(seconds[name]) <= _BUDGET_SECONDS:
                seconds[name].append(_timed(ask)[0])
    return {name: Seen(tuple(values), name in stopped) for name, values in seconds.items()}


def _timed(ask: Ask) -> tuple[float, Rows | None]:
    start = time.perf_counter()
    rows = ask()
    return time.perf_counter() - start, rows


def _comparable(rows: Rows) -> list[tuple[Any, ...]]:
    """Names, or groups with their numbers, in a form that all engines have; in no order."""
    return sorted(
        tuple(f"{value:.9g}" if isinstance(value, int | float | Decimal) else value for value in row) for row in rows
    )
