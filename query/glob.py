"""Patterns: `like` globs as RE2, and whether a pattern means anything."""

from __future__ import annotations

import functools
import re

_CLASS = re.compile(r"\[(!?)(\]?[^\]]*)\]", re.DOTALL)


def to_regex(pattern: str) -> str:
    """The RE2 expression (for a full match, with flag s) of a glob: `*` any text, `?` one character, `[a-z]`, `[!a-z]`.

    A `]` right after the opening bracket is an ordinary member; a `[` that is never closed is an ordinary character.
    """
    pieces, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        match = _CLASS.match(pattern, position) if character == "[" else None
        if match is not None:
            members = "".join(_member(each) for each in match[2])
            pieces.append(f"[{'^' if match[1] else ''}{members}]")
            position = match.end()
            continue
        pieces.append({"*": ".*", "?": "."}.get(character) or _escaped(character))
        position += 1
    return "".join(pieces)


def plain_like(pattern: str) -> str | None:
    """The same glob for SQL LIKE with escape `\\`, which the engine answers faster; None if it has a class."""
    if "[" in pattern:
        return None
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return escaped.replace("*", "%").replace("?", "_")


def problem(pattern: str) -> str | None:
    """Why ``pattern`` can mean nothing, or None."""
    for match in _CLASS.finditer(pattern):
        for low, high in re.findall(r"(.)-(.)", match[2], re.DOTALL):
            if low > high:
                return f"the range {low}-{high} runs backwards"
    return None


@functools.lru_cache(maxsize=64)
def regex_problem(source: str) -> str | None:
    """Why RE2 refuses ``source``, or None. Asks the engine itself: no other parser knows RE2 exactly."""
    import duckdb  # only a query with `matches` pays for it, and it is about to use the engine anyway

    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_matches('', $1)", [source])
        except duckdb.Error as error:
            return str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
    return None


def _member(character: str) -> str:
    return character if character == "-" else _escaped(character)


def _escaped(character: str) -> str:
    return character if character.isalnum() or ord(character) > 127 else f"\\x{{{ord(character):x}}}"
