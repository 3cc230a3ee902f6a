"""What a user reads when something is wrong, word for word; the texts are in golden/errors.txt."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest

from query.compile import compile_query
from query.errors import QueryError, QueryMeaningError, QueryTooLarge, excerpt

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
def test_too_large_says_so_at_once(text: str, small: Any, now: Any) -> None:
    started = time.process_time()  # of this process: how busy the machine is says nothing about the language
    with pytest.raises(QueryTooLarge):
        compile_query(text, small, {}, now)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        'files where name = "' + '\\"' * 100_000,
        "files where " + " and ".join(["size in 1..2"] * 500) + " + 1",
        "files where " + "`" * 100_001,
        "files where " + "a." * 9_000 + "a = 1",
    ],
    ids=["quotes", "ranges", "backticks", "dots"],
)
def test_hostile_texts_are_refused_without_a_long_look(text: str, small: Any, now: Any) -> None:
    started = time.process_time()
    with pytest.raises(QueryError):
        compile_query(text, small, {}, now)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files where " + " or ".join(["size = 1"] * 501), "more than 500 conditions (at character 6013)"),
        ("files " + "limit 5 where size > 1 " * 51, "more than 100 sets and clauses (at"),
        (" union ".join(["files"] * 101), "more than 100 sets and clauses (at character 1201)"),
        ("files show " + ", ".join(f"size as s{n}" for n in range(201)), "more than 200 columns and sort keys (at"),
        ("files show " + ", ".join(f"size + {n}" for n in range(201)), "more than 200 columns and sort keys (at"),
        (
            "files where " + " and ".join(["size + 1 > 2"] * 201),
            "more than 200 arithmetic operators (at character 3413)",
        ),
        ("files order by " + " + ".join(["size"] * 52), "arithmetic is nested deeper than 50 (at character 16)"),
        ("files where " + " or ".join(["tags has 1"] * 101), "more than 100 conditions with has or is (at"),
        ("files where " + " or ".join(["kind is missing"] * 101), "more than 100 conditions with has or is (at"),
    ],
)
def test_what_the_engine_would_take_long_for_is_refused(text: str, message: str, small: Any, now: Any) -> None:
    with pytest.raises(QueryTooLarge) as caught:
        compile_query(text, small, {}, now)
    assert str(caught.value).startswith(message)


def test_long_lists_are_no_many_conditions(small: Any, connection: Any, now: Any) -> None:
    """Ten thousand values are one parameter; only what is compared one by one has a limit."""
    many = {"names": [f"n{number}" for number in range(10_000)] + ["a.fits"], "tags": ["golden"] * 2 + ["x"] * 10_000}
    text = "files where name in $names and tags has any $tags"
    compiled = compile_query(text, small, many, now)
    assert len(connection.execute(compiled.sql, list(compiled.parameters)).fetchall()) == 1
    days = [now + dt.timedelta(days=number) for number in range(501)]
    for refused in ("files where created in $days", "files where tags has all $texts"):
        with pytest.raises(QueryMeaningError, match=r"the limit is [15]00"):
            compile_query(refused, small, {"days": days, "texts": [f"t{number}" for number in range(501)]}, now)
