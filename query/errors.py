"""The errors of the query language.

    QueryError    root: carries the exit code and, where there is one, what to do
"""

from __future__ import annotations


class QueryError(Exception):
    """Root of this package's errors: a message of one line, an exit code and a hint.

    ``exit_code`` is what the command line ends with (2: bad usage or input, unless a subclass says otherwise);
    ``hint`` says what to do, or is None.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
