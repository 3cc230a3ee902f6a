from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from dataclasses import dataclass

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.answers.json_text import plain
from provenance.answers.output import NotATerminalError, write_document, write_rows
from query.vocabulary import FieldType

UTC = dt.UTC
unicode_text = st.text(st.characters(exclude_categories=("Cs",)))


@dataclass(frozen=True)
class Column:
    name: str
    type: object


COLUMNS = [Column("name", FieldType.TEXT), Column("size", FieldType.SIZE), Column("sha256", FieldType.DIGEST)]
ROWS = [("a", 1, bytes(32)), ("b\n\x1b[31m", 12345, b"\xab" * 32), (None, None, None)]


def written(columns, rows, output_format):
    stream = io.BytesIO()
    write_rows(columns, rows, output_format, stream)
    return stream.getvalue()


def test_a_table_is_aligned_and_harmless():
    assert written(COLUMNS, ROWS, "table").decode().splitlines() == [
        "name          size  sha256",
        "a                1  000000000000",
        "b\\n\\x1b[31m  12345  abababababab",
        "",
    ]
    assert written(COLUMNS, [], "table") == b""


def test_csv_on_a_terminal_is_harmless_and_elsewhere_exact():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    stream = Terminal()
    write_rows(COLUMNS, ROWS, "csv", stream)
    assert stream.getvalue().decode().splitlines()[2] == "b\\n\\x1b[31m,12345," + "ab" * 32
    assert "\x1b" in written(COLUMNS, ROWS, "csv").decode()


def test_json_is_one_array_of_objects():
    objects = json.loads(written(COLUMNS, ROWS, "json"))
    assert objects == [
        {"name": "a", "size": 1, "sha256": "00" * 32},
        {"name": "b\n\x1b[31m", "size": 12345, "sha256": "ab" * 32},
        {"name": None, "size": None, "sha256": None},
    ]
    assert json.loads(written(COLUMNS, [], "json")) == []
    lines = written(COLUMNS, ROWS, "ndjson").decode().splitlines()
    assert [json.loads(line) for line in lines] == objects


def test_times_are_utc_with_z():
    moment = dt.datetime(2026, 5, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert plain(moment) == "2026-05-01T00:00:00Z"
    assert plain(moment.replace(microsecond=5)) == "2026-05-01T00:00:00.000005Z"


def test_what_json_does_not_have_is_text():
    stream = io.BytesIO()
    write_document({"a": [math.nan, math.inf, -math.inf, 1.5], "b": b"\x01"}, stream)
    assert json.loads(stream.getvalue()) == {"a": [".nan", ".inf", "-.inf", 1.5], "b": "01"}


def test_csv_is_read_back_by_the_standard_library():
    columns = [Column("a,b", FieldType.TEXT), Column("tags", FieldType.TEXTS), Column("m", "metadata")]
    data = written(columns, [('x"y\nz', ["p", "q"], {"k": 1})], "csv")
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert rows == [["a,b", "tags", "m"], ['x"y\nz', '["p", "q"]', '{"k": 1}']]


def test_parquet_keeps_types():
    moment = dt.datetime(2026, 5, 1, tzinfo=UTC)
    columns = [
        *COLUMNS,
        Column("at", FieldType.TIME),
        Column("sites", FieldType.TEXTS),
        Column("k", "metadata value"),
        Column("d", FieldType.DURATION),
    ]
    rows = [("a", 2**62, b"\x01" * 32, moment, ["x"], 7, 1), (None,) * 7]
    table = pq.read_table(io.BytesIO(written(columns, rows, "parquet")))
    assert table.to_pylist() == [
        {"name": "a", "size": 2**62, "sha256": "01" * 32, "at": moment, "sites": ["x"], "k": "7", "d": 1.0},
        dict.fromkeys(("name", "size", "sha256", "at", "sites", "k", "d")),
    ]
    assert pq.read_table(io.BytesIO(written(COLUMNS, [], "parquet"))).num_rows == 0


def test_parquet_is_not_written_to_a_terminal():
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(NotATerminalError):
        write_rows(COLUMNS, [], "parquet", Terminal())


@pytest.mark.parametrize("output_format", ["table", "json", "ndjson", "csv"])
def test_rows_stream(output_format):
    stream = io.BytesIO()
    sizes = []

    def rows():
        for index in range(5000):
            sizes.append(stream.tell())
            yield (f"file-{index}", index, None)

    write_rows(COLUMNS, rows(), output_format, stream)
    assert 0 < sizes[3000] < stream.tell()


@given(st.lists(st.tuples(unicode_text, st.integers() | st.floats() | unicode_text | st.none()), max_size=5))
def test_json_gives_back_exactly_what_went_in(rows):
    columns = [Column("a", FieldType.TEXT), Column("b", "metadata value")]
    expected = [{"a": a, "b": b if not isinstance(b, float) or math.isfinite(b) else plain(b)} for a, b in rows]
    assert json.loads(written(columns, rows, "json")) == expected
    assert [json.loads(line) for line in written(columns, rows, "ndjson").decode().split("\n") if line] == expected


@given(unicode_text, unicode_text)
def test_json_can_be_looked_at(key, value):
    shown = written([Column(key, FieldType.TEXT)], [(value,)], "ndjson").decode()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200f\u2028" for c in shown[:-1])
    assert json.loads(shown) == {key: value}


@given(st.lists(st.tuples(unicode_text, unicode_text), min_size=1, max_size=5))
def test_a_table_has_one_line_for_each_row(rows):
    columns = [Column("a", FieldType.TEXT), Column("b", FieldType.TEXT)]
    assert written(columns, rows, "table").count(b"\n") == len(rows) + 1
