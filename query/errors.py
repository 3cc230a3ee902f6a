"""The errors of the query language.

    QueryError              root: carries the exit code and, where there is one, what to do
      LocatedError          knows its place in the text: prints the query with a caret under it
        QuerySyntaxError    the text is no query
        QueryMeaningError   the text is a query, but what it asks makes no sense here
      QueryTooLarge         longer, deeper or wider than any query needs to be

`str()` of each is one line that says what is wrong; `report()` is the whole message for a person.
"""

from __future__ import annotations

from collections.abc import Iterable

from query.terminal_text import harmless

Span = tuple[int, int]
"""Offsets of the first character and of the one after the last, in the text of the query."""

_EXCERPT = 100  # characters of a line that are shown around the place: more does not fit a terminal


class QueryError(Exception):
    """Root of this package's errors: a message of one line, an exit code and a hint.

    ``exit_code`` is what the command line ends with (2: bad usage or input, unless a subclass says otherwise);
    ``hint`` says what to do, or is None.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def report(self) -> str:
        """The message and, where there is one, the hint, each on its own line."""
        return "\n".join(harmless(line) for line in (str(self), self.hint) if line is not None)


class QueryTooLarge(QueryError):  # noqa: N818 - what it says, not what it is
    """The query is longer, deeper or wider than the limits allow."""


class LocatedError(QueryError):
    """An error with a place. ``text`` is the whole query, ``span`` the place in it."""

    def __init__(self, message: str, *, text: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.span = span

    def within_saved(self, name: str) -> LocatedError:
        """The same error, of the saved query ``name``: at its place in the text of that query."""
        return type(self)(f"in the saved query {name}: {self}", text=self.text, span=self.span, hint=self.hint)

    def report(self) -> str:
        """What is wrong, the line of the query with a caret under the place, and what to write instead."""
        lines = [harmless(str(self)), *excerpt(self.text, self.span)]
        if self.hint is not None:
            lines.append(harmless(self.hint))
        return "\n".join(lines)


class QuerySyntaxError(LocatedError):
    """The text does not follow the grammar."""


class QueryMeaningError(LocatedError):
    """The text follows the grammar; a name, a type or a relation in it does not fit."""


def excerpt(text: str, span: Span) -> tuple[str, str]:
    """The line of ``text`` that holds the start of ``span``, and a line with carets under it, both indented by two."""
    start = min(span[0], len(text))
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    end = max(min(span[1], line_end), start + 1)
    first, last = line_start, line_end
    if line_end - line_start > _EXCERPT:
        first = max(line_start, start - _EXCERPT // 2)
        last = min(line_end, first + _EXCERPT)
    end = min(end, last + 1)
    before = "…" if first > line_start else ""
    after = "…" if last < line_end else ""
    # One character for one, so that the caret stays below its place.
    shown = "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text[first:last])
    return f"  {before}{shown}{after}", "  " + " " * (len(before) + start - first) + "^" * (end - start)


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``name``, or None if none is near."""
    from difflib import get_close_matches  # only when something is wrong: the good way must start fast

    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None
