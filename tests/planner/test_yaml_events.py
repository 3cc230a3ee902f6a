"""The YAML that is taken and the YAML that is refused, compared with PyYAML's own loader where that knows better."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planner.errors import FileError, PlannerError
from planner.yaml_events import MAX_ALIASED, MAX_DEPTH, Document
from planner.yaml_nodes import ItemStream, ListNode, MapNode, Node, Scalar, is_plain


def plain_python(node: Node | ItemStream) -> Any:
    """The node with all scalars as text."""
    if isinstance(node, MapNode):
        assert [key.value for key in node.keys] == list(node.values)
        return {key: plain_python(value) for key, value in node.values.items()}
    if isinstance(node, Scalar):
        return node.value
    return [plain_python(item) for item in node.items]


def load(text: str | bytes, streamed: frozenset[str] = frozenset()) -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {key.value: plain_python(value) for key, value in Document(data).entries(streamed)}


def refusal(text: str | bytes) -> str:
    with pytest.raises(FileError) as caught:
        load(text)
    return str(caught.value).removeprefix("<workflow>:")


TREES = st.recursive(
    st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(min_size=1), below, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(tree=st.dictionaries(st.text(min_size=1), TREES, max_size=4), flow=st.sampled_from([None, True, False]))
@example(tree={"a": ["\x85 \u2028", "\ud7ff", "007", "~", ""]}, flow=None)
def test_text_in_any_nesting_comes_back(tree: dict[str, Any], flow: bool | None) -> None:
    dumped = yaml.safe_dump(tree, sort_keys=False, default_flow_style=flow)
    assert load(dumped) == tree
    assert load(dumped, streamed=frozenset(tree)) == tree


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(data=b"a: \x00")
@example(data=b"\xef\xbb\xbfa: 1")
@example(data=b"? [a]\n: b")
@example(data=b"a: 1\n...\n")
@example(data=b"%YAML 9.9\n---\na: 1")
@example(data=b"%TAG ! !\n---\na: 1")
@example(data=b"a: \xf0\x9f")
@example(data=b'a: "\\ud800"')
@example(data=b"&x a: *x")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        load(data)
    except FileError as error:
        assert error.place.line >= 1
        assert error.place.column >= 1


_PIECES = [
    "a",
    "b: ",
    "- ",
    "\n",
    "  ",
    ": ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&x ",
    "*x",
    "!!str ",
    "!t ",
    "'",
    '"',
    "|\n",
]
YAML_PIECES = st.lists(st.sampled_from([*_PIECES, "<<", "---\n", "#", "\t", "é"]), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=YAML_PIECES | YAML_PIECES.map("k: ".__add__) | YAML_PIECES.map("k:\n  ".__add__))
def test_what_is_read_is_what_pyyaml_reads(text: str) -> None:
    """A second opinion: PyYAML's pure Python composer, on everything that both take."""
    try:
        mine = load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (FileError, yaml.YAMLError):
        return
    assert isinstance(root, yaml.MappingNode)
    assert mine == composed(root)


def composed(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {composed(key): composed(value) for key, value in node.value}
    return [composed(item) for item in node.value] if isinstance(node, yaml.SequenceNode) else node.value


def test_places_count_characters_from_one() -> None:
    ((key, value),) = Document("# café\nnaïve: [é, 'x',\n  🌾]\n".encode(), Path("w.yml")).entries()
    assert isinstance(value, ListNode)
    marks = [(scalar.start_mark.line + 1, scalar.start_mark.column + 1) for scalar in [key, *value.items]]
    assert marks == [(2, 1), (2, 9), (2, 12), (3, 3)]


def test_quotes_and_blocks_and_str_tags_are_text() -> None:
    text = "a: 1\nb: '1'\nc: \"1\"\nd: |-\n  1\ne: >-\n  1\nf: !!str 1\ng: ! 1\nh: &x 1\ni: *x\n"
    found = {
        key.value: is_plain(value) for key, value in Document(text.encode()).entries() if isinstance(value, Scalar)
    }
    assert found == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
        "e": False,
        "f": False,
        "g": False,
        "h": True,
        "i": True,
    }


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert load(b"\xef\xbb\xbfa: 1") == {"a": "1"}
    assert refusal(b"\xef\xbb\xbfa: \xff").startswith("1:4: expected UTF-8 text, found byte 0xff")


def test_aliases_stand_for_their_value() -> None:
    assert load("a: &x {b: &y [1, 2]}\nc: *x\nd: [*y, *y]\n&z e: *z\n") == {
        "a": {"b": ["1", "2"]},
        "c": {"b": ["1", "2"]},
        "d": [["1", "2"], ["1", "2"]],
        "e": "e",
    }


