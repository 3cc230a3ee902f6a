"""Batches take what a column can hold and refuse everything else, with the column's name."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.schema import BY_NAME
from provenance.segments.arrow import arrow_table, row_schema
from provenance.segments.batch import Batch


def test_rows_come_back_with_nulls_for_what_was_not_said() -> None:
    batch = Batch()
    batch.add("job_edges", run=1, parent=2, child=3)
    batch.add("job_edges", run=1, child=4)
    batch.add("workflow_states", run=1, state="planned")

    assert len(batch) == 3
    assert (batch.rows("job_edges"), batch.rows("files")) == (2, 0)
    assert batch.tables() == ("workflow_states", "job_edges")  # the order of the schema
    assert list(batch.each("job_edges")) == [
        {"run": 1, "parent": 2, "child": 3},
        {"run": 1, "parent": None, "child": 4},
    ]
    assert list(batch.each("files")) == []


def test_extend_appends() -> None:
    one, other = Batch(), Batch()
    one.add("job_edges", run=1)
    other.add("job_edges", run=2)
    other.add("files", name="x")
    one.extend(other)

    assert [row["run"] for row in one.each("job_edges")] == [1, 2]
    assert one.rows("files") == 1
    one.add("files", name="y")
    assert other.rows("files") == 1


@pytest.mark.parametrize(
    ("column", "value", "error", "message"),
    [
        ("file", "1", TypeError, "files.file: expected an integer, found str '1'"),
        ("file", True, TypeError, "files.file: expected an integer, found bool True"),
        ("file", 1.0, TypeError, "files.file: expected an integer, found float 1.0"),
        ("file", 1 << 63, ValueError, "files.file: expected an integer of 64 bits, found 9223372036854775808"),
        ("file", -(1 << 63) - 1, ValueError, "files.file: expected an integer of 64 bits"),
        ("name", b"x", TypeError, "files.name: expected text, found bytes"),
        ("sha256", "00", TypeError, "files.sha256: expected bytes, found str"),
        ("checksum_seconds", "1", TypeError, "files.checksum_seconds: expected a number, found str"),
        ("checksum_seconds", False, TypeError, "files.checksum_seconds: expected a number, found bool"),
        ("created", "2026-01-01", TypeError, "files.created: expected a time, found str"),
        ("created", dt.datetime(2026, 1, 1), ValueError, "files.created: expected a time with a time zone"),  # noqa: DTZ001
        ("checksums", "md5:1", TypeError, "files.checksums: expected a list, found str"),
        ("checksums", [1], TypeError, "files.checksums: expected text, found int 1"),
        ("checksums", [None], TypeError, "files.checksums: expected text, found NoneType"),
        ("commit_number", 1, KeyError, "files.commit_number is set by the store"),
        ("nmae", "x", KeyError, "files has no column 'nmae'; it has source, file, name"),
    ],
)
def test_what_a_column_cannot_hold_is_refused(column: str, value: object, error: type[Exception], message: str) -> None:
    batch = Batch()
    with pytest.raises(error) as caught:
        batch.add("files", name="good", **{column: value}) if column != "name" else batch.add("files", name=value)
    assert message in str(caught.value)
    assert len(batch) == 0


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(KeyError, match="'filez' is no table of the store; those are checks, file_digests, files"):
        Batch().add("filez", name="x")


def test_times_become_utc_and_integers_floats() -> None:
    batch = Batch()
    zone = dt.timezone(dt.timedelta(hours=2))
    batch.add("files", created=dt.datetime(2026, 1, 1, 1, tzinfo=zone), checksum_seconds=2)
    (row,) = batch.each("files")
    assert row["created"] == dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
    assert row["created"].tzinfo is dt.UTC  # type: ignore[attr-defined]
    assert isinstance(row["checksum_seconds"], float)


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_becomes_unicode_and_unicode_stays_as_it_is(text: str) -> None:
    batch = Batch()
    batch.add("files", name=text, checksums=[text])
    (row,) = batch.each("files")
    name = row["name"]
    assert isinstance(name, str)
    assert row["checksums"] == [name]
    assert name.encode("utf-8", "strict")[:0] == b""
    if not any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        assert name == text


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.none() | st.text(max_size=5)), max_size=5))
def test_columns_are_the_same_as_rows(rows: list[tuple[int, str | None]]) -> None:
    one_by_one, at_once = Batch(), Batch()
    for file, name in rows:
        one_by_one.add("files", source=7, file=file, name=name)
    columns = {"file": [file for file, _ in rows], "name": [name for _, name in rows]}
    at_once.add_columns("files", len(rows), columns, source=7)
    assert list(at_once.each("files")) == list(one_by_one.each("files"))
    at_once.add("files", source=8)
    assert at_once.rows("files") == len(rows) + 1


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"file": [1, "2"]}, TypeError, r"files\.file: expected an integer, found str '2'"),
        ({"file": [1]}, ValueError, r"files\.file: expected 2 values, found 1"),
        ({"created": [None, dt.datetime(2026, 1, 1)]}, ValueError, "a time with a time zone"),  # noqa: DTZ001 - what is refused
        ({"none": [1, 2]}, KeyError, "files has no column 'none'"),
        ({"commit_number": [1, 2]}, KeyError, "is set by the store"),
    ],
)
def test_columns_that_are_refused_leave_the_batch_as_it_was(
    columns: dict[str, Any], error: type[Exception], message: str
) -> None:
    batch = Batch()
    batch.add("files", source=1)
    with pytest.raises(error, match=message):
        batch.add_columns("files", 2, {"name": ["a", "b"], **columns}, source=7)
    assert [row["source"] for row in batch.each("files")] == [1]


def _edges(*children: int) -> pa.Table:
    rows = {"run": [1] * len(children), "parent": [None] * len(children), "child": children}
    return pa.table(rows, row_schema(BY_NAME["job_edges"]))


def test_blocks_of_rows_stand_beside_single_ones() -> None:
    batch, other = Batch(), Batch()
    batch.add_block("job_edges", _edges(5, 3))
    batch.add("job_edges", run=1, child=4)
    other.add_block("job_edges", _edges(1))
    other.add_block("files", row_schema(BY_NAME["files"]).empty_table())
    batch.extend(other)

    assert (len(batch), batch.rows("job_edges"), batch.tables()) == (4, 4, ("job_edges",))
    assert sorted(str(row["child"]) for row in batch.each("job_edges")) == ["1", "3", "4", "5"]
    written = arrow_table(BY_NAME["job_edges"], batch, 7)
    assert written["child"].to_pylist() == [1, 3, 4, 5]  # sorted as the table is
    assert written["commit_number"].to_pylist() == [7] * 4


def _files(**columns: pa.Array) -> pa.Table:
    schema = row_schema(BY_NAME["files"])
    arrays = [columns.get(field.name, pa.nulls(1, field.type)) for field in schema]
    return pa.Table.from_arrays(arrays, names=schema.names)


_NO_UTF8 = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])


@pytest.mark.parametrize(
    ("table", "rows", "error", "message"),
    [
        ("nodes", _edges(1), KeyError, "'nodes' is no table of the store"),
        ("files", _edges(1), TypeError, "files: expected the columns source, file, name"),
        ("job_edges", _edges(1).select(["run", "child", "parent"]), TypeError, "job_edges: expected the columns"),
        ("job_edges", _edges(1).append_column("commit_number", [[1]]), TypeError, "job_edges: expected the columns"),
        ("files", _files(file=pa.array([1.0])), TypeError, "files.file: expected int64, found double"),
        ("files", _files(file=pa.array([1], pa.uint64())), TypeError, "files.file: expected int64, found uint64"),
        ("files", _files(name=pa.array([b"x"])), TypeError, "files.name: expected string, found binary"),
        ("files", _files(created=pa.array([0], pa.timestamp("us"))), TypeError, "files.created: expected timestamp"),
        ("files", _files(created=pa.array([0], pa.timestamp("ns", "UTC"))), TypeError, "files.created: expected"),
        (
            "files",
            _files(checksums=pa.array([["a", None]])),
            TypeError,
            "files.checksums: expected string, found a null",
        ),
        ("files", _files(name=_NO_UTF8), ValueError, "files: "),
    ],
)
def test_what_a_column_cannot_hold_is_refused_in_blocks_too(
    table: str, rows: pa.Table, error: type[Exception], message: str
) -> None:
    batch = Batch()
    with pytest.raises(error) as caught:
        batch.add_block(table, rows)
    assert message in str(caught.value)
    assert len(batch) == 0
