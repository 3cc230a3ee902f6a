"""`pegasus.properties`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogs.properties import Properties, read_properties
from planner.errors import FileError, PlannerError


def read(tmp_path: Path, text: str | bytes, **environment: str) -> Properties:
    path = tmp_path / "pegasus.properties"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_properties(path, environment)


def test_the_syntax_of_properties_files(tmp_path: Path) -> None:
    text = (
        "\ufeff# comment\n! comment\n\n"
        "  a.b = c d \n"
        "e:f\n"
        "g h\n"
        "i\n"
        "j = k=l:m\n"
        "n\\ o\\=p\\:q = r\n"
        "s = t, \\\n     u, \\\n  v\n"
        "w = x\\\\\n"
        "y = \\u00e9\\n\\t\\q\n"
        "z = # no comment\r\n"
        "last = one\\"
    )
    assert read(tmp_path, text).values == {
        "a.b": "c d ",
        "e": "f",
        "g": "h",
        "i": "",
        "j": "k=l:m",
        "n o=p:q": "r",
        "s": "t, u, v",
        "w": "x\\",
        "y": "é\n\tq",
        "z": "# no comment",
        "last": "one",
    }


def test_variables_and_the_line_of_one_that_is_not_set(tmp_path: Path) -> None:
    assert read(tmp_path, "a = ${X}/$$y", X="/x").values == {"a": "/x/$y"}
    with pytest.raises(FileError, match=r"pegasus\.properties:3:1: environment variable 'X' is not set"):
        read(tmp_path, "b = 1\\\n2\na = ${X}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = 2\na = 3", "3:1: property 'a' is given twice; first at line 1"),
        ("= 1", "1:1: expected key = value, found '= 1'"),
        (b"a = 1\nb = caf\xe9", "2:1: expected UTF-8 text, found byte 0xe9"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'pegasus.properties'}:{message}")


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(PlannerError, match="cannot read the properties"):
        read_properties(tmp_path / "none", {})


def test_what_has_no_effect_is_named(tmp_path: Path) -> None:
    text = (
        "pegasus.catalog.replica.file = r.yml\nenv.LANG = C\ndagman.RETRY = 3\npirene.salt = x\n"
        "pegasus.mode = debug\ncondor.universe = local\nmine = 1\n"
    )
    assert [warning.split(": ", 1)[1] for warning in read(tmp_path, text).warnings] == [
        "property pegasus.mode has no effect yet",
        "property condor.universe has no effect yet",
        "unknown property mine has no effect yet",
    ]


@settings(max_examples=150, deadline=None)
@given(
    values=st.dictionaries(
        # Properties that are profiles are held to more than that.
        st.text(min_size=1).filter(
            lambda text: text.isprintable() and text.partition(".")[0] not in ("condor", "env", "pirene")
        ),
        st.text().map(lambda text: text.replace("$", "$$")),
        max_size=4,
    )
)
def test_whatever_is_escaped_comes_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    text = "".join(f"{escaped(key)}={escaped(value)}\n" for key, value in values.items())
    expected = {key: value.replace("$$", "$") for key, value in values.items()}
    assert read(tmp_path_factory.getbasetemp(), text).values == expected


def escaped(text: str) -> str:
    """Every character below U+10000 that is no letter or digit as an escape."""
    return "".join(c if (c.isascii() and c.isalnum()) or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in text)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        read(tmp_path_factory.getbasetemp(), data)
    except FileError as error:
        assert error.place.line >= 1


@pytest.mark.parametrize(("written", "deterministic"), [("false", "false"), ("False", "false"), ("TRUE", "true")])
def test_what_we_act_on_means_the_same_as_in_yaml(tmp_path: Path, written: str, deterministic: str) -> None:
    assert read(tmp_path, f"pirene.deterministic = {written}").values == {"pirene.deterministic": deterministic}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("pirene.deterministic = no", "expected true or false for pirene.deterministic, found 'no'"),
        ("pirene.sallt = 2", "unknown profile 'sallt' of namespace pirene"),
        ("env.A = \\u0000", "cannot set an environment variable"),
        ("env. = a", "cannot set an environment variable"),
    ],
)
def test_what_we_act_on_is_checked(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        read(tmp_path, line)
    assert message in str(caught.value)
    assert caught.value.place.line == 1
