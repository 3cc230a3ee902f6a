"""What the DuckLake catalog says of a store, as plain rows: made from the schema, from commits and from live segments.

Snapshot 0 is the empty store with all of its tables, snapshot n is commit n. A compaction ends files and begins others:
rows leave and come back in one snapshot, and which rows there are does not change.

Bounds that hold U+0000, which PostgreSQL has no way to store, are left out as those are that nobody knows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from provenance.field_ids import ELEMENT, field_ids, is_list
from provenance.history.column_statistics import ColumnStatistics
from provenance.history.commits import Commit, Segment
from provenance.history.snapshot import Snapshot
from provenance.schema import COMMIT_NUMBER, TABLES, Kind, Table

Row = dict[str, Any]

TABLE_IDS: Mapping[str, int] = {table.name: position for position, table in enumerate(TABLES, start=1)}
"""Ids of tables in the catalog; schema ``main`` is 0."""

_NEXT_CATALOG_ID = len(TABLES) + 1
_LAST = 2 * ELEMENT
"""The place of ``commit_number``: behind all other columns, and behind the elements of lists."""
_TYPES: Mapping[Kind, str] = {
    Kind.INTEGER: "int64",
    Kind.FLOAT: "float64",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: "varchar",
    Kind.BYTES: "blob",
    Kind.TIME: "timestamptz",
    Kind.TEXTS: "varchar",
    Kind.INTEGERS: "int64",
}
_ORDER: Mapping[Kind, Callable[[str], Any]] = {Kind.INTEGER: int, Kind.INTEGERS: int, Kind.FLOAT: float}
"""How bounds of a kind compare; those of every other kind compare as their text does."""


def table_rows(store_id: str) -> Iterator[Row]:
    """Rows of ducklake_table."""
    for table in TABLES:
        yield {
            "table_id": TABLE_IDS[table.name],
            "table_uuid": str(uuid.uuid5(uuid.UUID(store_id), table.name)),
            "begin_snapshot": 0,
            "schema_id": 0,
            "table_name": table.name,
            "path": f"{table.name}/",
            "path_is_relative": True,
        }


def column_rows(table: Table, begins: Mapping[str, int]) -> Iterator[Row]:
    """Rows of ducklake_column for the columns in ``begins``, which says with which snapshot each begins: one a column,
    and one for the elements of each list.

    The order is that of field ids, with ``commit_number`` behind them all: what is added later moves nothing.
    """
    ids = field_ids(table)
    for column in table.columns:
        if column.name not in begins:
            continue
        shared = {
            "begin_snapshot": begins[column.name],
            "table_id": TABLE_IDS[table.name],
            "default_value": "NULL",
            "default_value_dialect": "duckdb",
        }
        own_id = ids[column.name]
        yield shared | {
            "column_id": own_id,
            "column_order": _LAST if column is COMMIT_NUMBER else own_id,
            "column_name": column.name,
            "column_type": "list" if is_list(column.kind) else _TYPES[column.kind],
            "nulls_allowed": column is not COMMIT_NUMBER,
            "parent_column": None,
            "default_value_type": "" if is_list(column.kind) else "literal",
        }
        if is_list(column.kind):
            yield shared | {
                "column_id": own_id + ELEMENT,
                "column_order": own_id + ELEMENT,
                "column_name": "element",
                "column_type": _TYPES[column.kind],
                "nulls_allowed": True,
                "parent_column": own_id,
                "default_value_type": "literal",
            }


def snapshot_row(number: int, time: dt.datetime, schema_version: int, next_file_id: int) -> Row:
    """The row of ducklake_snapshot for the commit ``number``, made at ``time``."""
    return {
        "snapshot_id": number,
        "snapshot_time": time,
        "schema_version": schema_version,
        "next_catalog_id": _NEXT_CATALOG_ID,
        "next_file_id": next_file_id,
    }


def version_row(schema_version: int, begin: int, table_id: int) -> Row:
    """The row of ducklake_schema_versions for a table that has other columns from snapshot ``begin`` on."""
    return {"begin_snapshot": begin, "schema_version": schema_version, "table_id": table_id}


def change_row(commit: Commit, altered: Sequence[int]) -> Row:
    """The row of ducklake_snapshot_changes for a commit that brings columns to the tables ``altered`` (their ids).

    Its extra information is the nonce of the commit.
    """
    changes = [f"altered_table:{table_id}" for table_id in altered]
    tables = dict.fromkeys(s.table for s in commit.segments if s.table in TABLE_IDS)  # several of one table: a pull
    changes += [f"inserted_into_table:{TABLE_IDS[table]}" for table in tables]
    changes += [f"deleted_from_table:{table_id}" for table_id in _replaced_tables(commit)]
    return {
        "snapshot_id": commit.number,
        "changes_made": ",".join(changes),
        "author": commit.author and commit.author.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        "commit_message": commit.kind.value,
        "commit_extra_info": commit.nonce,
    }


def data_file_row(segment: Segment, commit: Commit, file_id: int, row_id: int) -> Row:
    """The row of ducklake_data_file for a segment."""
    return {
        "data_file_id": file_id,
        "table_id": TABLE_IDS[segment.table],
        "begin_snapshot": commit.number,
        "end_snapshot": None,
        "path": segment.path.rpartition("/")[2],
        "path_is_relative": True,
        "file_format": "parquet",
        "record_count": segment.rows,
        "file_size_bytes": segment.size,
        "footer_size": segment.footer_size,
        "row_id_start": row_id,
    }


def file_statistics(segment: Segment, table: Table, file_id: int) -> Iterator[Row]:
    """Rows of ducklake_file_column_stats: one for each column of a segment; that of a list describes its elements."""
    ids = field_ids(table)
    for column in table.columns:
        found = segment.columns.get(column.name)
        if found is None:
            continue
        nulls = int(found.get("nulls", 0))
        listed = is_list(column.kind)
        yield {
            "data_file_id": file_id,
            "table_id": TABLE_IDS[table.name],
            "column_id": ids[column.name] + (ELEMENT if listed else 0),
            "column_size_bytes": found["size"],
            "value_count": found["values"] if listed else segment.rows - nulls,
            "null_count": 0 if listed else nulls,
            "min_value": found["min"] if _is_bounded(found) else None,
            "max_value": found["max"] if _is_bounded(found) else None,
            "contains_nan": "nan" in found if column.kind is Kind.FLOAT else None,
        }


def table_statistics(snapshot: Snapshot, next_row_ids: Mapping[str, int]) -> Iterator[Row]:
    """Rows of ducklake_table_stats, for tables that have rows, or had any before an erasure."""
    for table in TABLES:
        segments = snapshot.segments(table.name)
        if next_row_ids[table.name]:
            yield {
                "table_id": TABLE_IDS[table.name],
                "record_count": sum(segment.rows for segment in segments),
                "next_row_id": next_row_ids[table.name],
                "file_size_bytes": sum(segment.size for segment in segments),
            }


def table_column_statistics(snapshot: Snapshot, columns: Mapping[str, Iterable[str]]) -> Iterator[Row]:
    """Rows of ducklake_table_column_stats, for the ``columns`` of each table that has rows.

    Rows leave a store by erasure only, and the snapshots before that with them: those of today hold for every snapshot.
    """
    for table in TABLES:
        segments = snapshot.segments(table.name)
        ids = field_ids(table)
        for name in columns[table.name] if segments else ():
            kind = table.column(name).kind
            found = [(segment.rows, segment.columns.get(name, {})) for segment in segments]
            low, high = _bounds(kind, found)
            yield {
                "table_id": TABLE_IDS[table.name],
                "column_id": ids[name] + (ELEMENT if is_list(kind) else 0),
                "contains_null": any("size" not in one or "nulls" in one for _, one in found),
                "contains_nan": any("nan" in one for _, one in found) if kind is Kind.FLOAT else None,
                "min_value": low,
                "max_value": high,
            }


def _bounds(kind: Kind, found: list[tuple[int, ColumnStatistics]]) -> tuple[str | None, str | None]:
    """Bounds of a column over all segments; None where one with values does not say."""
    bounded = [one for _, one in found if _is_bounded(one)]
    if not bounded or any(not _is_bounded(one) and _has_values(rows, one) for rows, one in found):
        return None, None
    key = _ORDER.get(kind, str)
    return min((str(one["min"]) for one in bounded), key=key), max((str(one["max"]) for one in bounded), key=key)


def _is_bounded(found: ColumnStatistics) -> bool:
    return "min" in found and "\0" not in f"{found['min']}{found['max']}"


def _has_values(rows: int, found: ColumnStatistics) -> bool:
    if "values" in found:
        return int(found["values"]) > 0
    return "size" in found and rows > int(found.get("nulls", 0))


def _replaced_tables(commit: Commit) -> list[int]:
    named = {path.split("/")[1] for path in commit.replaces}
    return sorted(TABLE_IDS[name] for name in named if name in TABLE_IDS)
