"""What a user reads when something is wrong, word for word; the texts are in golden/errors.txt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from query.compile import compile_query
from query.errors import NotCompiledYet, QueryError, QueryTooLarge, excerpt

GOLDEN = (Path(__file__).with_name("golden") / "errors.txt").read_text(encoding="utf-8").strip().split("\n\n")


@pytest.mark.parametrize("expected", GOLDEN, ids=lambda text: text.splitlines()[0][:40])
def test_message_caret_and_hint(expected: str, small: Any, now: Any) -> None:
    text = expected.splitlines()[1][2:]
    with pytest.raises(QueryError) as caught:
        compile_query(text, small, {"campaign": "DR3"}, now)
    assert caught.value.report() == expected
    assert caught.value.exit_code == 2


def test_long_lines_are_cut_around_the_place() -> None:
    text = "a" * 200 + "WRONG" + "b" * 200
    line, carets = excerpt(text, (200, 205))
    assert len(line) < 110
    assert line[carets.index("^") : carets.rindex("^") + 1] == "WRONG"


def test_the_line_of_the_place_is_shown() -> None:
    assert excerpt("files\nwhere x = 1", (12, 13)) == ("  where x = 1", "        ^")


@pytest.mark.parametrize(
    "text",
    [
        "files where " + " or ".join(["size = 1"] * 100_000),
        "files where " + "(" * 10_000 + "size = 1" + ")" * 10_000,
        "files where " + "not " * 10_000 + "size = 1",
        "files where size = " + "1 + " * 9_000 + "1",
        "files where size = 1" + "0" * 300_000,
    ],
    ids=["or", "parentheses", "not", "sum", "digits"],
)
@pytest.mark.timeout(2)
def test_too_large_says_so_at_once(text: str, small: Any, now: Any) -> None:
    with pytest.raises(QueryTooLarge):
        compile_query(text, small, {}, now)


def test_not_compiled_is_named(small: Any, now: Any) -> None:
    with pytest.raises(NotCompiledYet, match="after summarize") as caught:
        compile_query("files summarize count(*) by name where size > 1", small, {}, now)
    assert caught.value.exit_code == 2
