"""The errors of workflow files, catalogs, plans and engines.

PlannerError      root: carries the exit code and, where there is one, what to do
+-- FileError     a workflow, catalog or properties file cannot be read as it is; knows the place
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    """A file of the user's cannot be read as it is. ``place`` is where (file, line, column, from 1)."""

    def __init__(self, place: Place, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"{place}: {message}", hint=hint)
        self.place = place
