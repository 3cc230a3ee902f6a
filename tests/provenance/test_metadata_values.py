from __future__ import annotations

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.metadata import (
    Forms,
    JsonNumber,
    MetadataError,
    Written,
    forms,
    from_json,
    from_text,
    from_yaml,
    load_json,
    parse_assignment,
    parse_assignments,
    shown,
)
from provenance.metadata_rows import add_metadata, add_metadata_of_many
from provenance.segments.batch import Batch

UTC = dt.UTC
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
)
unicode_text = st.text(st.characters(exclude_categories=("Cs",)))


class Rows:
    """Collects what a commit would be given."""

    def __init__(self) -> None:
        self.added: list[dict[str, object]] = []

    def add(self, table: str, **values: object) -> None:
        assert table == "metadata"
        self.added.append(values)


@pytest.mark.parametrize("value", [from_yaml("42", True), from_yaml("42", False), from_text("42"), from_json(42)])
def test_every_way_of_writing_42_answers_alike(value):
    assert forms(value) == Forms("42", 42, 42.0, None, None)


def test_output_gives_back_the_type_that_was_written():
    assert shown("500000", "text") == "500000"
    assert shown("500000", "number") == 500000
    assert shown("500000", "untyped") == 500000
    assert shown("true", "text") == "true"
    assert shown("true", "untyped") is True
    assert shown("2026-05-01", "time") == "2026-05-01"
    assert shown("~", "null") is None
    assert shown("", "untyped") == ""
    assert shown("null", "untyped") is None


@pytest.mark.parametrize("text", ["007", "1.10", "+5", "0x1F", "0o17", "1e3", ".5"])
def test_number_forms_keep_their_text(text):
    found = forms(from_yaml(text, True))
    assert found.text == text
    assert found.float == float(int(text, 0) if text[:2] in {"0x", "0o"} else text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "null"),
        ("~", "null"),
        ("Null", "null"),
        ("TRUE", "boolean"),
        ("yes", "text"),
        ("on", "text"),
        ("1_000", "text"),
        ("1,5", "text"),
        ("٤٢", "text"),
        ("42\n", "text"),
        (" 42", "text"),
        ("190:20:30", "text"),
        ("-.inf", "number"),
        (".NaN", "number"),
        ("nan", "text"),
        ("inf", "text"),
        ("1e999", "number"),
        ("2026-05-01", "text"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, kind):
    assert from_yaml(text, True) == Written(text, kind)


def test_a_null_has_no_form_but_its_text_quoted_has():
    assert forms(from_yaml("null", True)) == Forms()
    assert forms(from_yaml("null", False)) == Forms(text="null")
    assert forms(from_text("")) == Forms(text="")


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 5000, "0x" + "f" * 400, "9" * 399])
def test_a_number_that_only_infinity_could_stand_for_has_no_number_form(text):
    found = forms(from_text(text))
    assert (found.integer, found.float) == (None, None)
    assert found.text == text
    assert shown(text, "number") in (text, int(text) if len(text) == 399 else text)


def test_infinities_and_nan_have_float_forms():
    assert forms(from_json(math.inf)).float == math.inf
    assert forms(from_yaml("-.INF", True)).float == -math.inf
    found = forms(from_json(math.nan))
    assert found.float is not None
    assert math.isnan(found.float)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0, 9007199254740993])
def test_integers_of_64_bits_are_exact(value):
    assert forms(from_json(value)).integer == value


def test_an_integer_beyond_64_bits_has_a_float_form_and_is_shown_exactly():
    found = forms(from_json(2**63))
    assert (found.integer, found.float) == (None, float(2**63))
    assert shown(str(2**63), "number") == 2**63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01", dt.datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T12:30", dt.datetime(2026, 5, 1, 12, 30, tzinfo=UTC)),
        ("2026-05-01T12:30:05.25Z", dt.datetime(2026, 5, 1, 12, 30, 5, 250000, tzinfo=UTC)),
        ("2026-05-01 12:30:05 +02:00", dt.datetime(2026, 5, 1, 10, 30, 5, tzinfo=UTC)),
        ("2026-05-01T00:30:00-0130", dt.datetime(2026, 5, 1, 2, 0, tzinfo=UTC)),
        ("2026-05-01T00:00:00.123456789Z", dt.datetime(2026, 5, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("2024-02-29", dt.datetime(2024, 2, 29, tzinfo=UTC)),
        ("2026-02-29", None),
        ("2026-13-01", None),
        ("0000-01-01", None),
        ("2026-5-1", None),
        ("2026-05", None),
        ("11-23-26T03:47:22Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-05-01T24:00:00", None),
        ("2026-05-01T12:00:00+99:00", None),
        ("2026-05-01\n", None),
    ],
)
def test_time_forms(text, expected):
    assert forms(from_text(text)).time == expected


