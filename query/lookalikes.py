"""What looks like one thing and would mean another: `2026-3-1`, `exposure-id`, `2mass_id`. Always an error, with a way
out: a date that is read as a subtraction gives a wrong answer and no complaint.
"""

from __future__ import annotations

import re

from query.backticks import quoted
from query.errors import Span

_GLUED = re.compile(r"[^\W_]\w*(?:\.\w+){0,8}(?:-\w+)+")
_DIGITS_FIRST = re.compile(r"(?<![\w.$@])\d+[^\W\d]\w*")
_CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d[\d:.]*")
_NEARBY = 80  # characters on either side of a place: no name is longer
_PATHS = ("meta", "job", "workflow", "file")


def around(text: str, place: int) -> tuple[str, Span, str] | None:
    """Message, span and hint for the look-alike that covers ``place``; None if nothing there looks like one."""
    first, last = max(0, place - _NEARBY), place + _NEARBY
    for pattern, explain in ((_CLOCK, _clock), (_GLUED, glued), (_DIGITS_FIRST, _digits_first)):
        for match in pattern.finditer(text, first, last):
            if match.start() <= place < match.end():
                message, hint = explain(match[0])
                return message, match.span(), hint
    return None


def glued(written: str) -> tuple[str, str]:
    """Message and hint for words or digits with `-` between them and no space."""
    pieces = written.split("-")
    apart = f"spaces: {' - '.join(pieces)}"
    if all(piece.isdigit() for piece in pieces) and len(pieces) in (2, 3) and len(pieces[0]) == 4:
        shown = "-".join([pieces[0], *(piece.zfill(2) for piece in pieces[1:])])
        return f"{written} looks like a date", f"a date is written {shown}; subtraction needs {apart}"
    if written[0].isdigit():
        return f"{written} looks like a name", f"quote it: {as_key(written)}; subtraction needs {apart}"
    return f"{written}: a name or a subtraction?", f"a name is quoted: {as_key(written)}; subtraction has {apart}"


def as_key(written: str) -> str:
    """A key as it has to be written: in backticks, save the path before it."""
    first, point, rest = written.partition(".")
    return f"{first}.{quoted(rest)}" if point and first in _PATHS else quoted(written)


def _digits_first(written: str) -> tuple[str, str]:
    return f"{written} looks like a name", f"a name that starts with a digit is quoted: {as_key(written)}"


def _clock(written: str) -> tuple[str, str]:
    return f"{written} is no time", "a time is written 2026-03-01T05:00 or 2026-03-01T05:00:00Z"
