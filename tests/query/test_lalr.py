"""The shipped tables are those of the grammar, and our automaton does with them what Lark does with the grammar."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query import parser_tables
from query.lalr import END, Branch, Leaf, Unexpected

FOLDER = Path(__file__).with_name("golden")
EXAMPLES = [
    *(FOLDER / "examples.txt").read_text(encoding="utf-8").splitlines(),
    *json.loads((FOLDER / "trees.json").read_text(encoding="utf-8")),
]
TOKEN = re.compile(r"""\s+|\w+|"[^"]*"|.""")
FRAGMENTS = sorted({fragment for text in EXAMPLES for fragment in TOKEN.findall(text)} | set("'`\\#~é\n"))


@functools.cache
def ours():
    return parser_tables.load()


@functools.cache
def larks():
    return parser_tables.build()


def plain(found: Branch | Leaf | lark.Tree | lark.Token) -> object:
    """A tree of either kind as tuples: name, start, end, children or text."""
    match found:
        case Branch():
            return (found.data, *found.span, [plain(child) for child in found.children])
        case lark.Tree():
            return (found.data, found.meta.start_pos, found.meta.end_pos, [plain(child) for child in found.children])
        case Leaf():
            return (found.type, *found.span, str(found))
        case lark.Token():
            return (found.type, found.start_pos, found.end_pos, str(found))


def what_lark_says(text: str) -> object:
    """Its tree; or the terminal at which it stops, where that starts, and the terminals that it expects there."""
    try:
        return plain(larks().parse(text))
    except lark.UnexpectedToken as error:
        start = None if error.token.type == END else error.token.start_pos
        return (str(error.token.type), start, set(error.accepts))
    except lark.UnexpectedCharacters as error:
        return ("", error.pos_in_stream, set(error.interactive_parser.accepts()))


def what_we_say(text: str) -> object:
    try:
        return plain(ours().parse(text))
    except Unexpected as error:
        start = None if error.leaf.type == END else error.leaf.span[0]
        return (error.leaf.type, start, set(error.expected))


def test_grammar_has_no_conflicts() -> None:
    parser_tables.build(strict=True)


def test_shipped_tables_are_current() -> None:
    shipped = parser_tables.SHIPPED.read_text(encoding="utf-8")
    assert parser_tables.made(larks()) == shipped, "run python -m query.parser_tables"


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_parse_as_with_lark(text: str) -> None:
    assert isinstance(what_we_say(text), tuple)
    assert what_we_say(text) == what_lark_says(text)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(EXAMPLES), st.data())
def test_broken_examples_are_refused_as_with_lark(text: str, data: st.DataObject) -> None:
    """One token of an example is dropped, doubled, or replaced by one of another."""
    tokens = TOKEN.findall(text)
    place = data.draw(st.integers(0, len(tokens) - 1))
    instead = data.draw(
        st.one_of(st.just([]), st.just(tokens[place : place + 1] * 2), st.sampled_from(FRAGMENTS).map(list))
    )
    broken = "".join([*tokens[:place], *instead, *tokens[place + 1 :]])
    assert what_we_say(broken) == what_lark_says(broken)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS)).map("".join) | st.text(max_size=20))
def test_any_text_parses_as_with_lark(text: str) -> None:
    assert what_we_say(text) == what_lark_says(text)
