"""What a store was told, as plain facts: the oracle answers from these, and never from what the store made of them.

A fact is the row of a table together with the number of the commit that brought it. Metadata is told with all forms
that a value has, so that reading them is tested too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
UTC = dt.UTC


@dataclass(frozen=True, slots=True)
class Said:
    """A value of metadata as it was written (None: a null), and the forms that it answers in."""

    text: str | None
    number: int | float | None = None
    truth: bool | None = None
    time: dt.datetime | None = None
    written_type: str = "untyped"


Saying = Said | tuple[Said, ...]


@dataclass(slots=True)
class Told:
    """One commit: its kind, its rows (table, columns), what it says of metadata, and when it was made (set when it is).

    ``sayings``: (entity, source, number, key, value or None for a withdrawal, when).
    """

    kind: str
    rows: list[tuple[str, Row]] = field(default_factory=list)
    sayings: list[tuple[str, int, int, str, Saying | None, dt.datetime]] = field(default_factory=list)
    made: dt.datetime | None = None

    def add(self, table: str, **columns: Any) -> None:
        """One more row."""
        self.rows.append((table, columns))


@dataclass(slots=True)
class World:
    """All that a store was told, commit by commit; commit n is ``commits[n - 1]``."""

    commits: list[Told] = field(default_factory=list)

    def rows(self, table: str, horizon: int) -> list[tuple[int, Row]]:
        """(commit, row) of a table as of commit ``horizon``."""
        return [
            (number, row)
            for number, told in enumerate(self.commits[:horizon], start=1)
            for name, row in told.rows
            if name == table
        ]

    def current(self, horizon: int) -> dict[tuple[str, int, int], dict[str, Saying | None]]:
        """(entity, source, number) -> key -> what was said last; None: it was withdrawn."""
        order: dict[tuple[str, int, int, str], tuple[int, dt.datetime]] = {}
        found: dict[tuple[str, int, int], dict[str, Saying | None]] = {}
        for number, told in enumerate(self.commits[:horizon], start=1):
            for entity, source, ordinal, key, value, at in told.sayings:
                if (number, at) >= order.get((entity, source, ordinal, key), (0, at)):
                    order[entity, source, ordinal, key] = (number, at)
                    found.setdefault((entity, source, ordinal), {})[key] = value
        return found

    def at(self, time: dt.datetime) -> int:
        """The newest commit that was made at or before ``time``."""
        return sum(told.made is not None and told.made <= time for told in self.commits)