def test_an_anchor_may_be_given_anew() -> None:
    assert load("a: &x 1\nb: &x 2\nc: *x") == {"a": "1", "b": "2", "c": "2"}


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    levels = ["l0: &l0 [" + ",".join(["x"] * 10) + "]"]
    levels += [f"l{n}: &l{n} [" + ",".join([f"*l{n - 1}"] * 10) + "]" for n in range(1, 12)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    assert f"aliases stand for more than {MAX_ALIASED} values" in refusal("\n".join(levels))
    assert time.perf_counter() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_aliases_that_stand_for_a_list_each_are_counted_by_what_they_stand_for() -> None:
    values = ",".join(["v"] * 1000)
    within = MAX_ALIASED // 1001
    head = f"a: &a [{values}]\nb:\n"
    assert len(load(head + "- *a\n" * within)["b"]) == within
    assert "aliases stand for more than" in refusal(head + "- *a\n" * (within * 2))


def test_a_value_without_aliases_may_be_as_long_as_it_likes() -> None:
    assert len(load("a:\n" + "- 1\n" * 200_000)["a"]) == 200_000


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_without_recursion(depth: int, opening: str) -> None:
    text = "a:\n  " + opening * depth if opening == "- " else "a: " + opening * depth
    assert f"nested more than {MAX_DEPTH} levels deep" in refusal(text)


def test_the_deepest_nesting_that_is_taken() -> None:
    found = load("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)["a"]
    for _ in range(MAX_DEPTH - 1):
        (found,) = found
    assert found == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "2:1: key 'a' appears twice in one mapping; first at 1:1"),
        ("a: {b: 1, 'b': 2}", "1:11: key 'b' appears twice in one mapping; first at 1:5"),
        ("a: {1: x, '1': y}", "1:11: key '1' appears twice"),
        ("a: &x k\nb: {k: 1, *x : 2}", "1:4: key 'k' appears twice"),
        ("a: {<<: {b: 1}}", "1:5: merge keys (<<) belong to YAML 1.1"),
        ("<<: {b: 1}", "1:1: merge keys"),
        ("a: {[b]: c}", "1:5: expected text as a key"),
        ("a: !!binary aGk=", "1:4: tag !!binary is not supported"),
        ("a: !mine {b: c}", "1:4: tag !mine is not supported"),
        ("a: !!int 3", "1:4: tag !!int is not supported"),
        ("!!map {a: 1}", "1:1: tag !!map is not supported"),
        ("a: &x [*x]", "1:8: alias *x stands inside the value that it stands for"),
        ("a: *x", "1:4: alias *x has no anchor &x before it"),
        ("a: 1\n---\nb: 2", "2:1: expected one document, found a second one"),
        ("", "1:1: expected a mapping, found an empty file"),
        ("# only a comment\n", "1:1: expected a mapping, found an empty file"),
        ("text", "1:1: expected a mapping (key: value), found a single value"),
        ("[1]", "1:1: expected a mapping (key: value), found a list"),
        ("a:\n\tb: 1", "2:1: found a tab where YAML takes spaces only"),
        ("a: b: c", "1:5: not valid YAML: mapping values are not allowed in this context"),
        ("é: \x00", "1:4: character U+0000 is not allowed in YAML"),
        ("a: 1\nb: \x1b[0m", "2:4: character U+001B is not allowed in YAML"),
        (b"a: 1\nb: caf\xe9", "2:7: expected UTF-8 text, found byte 0xe9"),
        ("a: 1".encode("utf-16"), "1:1: expected UTF-8 text, found UTF-16 or binary data"),
    ],
)
def test_what_is_refused_and_where(text: str | bytes, message: str) -> None:
    assert refusal(text).startswith(message)


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert load("a: {'<<': 1}") == {"a": {"<<": "1"}}


def test_a_stream_that_is_not_read_to_its_end_is_skipped() -> None:
    document = Document(b"a: [{b: 1}, 2, [3]]\nc: d\n")
    assert [key.value for key, _ in document.entries(frozenset({"a"}))] == ["a", "c"]


def test_a_duplicate_far_down_in_a_stream_is_found() -> None:
    text = b"jobs:\n" + b"- {id: a}\n" * 1000 + b"- {id: a, id: b}\n"
    with pytest.raises(PlannerError, match="1002:11: key 'id' appears twice"):
        for _, value in Document(text).entries(frozenset({"jobs"})):
            assert isinstance(value, ItemStream)
            assert sum(1 for _ in value.items) < 1002
