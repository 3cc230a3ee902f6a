"""The errors of workflow files, catalogs, plans and engines.

PlannerError      root: carries the exit code and, where there is one, what to do
+-- FileError     a workflow, catalog or properties file cannot be read as it is; knows the place
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from query.terminal_text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from planner.workflow import Place


class PlannerError(Exception):
    """Root of this package's errors: a message of one line, an exit code and a hint.

    ``exit_code`` is what the command line ends with (2: bad usage or input, unless a subclass says otherwise);
    ``hint`` says what to do, or is None.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class FileError(PlannerError):
    """A file of the user's cannot be read as it is. ``place`` is where (file, line, column, from 1).

    ``str()`` is one line that says what is wrong, then, as long as the file can be read, the line and a caret.
    """

    def __init__(self, place: Place, message: str, *, hint: str | None = None) -> None:
        super().__init__(harmless(f"{place}: {message}") + _excerpt(place), hint=hint)
        self.place = place


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the system refuses in here is about ``path``: of a write that fails it does not say where."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or os.fspath(path)
        raise


_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what counts as one for libyaml
_EXCERPT_WIDTH = 100


def _excerpt(place: Place) -> str:
    """The line of a place with a caret below it, cut to what a terminal can show; empty if there is none to show."""
    if place.file is None:
        return ""
    from planner.regular_files import read_regular

    try:
        text = read_regular(place.file).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
    lines = _LINE_BREAK.split(text, maxsplit=place.line)
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if not line.strip():
        return ""
    start = max(0, place.column - 1 - _EXCERPT_WIDTH // 2) if len(line) > _EXCERPT_WIDTH else 0
    shown = "".join(
        c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in line[start : start + _EXCERPT_WIDTH]
    )
    return f"\n  {shown}\n  {' ' * (place.column - 1 - start)}^"
