"""The tables of a DuckLake 1.0 catalog, as the specification and the DuckDB extension have them; some stay empty.

Source: https://ducklake.select/docs/stable/specification/tables/overview for DuckLake 1.0; tests compare tables,
columns and types with those of catalogs that the extension itself makes, on SQLite and on PostgreSQL. SQLite has no
booleans, times and UUIDs: there they are integers and text. PostgreSQL compares text by bytes here, as Parquet and
DuckDB do, whatever order of words the database has: a client may let the server compare bounds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, Uuid
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from provenance.history.commits import catalog_time_text

METADATA = MetaData()


class _Time(TypeDecorator[dt.datetime]):
    """A time: on PostgreSQL a TIMESTAMPTZ, else text as in statistics. Always aware, in UTC."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The type that the database has for it."""
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String())

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        """What goes into the database."""
        return value if value is None or dialect.name == "postgresql" else catalog_time_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:
        """What comes out of it. Text that is no time stays as it is: whoever compares finds the difference."""
        try:
            time = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return value
        return time.astimezone(dt.UTC) if isinstance(time, dt.datetime) else value


_TYPES: Mapping[str, TypeEngine[Any]] = {
    "#": BigInteger(),
    "?": BigInteger().with_variant(Boolean(), "postgresql"),
    "@": _Time(),
    "!": String().with_variant(Uuid(as_uuid=False), "postgresql"),
    "": String().with_variant(String(collation="C"), "postgresql"),
}
"""By the mark behind a column's name: numbers, booleans, times, UUIDs, and text without a mark."""

_PRIMARY = {
    "ducklake_snapshot": "snapshot_id",
    "ducklake_snapshot_changes": "snapshot_id",
    "ducklake_schema": "schema_id",
    "ducklake_data_file": "data_file_id",
    "ducklake_delete_file": "delete_file_id",
}


def _table(name: str, columns: str) -> Table:
    """One table; ``columns`` are names, each with the mark of its type."""
    described = []
    for marked in columns.split():
        column = marked.rstrip("#?@!")
        primary = _PRIMARY.get(f"ducklake_{name}") == column
        described.append(Column(column, _TYPES[marked[len(column) :]], primary_key=primary, autoincrement=False))
    return Table(f"ducklake_{name}", METADATA, *described)


CATALOG = _table("metadata", "key value scope scope_id#")
SNAPSHOT = _table("snapshot", "snapshot_id# snapshot_time@ schema_version# next_catalog_id# next_file_id#")
SNAPSHOT_CHANGES = _table("snapshot_changes", "snapshot_id# changes_made author commit_message commit_extra_info")
SCHEMA = _table("schema", "schema_id# schema_uuid! begin_snapshot# end_snapshot# schema_name path path_is_relative?")
TABLE = _table(
    "table", "table_id# table_uuid! begin_snapshot# end_snapshot# schema_id# table_name path path_is_relative?"
)
COLUMN = _table(
    "column",
    "column_id# begin_snapshot# end_snapshot# table_id# column_order# column_name column_type initial_default "
    "default_value nulls_allowed? parent_column# default_value_type default_value_dialect",
)
DATA_FILE = _table(
    "data_file",
    "data_file_id# table_id# begin_snapshot# end_snapshot# file_order# path path_is_relative? file_format "
    "record_count# file_size_bytes# footer_size# row_id_start# partition_id# encryption_key mapping_id# partial_max#",
)
FILE_COLUMN_STATS = _table(
    "file_column_stats",
    "data_file_id# table_id# column_id# column_size_bytes# value_count# null_count# min_value max_value contains_nan? "
    "extra_stats",
)
TABLE_STATS = _table("table_stats", "table_id# record_count# next_row_id# file_size_bytes#")
TABLE_COLUMN_STATS = _table(
    "table_column_stats", "table_id# column_id# contains_null? contains_nan? min_value max_value extra_stats"
)
SCHEMA_VERSIONS = _table("schema_versions", "begin_snapshot# schema_version# table_id#")

# Nothing of these is used by a store, and a client expects all of them.
_table("view", "view_id# view_uuid! begin_snapshot# end_snapshot# schema_id# view_name dialect sql column_aliases")
_table("tag", "object_id# begin_snapshot# end_snapshot# key value")
_table("column_tag", "table_id# column_id# begin_snapshot# end_snapshot# key value")
_table(
    "file_variant_stats",
    "data_file_id# table_id# column_id# variant_path shredded_type column_size_bytes# value_count# null_count# "
    "min_value max_value contains_nan? extra_stats",
)
_table(
    "delete_file",
    "delete_file_id# table_id# begin_snapshot# end_snapshot# data_file_id# path path_is_relative? format delete_count# "
    "file_size_bytes# footer_size# encryption_key partial_max#",
)
_table("partition_info", "partition_id# table_id# begin_snapshot# end_snapshot#")
_table("partition_column", "partition_id# table_id# partition_key_index# column_id# transform")
_table("file_partition_value", "data_file_id# table_id# partition_key_index# partition_value")
_table("files_scheduled_for_deletion", "data_file_id# path path_is_relative? schedule_start@")
_table("inlined_data_tables", "table_id# table_name schema_version#")
_table("column_mapping", "mapping_id# table_id# type")
_table("name_mapping", "mapping_id# column_id# source_name target_field_id# parent_column# is_partition?")
_table("macro", "schema_id# macro_id# macro_name begin_snapshot# end_snapshot#")
_table("macro_impl", "macro_id# impl_id# dialect sql type")
_table(
    "macro_parameters",
    "macro_id# impl_id# column_id# parameter_name parameter_type default_value default_value_type",
)
_table("sort_info", "sort_id# table_id# begin_snapshot# end_snapshot#")
_table("sort_expression", "sort_id# table_id# sort_key_index# expression dialect sort_direction null_order")