def test_python_dates_and_times_are_values():
    assert from_json(dt.date(2026, 5, 1)) == Written("2026-05-01", "time")
    moment = dt.datetime(2026, 5, 1, 3, tzinfo=UTC)
    assert from_json(moment) == Written("2026-05-01T03:00:00Z", "time")
    assert forms(from_json(moment)).time == moment


@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_any_python_time_keeps_its_instant(moment):
    # ISO 8601 has no seconds in an offset; zones had them before they were standardised.
    if moment.utcoffset().total_seconds() % 60:
        return
    value = from_json(moment)
    try:
        instant = moment.astimezone(UTC)
    except OverflowError:
        assert forms(value).time is None
    else:
        assert forms(value).time == instant


@given(st.integers())
def test_integers_come_back(value):
    written = from_json(value)
    assert shown(written.text, written.type) == value
    assert forms(written).integer == (value if -(2**63) <= value < 2**63 else None)


@given(st.floats(allow_nan=False))
def test_floats_come_back(value):
    written = from_json(value)
    assert shown(written.text, written.type) == value
    assert forms(written).float == value


@given(unicode_text)
def test_text_comes_back_and_answers_as_itself(value):
    for written in (from_json(value), from_yaml(value, False)):
        assert shown(written.text, written.type) == value
        assert forms(written).text == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_json_numbers_keep_their_source_text(value):
    text = str(value)
    loaded = load_json(f'{{"n": {text}}}')
    assert loaded == {"n": JsonNumber(text)}
    assert forms(from_json(loaded["n"])).text == text
    assert Decimal(forms(from_json(loaded["n"])).float) == Decimal(float(value))


def test_lists_are_lists_of_values():
    assert from_json([1, "a", None]) == (Written("1", "number"), Written("a", "text"), Written("null", "null"))
    assert from_json([]) == ()


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [{"a": 1}], object(), b"bytes"])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(MetadataError):
        from_json(value)


def test_lone_surrogates_are_refused_with_their_place():
    with pytest.raises(MetadataError, match=r"U\+DCFF at position 1"):
        from_text("a\udcff")
    with pytest.raises(MetadataError, match="key"):
        add_metadata(Rows(), "file", 1, 1, "\ud800", from_text("x"), origin="set", author=None, at=dt.datetime.now(UTC))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000, "{"])
def test_json_that_cannot_be_trusted_is_refused(text):
    with pytest.raises(ValueError):
        load_json(text)


def test_the_first_equals_divides_an_assignment():
    assert parse_assignment("k=a=b") == ("k", from_text("a=b"))
    assert parse_assignment("k=") == ("k", from_text(""))
    for wrong in ("k", "=v", ""):
        with pytest.raises(MetadataError, match="key=value"):
            parse_assignment(wrong)


def test_a_key_given_twice_is_a_list():
    assert parse_assignments(("t=a", "u=1", "t=b")) == {"t": (from_text("a"), from_text("b")), "u": from_text("1")}


@given(unicode_text.filter(bool), st.lists(st.integers() | unicode_text | st.booleans() | st.none()))
def test_rows_of_a_list_keep_order_and_values(key, values):
    rows = Rows()
    add_metadata(rows, "job", 7, 3, key, from_json(values), origin="static", author="me", at=dt.datetime.now(UTC))
    if not values:
        assert [row["position"] for row in rows.added] == [-1]
        return
    assert [row["position"] for row in rows.added] == list(range(len(values)))
    assert [shown(row["written"], row["written_type"]) for row in rows.added] == values
    assert {row["key"] for row in rows.added} == {key}
    json.dumps([row["text_form"] for row in rows.added])


def test_a_withdrawal_is_one_row_without_a_value():
    rows = Rows()
    add_metadata(rows, "file", 1, 2, "k", None, origin="set", author="me", at=dt.datetime.now(UTC), withdrawn=True)
    assert len(rows.added) == 1
    assert rows.added[0]["withdrawn"] is True
    assert "text_form" not in rows.added[0]


@given(st.lists(st.tuples(st.sampled_from("kn"), st.one_of(scalars, st.lists(scalars, max_size=3))), max_size=5))
def test_metadata_of_many_is_that_of_each(pairs: list[tuple[str, Any]]) -> None:
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    one_by_one, at_once = Batch(), Batch()
    sayings = [(7, number, key, from_json(value)) for number, (key, value) in enumerate(pairs)]
    for source, number, key, value in sayings:
        add_metadata(one_by_one, "file", source, number, key, value, origin="static", author="ada", at=at)
    add_metadata_of_many(at_once, "file", sayings, origin="static", author="ada", at=at)
    assert repr(list(at_once.each("metadata"))) == repr(list(one_by_one.each("metadata")))
