"""The wrapper's JSON is that of the module `json`: the accelerators alone, and wherever they cannot do it, the module."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrity.wrapper.json_text import parse, unparse

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(DOCUMENTS, st.sampled_from(["", " ", "\n", "\t\r\n "]))
def test_what_is_written_is_read_and_is_what_the_module_writes(document: Any, around: str) -> None:
    text = unparse(document)
    assert text == json.dumps(document, separators=(",", ":"))
    assert text.isascii()
    assert parse(around + text + around) == document
    assert parse(json.dumps(document, indent=1, ensure_ascii=False)) == document


@given(st.text(max_size=8) | st.text('[]{}":,0123456789.eE+-truefalsn \n\\u', max_size=12))
def test_whatever_is_no_json_is_refused_in_the_modules_words(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError as error:
        with pytest.raises(type(error)) as caught:
            parse(text)
        assert str(caught.value) == str(error)
    else:
        assert repr(parse(text)) == repr(expected)


@pytest.mark.parametrize("text", ["[" * 100_000, "\ufeff{}", "{} {}", "", " ", '"\x01"', '{"a": }'])
def test_what_is_not_whole(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_what_json_has_no_word_for_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        unparse(value)
    with pytest.raises(TypeError):
        unparse({"a": object()})


def test_without_the_accelerators_the_module_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_json", None)
    document = {"a": [1, 2.5, None, "é\udcff"]}
    assert parse(unparse(document)) == document
