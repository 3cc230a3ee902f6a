"""Metadata from paths: what a template reads, and what it refuses to guess."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.metadata import Written
from provenance.registration.path_template import PathTemplate, PathTemplateError

KEYS = ("site", "year", "band")
values = st.text(alphabet="abc_-.7é ", min_size=1, max_size=5)
literals = st.sampled_from(["/", "_", "-", ".", "/y", ".fits/", "a"])


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("{site}/{year}/{name}", "hyytiala/1997/flux.csv", {"site": "hyytiala", "year": "1997"}),
        ("/{site}/{name}", "a/b", {"site": "a"}),
        ("raw/{site}-{year}.csv", "raw/a-1.csv", {"site": "a", "year": "1"}),
        ("{exposure}.fits", "007.fits", {"exposure": "007"}),
        ("{a key}/{name}", "new\nline/x", {"a key": "new\nline"}),
        ("{site}.(x)/{name}", "a.(x)/b", {"site": "a"}),
        ("{site}/{name}", "caf\udce9/b", {"site": "caf\\xe9"}),
    ],
)
def test_what_a_path_says(template: str, path: str, expected: dict[str, str]) -> None:
    found = PathTemplate.parse(template).read(path)
    assert found == {key: Written(value, "untyped") for key, value in expected.items()}


@pytest.mark.parametrize(
    ("template", "path", "message"),
    [
        ("{site}/{year}/{name}", "a/b", "it has 2 parts, the template 3"),
        ("{site}/{year}/{name}", "README", "it has 1 parts, the template 3"),
        ("{site}/y{year}/{name}", "a/1997/c", "'1997' is not 'y{year}'"),
        ("{site}/{name}.csv", "a/b.fits", "'b.fits' is not '{name}.csv'"),
        ("{a}_{b}", "x_y_z", "in two ways: a=x, b=y_z or a=x_y, b=z"),
    ],
)
def test_paths_that_do_not_fit(template: str, path: str, message: str) -> None:
    with pytest.raises(PathTemplateError, match=re.escape(message)):
        PathTemplate.parse(template).read(path)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("raw/name", "no {key} in it"),
        ("{site", "no {key} in it"),
        ("{a}/{b", "a brace that is not part of a {key}"),
        ("{a}/{}", "{} names no key"),
        ("{a}/{a}", "{a} stands there twice"),
        ("{a}{b}", "nothing divides two placeholders"),
    ],
)
def test_what_is_no_template(template: str, message: str) -> None:
    with pytest.raises(PathTemplateError, match=re.escape(message)):
        PathTemplate.parse(template)


@given(st.lists(st.tuples(literals, values), min_size=1, max_size=3), st.data())
def test_what_was_written_into_a_template_is_read_or_refused(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
    """Never another reading than the one that was meant."""
    template = "x" + "".join(f"{literal}{{{key}}}" for key, (literal, _) in zip(KEYS, pairs, strict=False))
    path = "x" + "".join(f"{literal}{value}" for literal, value in pairs)
    try:
        found = PathTemplate.parse(template).read(path)
    except PathTemplateError as error:
        assert "in two ways" in str(error)
    else:
        assert found == {key: Written(value, "untyped") for key, (_, value) in zip(KEYS, pairs, strict=False)}
