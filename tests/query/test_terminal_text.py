"""Text on its way to a terminal: everything can be read, nothing is obeyed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from query.errors import QueryMeaningError
from query.terminal_text import harmless, harmless_lines

HOSTILE = "a\x1b[31m\x1b]0;title\x07\n\r\x9b2J\u202e\u2028z"
SHOWN = r"a\x1b[31m\x1b]0;title\x07\n\r\x9b2J\u202e\u2028z"


def obeyed(text: str) -> set[str]:
    """The characters in ``text`` that a terminal would obey rather than show."""
    return {c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200f\u2028"}


@given(st.text())
def test_nothing_that_moves_a_cursor_reaches_a_terminal(text: str) -> None:
    assert not obeyed(harmless(text))
    harmless(text).encode()


@given(st.text())
def test_lines_stay_lines(text: str) -> None:
    assert harmless_lines(text).split("\n") == [harmless(line) for line in text.split("\n")]


def test_what_is_hidden_is_shown() -> None:
    assert harmless(HOSTILE) == SHOWN


def test_letters_of_every_script_stay() -> None:
    text = "naïve 東京 🦑 क्‍ष"
    assert harmless(text) == text


def test_an_error_shows_what_its_texts_hide_and_keeps_the_caret_below_its_place() -> None:
    text = f"files where `{HOSTILE}` = 3"
    error = QueryMeaningError(f"no such key: {HOSTILE}", text=text, span=(12, 14), hint=f"did you mean {HOSTILE}?")
    message, line, caret, hint = error.report().split("\n")
    assert not obeyed(message + line + hint)
    assert (message, hint) == (f"no such key: {SHOWN}", f"did you mean {SHOWN}?")
    assert line[caret.index("^")] == "`"
