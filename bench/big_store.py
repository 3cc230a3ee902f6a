"""A big store made quickly: DuckDB makes the rows, as columns; they go through the writer, the commits and the care of
the store.

Every registration brings raw files with the eight keys of KEYS, each of another kind: few and many values, texts,
integers, floats, dates and truth values. Values follow from the position of the file: the same in every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from time import perf_counter

import duckdb
import pyarrow as pa

from provenance.history.commits import CommitKind, Segment, publish
from provenance.publishing.publication import new_nonce, next_commit
from provenance.schema import BY_NAME
from provenance.segments.arrow import arrow_schema, in_order
from provenance.segments.segment_files import write
from provenance.store import Store

KEYS = {
    # key: its text, integer, float, boolean and time form for file i; r(x) spreads the files over 0 .. x - 1
    "site": ("'site-' || r(12)", None, None, None, None),
    "instrument": ("'instrument-' || r(5)", None, None, None, None),
    "pi": ("'pi-' || r(400)", None, None, None, None),
    "night": ("strftime(DATE '2016-01-01' + r(3650)::INTEGER, '%Y-%m-%d')", None, None, None, "t::TIMESTAMP"),
    "exposure": ("1 + r(1800)", "t", "t", None, None),
    "quality": ("r(10000) / 10000", None, "t", None, None),
    "checked": ("r(10) > 0", None, None, "t", None),
    "serial": ("i", "t", "t", None, None),
}

MACRO = "CREATE TEMP MACRO r(i, x) AS (hash(i, x) % x)::BIGINT"

_FILES = """
SELECT $source AS source, n AS file, format('survey/{:05d}/image-{:07d}.fits', $number, n) AS name, 'raw' AS origin,
       'file' AS kind, 1000000 + r(i, 50000000) AS size_bytes, unhex(sha256(i::VARCHAR)) AS sha256,
       'observed' AS digest_origin, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes($number) AS created,
       make_timestamp((1.75e15 + r(i, 3000000000000))::BIGINT) AT TIME ZONE 'UTC' AS modified,
       'survey' AS owner, r(i, 100000) / 1e6 AS checksum_seconds
FROM positions
"""
_REPLICAS = """
SELECT source, file, 'local' AS site, 'file:///data/' || name AS url, 'registered' AS event, created AS "at",
       size_bytes,
       epoch_ns(modified::TIMESTAMP) AS modified_ns, epoch_ns(modified::TIMESTAMP) AS changed_ns,
       10000000 + $number * $files + file AS inode, 64768 AS device
FROM files
"""
_METADATA = """
SELECT 'file' AS entity, $source AS source, n AS number, '{key}' AS key, t AS written, 'untyped' AS written_type,
       t AS text_form, {integer}::BIGINT AS integer_form, {float}::DOUBLE AS float_form,
       {boolean}::BOOLEAN AS boolean_form, {time} AT TIME ZONE 'UTC' AS time_form, 'static' AS origin,
       'survey' AS author, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes($number) AS "at"
FROM (SELECT i, n, ({text})::VARCHAR AS t FROM positions)
"""


def fill(store: Store, *, commits: int, files: int) -> float:
    """Make ``commits`` registrations of ``files`` files each, as `pirene files add` would; the only writer. Gives the
    seconds that the slowest of them took, from its rows to the end of what it did for the store besides.
    """
    slowest = 0.0
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(MACRO)
        for number in range(commits):
            rows = _registration(connection, number, files)
            begun = perf_counter()
            commit_columns(store, CommitKind.REGISTER, rows)
            slowest = max(slowest, perf_counter() - begun)
    return slowest


def withdraw(store: Store, key: str, one_in: int) -> None:
    """Take a key away from one file in so many, in one commit."""
    sql = (
        "SELECT 'file' AS entity, source, file AS number, $key AS key, 'set' AS origin, 'survey' AS author, "
        "TIMESTAMPTZ '2026-06-01 00:00:00+00' AS \"at\", true AS withdrawn "
        f"FROM {store.relation('files')} WHERE hash(name) % $one_in = 0"
    )
    with store.connect() as connection:
        rows = connection.sql(sql, params={"key": key, "one_in": one_in}).to_arrow_table()
    commit_columns(store, CommitKind.METADATA, {"metadata": rows})


def commit_columns(store: Store, kind: CommitKind, rows: Mapping[str, pa.Table]) -> None:
    """Commit rows that are columns already; the only writer of this store. Columns that are left out are null."""
    snapshot = store.snapshot()
    nonce = new_nonce()
    segments: list[Segment] = []
    for name, table in rows.items():
        columns = {column: table.column(column) for column in table.column_names}
        columns["commit_number"] = pa.repeat(pa.scalar(snapshot.number + 1, pa.int64()), len(table))
        schema = arrow_schema(BY_NAME[name])
        arrays = [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(len(table), field.type)
            for field in schema
        ]
        ordered = in_order(BY_NAME[name], pa.Table.from_arrays(arrays, schema=schema))
        segments.append(write(store.storage, BY_NAME[name], ordered, f"{snapshot.number + 1:012d}-{nonce}"))
    commit = next_commit(store, snapshot, kind, nonce, segments)
    assert publish(store.storage, commit)
    store.snapshot()
    store.care(commit)


def source(number: int) -> int:
    """The source of a registration."""
    return int.from_bytes(hashlib.sha256(b"registration %d" % number).digest()[:8], "big", signed=True)


def _registration(connection: duckdb.DuckDBPyConnection, number: int, files: int) -> dict[str, pa.Table]:
    values = {"source": source(number), "number": number, "files": files}
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE positions AS SELECT n, $number * $files + n AS i FROM range($files) AS r(n)",
        {"number": number, "files": files},
    )
    made: dict[str, pa.Table] = {}
    for name, sql in (("files", _FILES), ("replicas", _REPLICAS), ("metadata", _metadata())):
        used = {key: value for key, value in values.items() if f"${key}" in sql}
        made[name] = connection.sql(sql, params=used).to_arrow_table()
        connection.register(name, made[name])
    return made


def _metadata() -> str:
    parts = []
    for key, (text, integer, floating, boolean, time) in KEYS.items():
        for_key = _METADATA.format(
            key=key,
            text=text.replace("r(", "r(i, "),
            integer=integer or "NULL",
            float=floating or "NULL",
            boolean=boolean or "NULL",
            time=time or "NULL::TIMESTAMP",
        )
        parts.append(for_key)
    return " UNION ALL ".join(parts)
