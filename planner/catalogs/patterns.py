"""Patterns of a replica catalog: regular expressions of the user's, which may take no longer than a moment for a name.

They may have all that Pegasus' may (Java's, with references back and looks ahead), which no engine matches in linear
time. So there is a limit: `(a|aa)+$` needs hours for a name of eighty letters.
"""

from __future__ import annotations

import re

import regex

from planner.catalogs.model import ReplicaEntry
from planner.errors import FileError

_SECONDS = 1.0
"""For one name: a pattern that is meant takes microseconds."""
_OTHERWISE = re.compile(r"\\N\{[^}]*\}|\\.|\[(?=:)|\{(?!(?:\d+(?:,\d*)?|,\d*)\})", re.DOTALL)
"""What the engine would read otherwise than `re`: `{` that is no count (approximate matches), `[:` (POSIX classes).
Anything after a backslash is passed over.
"""


def matched(entry: ReplicaEntry, name: str) -> regex.Match[str] | None:
    """How the pattern of an entry matches all of a name; None: not. Raises FileError if that takes too long."""
    try:
        return regex.fullmatch(_as_of_python(entry.lfn), name, timeout=_SECONDS)
    except TimeoutError:
        message = f"lfn {entry.lfn!r} takes more than {_SECONDS:g} s to be compared with {name!r}"
        hint = "write it without repetitions within repetitions, and without alternatives that begin alike"
        raise FileError(entry.place, message, hint=hint) from None


def _as_of_python(pattern: str) -> str:
    """The same pattern with nothing in it that Python's own engine, which it was checked with, does not have."""
    escaped = {"{": "\\{", "[": "[\\"}
    return _OTHERWISE.sub(lambda found: escaped.get(found[0], found[0]), pattern)
