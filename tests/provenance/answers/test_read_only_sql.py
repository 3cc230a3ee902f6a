"""SQL of users: what it shows is what is documented, and nothing it says can write, read other files or get more."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.answers.output import write_rows
from provenance.answers.published_views import PUBLISHED, unit
from provenance.answers.read_only_sql import ask
from provenance.errors import DamagedStoreError
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store
from query.errors import LocatedError, QueryError
from query.vocabulary import FieldType


@pytest.fixture
def filled(store: Store, full_batch: Callable[..., Batch]) -> Store:
    store.commit(CommitKind.PLAN, full_batch(1, 12))
    return store


def rows(store: Store, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    return list(ask(store, sql, parameters).rows)


@pytest.mark.parametrize("view", PUBLISHED, ids=lambda view: view.name)
def test_columns_are_those_that_are_documented(filled: Store, view) -> None:
    described = rows(filled, f"SELECT column_name, column_type FROM (DESCRIBE {view.name})")
    documented = [(column.name, column.kind.value) for column in view.columns]
    in_order = view.name != "current_metadata"  # whose subject is documented last
    assert (described if in_order else sorted(map(str, described))) == (
        documented if in_order else sorted(map(str, documented))
    )
    assert all(column.meaning for column in view.columns)
    assert len(rows(filled, f"FROM {view.name.upper()}")) == rows(filled, f"SELECT count(*) FROM {view.name}")[0][0]


@pytest.mark.parametrize(
    ("sql", "parameters", "message"),
    [
        ("SELECT '\udcff'", {}, r"the statement holds bytes that are not UTF-8: SELECT '\\xff'"),
        ("SELECT $x", {"x": "caf\udce9"}, r"the value of \$x holds bytes that are not UTF-8: caf\\xe9"),
        ("SELECT $x", {"x": ["a", "\udce9"]}, r"the value of \$x holds bytes that are not UTF-8"),
    ],
)
def test_text_of_other_bytes_is_refused(store: Store, sql: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        ask(store, sql, parameters)


def test_units_follow_from_names_and_types() -> None:
    units = {(view.name, column.name): unit(column) for view in PUBLISHED for column in view.columns}
    assert units["files", "size_bytes"] == "bytes"
    assert units["invocations", "cpu_seconds"] == "seconds"
    assert units["replicas", "modified_ns"] == "nanoseconds since 1970"
    assert units["files", "sha256"] == units["jobs", "executable_sha256"] == "32 bytes"
    assert units["files", "created"] == "UTC, microseconds"
    assert units["files", "name"] is None


FORBIDDEN = [
    "COPY files TO '{outside}'",
    "COPY (SELECT 1) TO '{segment}'",
    "ATTACH '{outside}' AS x",
    "CREATE TABLE x AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW files AS SELECT 1",
    "INSERT INTO files SELECT * FROM files",
    "WITH x AS (SELECT 1) INSERT INTO files SELECT * FROM x",
    "DELETE FROM files",
    "DROP VIEW files",
    "PRAGMA threads = 4",
    "SET threads = 4",
    "RESET threads",
    "SET lock_configuration = false",
    "INSTALL httpfs",
    "LOAD '{outside}'",
    "CALL enable_logging()",
    "EXPORT DATABASE '{outside}'",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN",
    "USE memory",
    "PREPARE x AS SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW files",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{outside}'",
    "EXPLAIN ANALYZE COPY (SELECT 'x' AS name FROM files) TO '{segment}' (FORMAT parquet, USE_TMP_FILE false)",
    "explain (format json) COPY (SELECT 'x' AS name FROM files) TO '{segment}'",
    "EXPLAIN (FORMAT 'a) SELECT 1 --') COPY (SELECT 'x' AS name FROM files) TO '{segment}'",
    "/**/ EXPLAIN ANALYZE COPY (SELECT 'x' AS name FROM files) TO '{segment}'",
    "FROM enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{outside}'}})",
    "FROM read_text('{secret}')",
    "FROM read_csv('{secret}')",
    "FROM read_parquet('{secret}')",
    "FROM '{secret}'",
    "FROM glob('{folder}/*')",
    "FROM sniff_csv('{secret}')",
    "FROM parquet_metadata('{secret}')",
    "FROM secret_of_python",
    "FROM query('COPY (SELECT 1) TO ''{outside}''')",
    "SELECT * FROM read_text('https://example.org/')",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_nothing_can_be_written_and_no_other_file_be_read(filled: Store, tmp_path: Path, sql: str) -> None:
    secret_of_python = [1]
    del secret_of_python
    secret, outside = tmp_path / "secret.csv", tmp_path / "outside"
    secret.write_text("a,b\n1,2\n")
    segment = next(filled.snapshot().live()).path
    before = sorted(filled.root.rglob("*")), (filled.root / segment).read_bytes()
    text = sql.format(secret=secret, outside=outside, folder=tmp_path, segment=filled.root / segment)
    with pytest.raises(QueryError) as caught:
        rows(filled, text)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1
    assert not outside.exists()
    assert (sorted(filled.root.rglob("*")), (filled.root / segment).read_bytes()) == before


@pytest.mark.parametrize(
    ("sql", "place", "said"),
    [
        ("SELECT * FORM files", "files", "Parser Error: syntax error"),
        ("SELECT 'é🦊', nope FROM files", "nope", 'Binder Error: Referenced column "nope" not found'),
        ("SELECT *\nFROM filez", "filez", "Catalog Error: Table with name filez does not exist"),
        ("SELECT name::INT FROM files", "::INT", "Conversion Error"),
    ],
)
def test_errors_say_where(filled: Store, sql: str, place: str, said: str) -> None:
    with pytest.raises(LocatedError) as caught:
        rows(filled, sql)
    assert str(caught.value).startswith(said)
    assert place in sql[caught.value.span[0] :]
    assert "^" in caught.value.report()


def test_parameters_are_numbers_times_and_text(filled: Store) -> None:
    asked = "SELECT $n + 1, $t, $b, $x, $q"
    values = {"n": "41", "t": "2026-05-01T00:00:00Z", "b": "true", "x": "it's; DROP", "q": '"42"'}
    (row,) = rows(filled, asked, **values)
    assert row == (42, dt.datetime(2026, 5, 1, tzinfo=dt.UTC), True, "it's; DROP", "42")
    assert rows(filled, "SELECT count(*) FROM files WHERE list_contains($many, job)", many=["1", "20000000038"]) == [
        (1,)
    ]
    with pytest.raises(QueryError, match=r"no value for \$n"):
        rows(filled, "SELECT $n")
    with pytest.raises(QueryError, match=r"there is no \$unused in the statement"):
        rows(filled, "SELECT 1", unused="1")


EVERY_TYPE = """SELECT 1::TINYINT AS a, 2::HUGEINT AS b, 1.5::DECIMAL(4,1) AS c, 0.5::FLOAT AS d, DATE '2026-01-02' AS e,
    TIMESTAMP '2026-01-02 03:04:05' AS f, TIMESTAMPTZ '2026-01-02 03:04:05Z' AS g, TIME '10:00' AS h, INTERVAL 1 DAY AS i,
    {'x': [1, NULL]} AS j, MAP {'k': DATE '2026-01-02'} AS k, ['a', NULL] AS l, '\\x00\\xff'::BLOB AS m, true AS n, NULL AS o,
    '3ff81fcb-1cbe-4b43-a7e6-25c84bdfb7ca'::UUID AS p, 'nan'::DOUBLE AS q"""


def test_values_of_every_type_go_through_every_output(store: Store) -> None:
    expected = {
        "a": 1, "b": 2, "c": 1.5, "d": 0.5, "e": "2026-01-02", "f": "2026-01-02T03:04:05", "g": "2026-01-02T03:04:05Z",
        "h": "10:00:00", "i": "1 day, 0:00:00", "j": {"x": [1, None]}, "k": {"k": "2026-01-02"}, "l": ["a", None],
        "m": "00ff", "n": True, "o": None, "p": "3ff81fcb-1cbe-4b43-a7e6-25c84bdfb7ca", "q": ".nan",
    }  # fmt: skip
    for output_format in ("table", "json", "ndjson", "csv", "parquet"):
        result, stream = ask(store, EVERY_TYPE), io.BytesIO()
        write_rows(result.columns, result.rows, output_format, stream)
        if output_format == "ndjson":
            assert json.loads(stream.getvalue()) == expected
        if output_format == "parquet":
            (row,) = pq.read_table(io.BytesIO(stream.getvalue())).to_pylist()
            assert (row["a"], row["b"], row["c"], row["l"], row["n"]) == (1, 2, 1.5, ["a", None], True)
            assert row["g"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
        assert stream.getvalue()


def test_what_no_output_can_hold_is_said(store: Store) -> None:
    with pytest.raises(QueryError, match="a: 9223372036854775808 has more than 64 bits"):
        rows(store, "SELECT 9223372036854775807::HUGEINT + 1 AS a")


def test_all_tables_are_listed_where_tables_are_listed(filled: Store) -> None:
    listed = {row[0] for row in rows(filled, "SHOW TABLES")}
    assert listed >= {view.name for view in PUBLISHED}


def test_a_result_streams(store: Store) -> None:
    first = next(ask(store, "FROM range(1000000000000)").rows)
    assert first == (0,)


def test_columns_of_one_name_are_all_shown(store: Store) -> None:
    result, stream = ask(store, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a"), io.BytesIO()
    write_rows(result.columns, result.rows, "json", stream)
    assert json.loads(stream.getvalue()) == [{"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}]


LONG = "0.12345678901234567890123456789012345678"


def test_decimal_numbers_keep_all_their_digits(store: Store) -> None:
    exact = f"'{LONG}'::DECIMAL(38, 38)"
    sql = f"SELECT {exact} AS a, 1.10 AS b, -12345678901234567890.5 AS c, [{exact}] AS d, 1e-7::DECIMAL(9, 8) AS e"
    printed = {}
    for kind in ("json", "ndjson", "csv", "table", "parquet"):
        result, stream = ask(store, sql), io.BytesIO()
        write_rows(result.columns, result.rows, kind, stream)
        printed[kind] = stream
    for kind in ("ndjson", "csv", "table"):
        for digits in (LONG, "1.10", "-12345678901234567890.5", "0.00000010"):
            assert digits in printed[kind].getvalue().decode(), kind
    (row,) = json.loads(printed["json"].getvalue(), parse_float=Decimal)
    assert row["a"] == row["d"][0] == Decimal(LONG)
    assert row["c"] == Decimal("-12345678901234567890.5")
    table = pq.read_table(printed["parquet"])
    assert table.column("a").to_pylist() == [Decimal(LONG)]
    assert table.column("b").type == pa.decimal128(3, 2)


def test_damage_is_named(filled: Store) -> None:
    path = filled.root / next(one.path for one in filled.snapshot().live() if one.table == "files")
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:4] + b"X" * 400 + whole[404:])
    with pytest.raises(DamagedStoreError, match=f"{path}: expected {len(whole)} bytes with sha256"):
        rows(filled, "FROM file_overview")
    path.unlink()
    with pytest.raises(DamagedStoreError, match=f"{path}: No such file"):
        rows(filled, "SELECT count(*) FROM file_overview")


def test_types_of_columns_say_how_they_are_printed(filled: Store) -> None:
    columns = ask(filled, "SELECT name, size_bytes, sha256, created, checksums, checksum_seconds FROM files").columns
    kinds = [FieldType.TEXT, FieldType.INTEGER, FieldType.TEXT, FieldType.TIME, FieldType.TEXTS, FieldType.FLOAT]
    assert [column.type for column in columns] == kinds


@pytest.mark.parametrize("sql", ["SELECT 1 / (SELECT nothing)", "SELECT 1; SELECT 2", "DROP TABLE files", "SELECT $x",
                                 "SELECT error('later') FROM range(9)", "SELECT 1"])  # fmt: skip
def test_its_database_is_closed_and_its_thread_ends_whatever_happens(
    sql: str, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[duckdb.DuckDBPyConnection] = []
    connect = duckdb.connect

    def recorded(*arguments: object, **options: object) -> duckdb.DuckDBPyConnection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(duckdb, "connect", recorded)
    before = threading.active_count()
    with nullcontext() if sql == "SELECT 1" else pytest.raises(QueryError):
        list(ask(filled, sql).rows)
    (connection,) = opened
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.execute("SELECT 1")
    assert threading.active_count() == before
