"""One SQL statement in the making: what users wrote becomes bind parameters, shared parts become common table
expressions.
"""

from __future__ import annotations

import re

# A parameter on its way: no SQL of a vocabulary can hold this, not even a path within quotes.
_MARK = "\x00"
_MARKED = re.compile(f"{_MARK}(\\d+){_MARK}")


class Binder:
    """Collects parameters and common table expressions. SQL text from it is complete only after `finish`."""

    def __init__(self) -> None:
        self._values: list[object] = []
        self._ctes: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def bind(self, value: object, sql_type: str) -> str:
        """``value`` as a parameter of ``sql_type``."""
        self._values.append(value)
        return f"CAST({_MARK}{len(self._values) - 1}{_MARK} AS {sql_type})"

    def name(self, prefix: str) -> str:
        """A name that this statement has not used."""
        self._names[f"{prefix}{len(self._names) + 1}"] = ""
        return f"{prefix}{len(self._names)}"

    def cte(self, prefix: str, body: str, columns: str = "", *, materialized: bool = False) -> str:
        """The name of a common table expression with this body, which may hold its own name as ``{self}``."""
        for name, text in self._ctes.items():
            if name.startswith(prefix) and text.endswith(f"({body})"):
                return name
        name = self.name(prefix)
        kept = "MATERIALIZED " if materialized else ""
        self._ctes[name] = f"{name}{columns} AS {kept}({body.replace('{self}', name)})"
        return name

    def finish(self, select: str) -> tuple[str, tuple[object, ...]]:
        """The whole statement, its parameters numbered from $1 in order of appearance, and their values."""
        needed = self._needed(select)
        parts = [text for name, text in self._ctes.items() if name in needed]
        text = f"WITH RECURSIVE {', '.join(parts)} {select}" if parts else select
        order: dict[str, int] = {}

        def number(match: re.Match[str]) -> str:
            return f"${order.setdefault(match[1], len(order) + 1)}"

        return _MARKED.sub(number, text), tuple(self._values[int(index)] for index in order)

    def _needed(self, select: str) -> set[str]:
        """The names of the expressions that ``select`` uses, directly or through others."""
        needed: set[str] = set()
        waiting = [select]
        while waiting:
            text = waiting.pop()
            for name in self._ctes:
                if name not in needed and re.search(rf"\b{name}\b", text):
                    needed.add(name)
                    waiting.append(self._ctes[name])
        return needed
