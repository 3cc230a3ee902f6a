"""How columns are written: every value comes back, from DuckDB as from pyarrow, and takes no more room than it must."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.segments.encodings import ROW_GROUP_ROWS, options_for_questions, write_options

ROWS = 30_000
RANDOM = random.Random(7)
AT = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)

COLUMNS: dict[str, pa.Array] = {
    "few": pa.array([f"site-{n % 7}" for n in range(ROWS)]),
    "nothing": pa.nulls(ROWS, pa.string()),
    "name": pa.array([None if n % 11 == 0 else f"run/image-{n:06d}.fits" for n in range(ROWS)]),
    "ordinal": pa.array(range(ROWS), pa.int64()),
    "extreme": pa.array([(-1) ** n * ((1 << 63) - 1 - n) for n in range(ROWS)], pa.int64()),
    "digest": pa.array([hashlib.sha256(b"%d" % n).digest() for n in range(ROWS)], pa.binary()),
    "float": pa.array([float("nan") if n == 3 else RANDOM.random() for n in range(ROWS)]),
    "time": pa.array([AT + dt.timedelta(microseconds=RANDOM.randrange(10**12)) for _ in range(ROWS)]),
    "truth": pa.array([None if n % 3 == 0 else n % 2 == 0 for n in range(ROWS)]),
    "list": pa.array([[str(k) for k in range(n % 3)] for n in range(ROWS)]),
}


def written(tmp_path: Path, rows: pa.Table, **options: Any) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(rows, path, **write_options(rows, **options))
    return path


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 5, ROWS])
def test_every_value_comes_back(tmp_path: Path, rows: int, thorough: bool) -> None:
    table = pa.table(COLUMNS).slice(0, rows)
    path = written(tmp_path, table, looked_up=("name", "digest"), thorough=thorough)
    read = pq.read_table(path)
    assert repr(read.to_pylist()) == repr(table.to_pylist())
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        shown = connection.sql(f"SELECT {names} FROM read_parquet('{path}')").to_arrow_table()
    assert repr(shown.to_pylist()) == repr(table.to_pylist())


def encodings(path: Path, column: str) -> set[str]:
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(position) for position in range(group.num_columns)]
    return {name for chunk in chunks if chunk.path_in_schema.split(".")[0] == column for name in chunk.encodings}


def test_what_repeats_goes_through_a_dictionary_and_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, pa.table(COLUMNS))
    dictionary = {name for name in COLUMNS if "RLE_DICTIONARY" in encodings(path, name)}
    assert dictionary == {"few", "nothing", "list"} | (
        {"truth"} & dictionary
    )  # whether two truths do is of no interest
    assert "DELTA_BINARY_PACKED" in encodings(path, "ordinal") & encodings(path, "time")
    assert "DELTA_BYTE_ARRAY" in encodings(path, "name")
    assert "DELTA_LENGTH_BYTE_ARRAY" in encodings(path, "digest")


def test_what_repeats_in_order_is_written_as_differences(tmp_path: Path) -> None:
    """As metadata has it: the values of one key after those of the other, few of the one, many of the other."""
    half = ROWS // 2
    few, many = [n * 3 // half for n in range(half)], [10 * (n // 2) for n in range(half)]
    few = few * 3
    columns: dict[str, pa.Array] = {
        "text": pa.array([f"site-{n}" for n in few] + [f"{n:06d}" for n in many]),
        "integer": pa.array(few + many, pa.int64()),
        "float": pa.array([float(n) for n in few + many]),
        "no order": pa.array([RANDOM.randrange(1000) << 50 for _ in few + many], pa.int64()),
    }
    path = written(tmp_path, pa.table(columns), thorough=True)
    assert {name for name in columns if "RLE_DICTIONARY" in encodings(path, name)} == {"no order"}
    group = pq.read_metadata(path).row_group(0)
    sizes = {group.column(n).path_in_schema: group.column(n).total_compressed_size for n in range(group.num_columns)}
    pq.write_table(pa.table(columns), tmp_path / "plain.parquet", compression="zstd", use_dictionary=True)
    group = pq.read_metadata(tmp_path / "plain.parquet").row_group(0)
    for n in range(group.num_columns):
        column = group.column(n)
        if column.path_in_schema != "no order":
            assert sizes[column.path_in_schema] < column.total_compressed_size / 2, column.path_in_schema


def test_merged_rows_say_what_they_have_in_common_in_less_room(tmp_path: Path) -> None:
    """Registrations bring a few rows each to every value of a key: source and time follow from the commit, and neither
    is in order.
    """
    rows = 2 * ROW_GROUP_ROWS
    sources = [RANDOM.getrandbits(63) for _ in range(200)]
    times = [AT + dt.timedelta(seconds=60 * n, microseconds=RANDOM.randrange(10**6)) for n in range(200)]
    commits = [commit for _ in range(rows // 64) for commit in sorted(RANDOM.choices(range(200), k=64))]
    table = pa.table(
        {
            "source": pa.array([sources[commit] for commit in commits], pa.int64()),
            "at": pa.array([times[commit] for commit in commits]),
            "commit_number": pa.array(commits, pa.int64()),
        }
    )
    options = write_options(table, thorough=True)
    pq.write_table(table, tmp_path / "merged.parquet", **options)
    pq.write_table(
        table, tmp_path / "quick.parquet", **{**options, "compression_level": None, "max_rows_per_page": None}
    )
    assert (tmp_path / "merged.parquet").stat().st_size < 0.9 * (tmp_path / "quick.parquet").stat().st_size


def test_digests_take_their_bytes_and_ordinals_next_to_nothing(tmp_path: Path) -> None:
    group = pq.read_metadata(written(tmp_path, pa.table(COLUMNS))).row_group(0)
    sizes = {group.column(n).path_in_schema: group.column(n).total_compressed_size for n in range(group.num_columns)}
    assert sizes["digest"] < 32.1 * ROWS
    assert sizes["ordinal"] < 0.1 * ROWS


def test_look_ups_have_a_filter_where_there_are_many_rows(tmp_path: Path) -> None:
    for rows, expected in ((100, 0), (ROWS, 2)):
        path = written(tmp_path, pa.table(COLUMNS).slice(0, rows), looked_up=("name", "digest"))
        with duckdb.connect() as connection:
            found = connection.execute(
                f"SELECT count(*) FROM parquet_metadata('{path}') WHERE bloom_filter_offset IS NOT NULL"
            ).fetchone()
            assert found == (expected,)
            one = hashlib.sha256(b"42").digest()
            rows_found = connection.execute(f"SELECT ordinal FROM '{path}' WHERE digest = $1", [one]).fetchall()
            assert rows_found == [(42,)]


def test_what_is_written_to_be_asked_has_dictionaries_wherever_values_repeat(tmp_path: Path) -> None:
    nights = pa.array([str(RANDOM.randrange(4000)) for _ in range(ROWS)])
    table = pa.table(COLUMNS | {"night": nights})
    wanted = ("few", "night", "name", "float", "nothing")
    options = options_for_questions(table, looked_up=wanted)
    path = tmp_path / "asked.parquet"
    pq.write_table(table, path, **options)
    assert repr(pq.read_table(path).to_pylist()) == repr(table.to_pylist())
    assert "RLE_DICTIONARY" in encodings(path, "night") and "RLE_DICTIONARY" in encodings(path, "few")
    assert "RLE_DICTIONARY" not in encodings(written(tmp_path, table), "night")
    assert "RLE_DICTIONARY" not in encodings(path, "name") | encodings(path, "float")
    assert list(options["bloom_filter_options"]) == ["name", "float"]


def test_filters_find_both_zeros(tmp_path: Path) -> None:
    numbers = [[RANDOM.uniform(-1e6, 1e6) for _ in range(20_000)] for _ in range(20)]
    for number, group in enumerate(numbers):
        group[5] = -0.0 if number % 2 else 0.0
    table = pa.table({"x": pa.array([value for group in numbers for value in group])})
    path = tmp_path / "zeros.parquet"
    pq.write_table(table, path, **options_for_questions(table, looked_up=("x",)) | {"row_group_size": 20_000})
    with duckdb.connect(config={"threads": "1"}) as connection:
        for zero in (0.0, -0.0):
            sql = f"SELECT count(*) FROM read_parquet('{path}') WHERE x = $1"
            assert connection.execute(sql, [zero]).fetchall() == [(20,)]


def groups_of(values: list[str | None]) -> pa.Table:
    """The values as texts and as bytes, which `write_options` gives no dictionary here, with their positions."""
    blobs = [None if value is None else value.encode() for value in values]
    return pa.table(
        {"n": pa.array(range(len(values))), "t": pa.array(values, pa.string()), "b": pa.array(blobs, pa.binary())}
    )


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(["a", None], id="one text"),
        pytest.param([None, "", None], id="an empty one"),
        pytest.param(["a" * 40, None, "a" * 40], id="a long one"),
        pytest.param([None, None], id="none"),
        pytest.param(["a", "b", None], id="two"),
        pytest.param([*(f"{n:06d}" for n in range(ROW_GROUP_ROWS)), "last", None], id="in the last row group"),
    ],
)
def test_duckdb_finds_what_is_missing(tmp_path: Path, values: list[str | None]) -> None:
    path = written(tmp_path, groups_of(values))
    missing = [(n,) for n, value in enumerate(values) if value is None]
    others = [(n,) for n, value in enumerate(values) if value != values[0]]
    with duckdb.connect(config={"threads": "1"}) as connection:
        for column, first in (("t", values[0]), ("b", None if values[0] is None else values[0].encode())):
            rows = f"SELECT n FROM read_parquet('{path}') WHERE {column}"
            assert connection.execute(f"{rows} IS NULL").fetchall() == missing
            assert connection.execute(f"{rows} IS DISTINCT FROM $1", [first]).fetchall() == others


def test_other_columns_keep_their_bounds(tmp_path: Path) -> None:
    table = groups_of(["a", None]).append_column("list", pa.array([["x"], ["y"]]))
    group = pq.read_metadata(written(tmp_path, table)).row_group(0)
    chunks = [group.column(position) for position in range(group.num_columns)]
    bounds = {chunk.path_in_schema: chunk.is_stats_set for chunk in chunks}
    assert bounds == {"n": True, "t": False, "b": False, "list.list.element": True}
