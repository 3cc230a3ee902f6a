"""Arrow forms of the tables: schemas with field ids, columns made from a batch, statistics of columns.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from provenance.field_ids import ELEMENT, field_ids, is_list
from provenance.history.commits import catalog_time_text
from provenance.schema import BY_NAME, COMMIT_NUMBER, Kind, Table
from provenance.segments.batch import Batch

_LONGEST_BOUND = 128
"""Characters (of text) or bytes: longer bounds would make commits big and prune nothing that shorter ones do not."""

_TYPES: Mapping[Kind, pa.DataType] = {
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.BYTES: pa.binary(),
    Kind.TIME: pa.timestamp("us", "UTC"),
    Kind.TEXTS: pa.string(),
    Kind.INTEGERS: pa.int64(),
}


def column_type(kind: Kind) -> pa.DataType:
    """The Arrow type of a column of this kind."""
    return _field("", kind, 0).type


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """The schema of a table's segments: all columns nullable but ``commit_number``, with field ids."""
    ids = field_ids(table)
    return pa.schema([_field(column.name, column.kind, ids[column.name]) for column in table.columns])


def row_schema(table: Table) -> pa.Schema:
    """The same without ``commit_number``: what rows look like that are still to be committed."""
    schema = arrow_schema(table)
    return schema.remove(schema.get_field_index(COMMIT_NUMBER.name))


def checked_block(table: Table, rows: pa.Table) -> pa.Table:
    """Rows with the columns of `row_schema`, for a batch; errors as of `provenance.segments.batch.Batch.add_block`."""
    schema = row_schema(table)
    if rows.column_names != schema.names:
        raise TypeError(f"{table.name}: expected the columns {', '.join(schema.names)}; found {rows.column_names}")
    for field in schema:
        if rows.schema.field(field.name).type != field.type:
            found = rows.schema.field(field.name).type
            raise TypeError(f"{table.name}.{field.name}: expected {field.type}, found {found}")
        if pa.types.is_list(field.type) and pc.list_flatten(rows[field.name]).null_count:
            raise TypeError(f"{table.name}.{field.name}: expected {field.type.value_type}, found a null in a list")
    try:
        rows.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{table.name}: {error}") from None
    return rows.cast(schema)


def block_of(table: Table, columns: Mapping[str, Sequence[object]]) -> pa.Table:
    """Rows with the columns of `row_schema`, from columns of values that a batch has checked; none: no rows."""
    schema = row_schema(table)
    return pa.Table.from_arrays(
        [pa.array(columns[field.name] if columns else [], field.type) for field in schema], schema=schema
    )


def record_digests(batch: Batch) -> list[bytes]:
    """Digests of the invocation records that a batch brings, in the order in which a commit sums them up: that of run,
    job, attempt and digest, nulls last, so that whoever has the rows can make the root again, however they were merged
    since.
    """
    rows = _rows(BY_NAME["invocations"], batch)
    rows = rows.filter(pc.is_valid(rows["record_sha256"]))
    keys = [(name, "ascending") for name in ("run", "job", "attempt", "record_sha256")]
    digests: list[bytes] = rows["record_sha256"].take(pc.sort_indices(rows, sort_keys=keys)).to_pylist()
    return digests


def arrow_table(table: Table, batch: Batch, commit_number: int) -> pa.Table:
    """The rows that a batch has for a table, sorted as its segments are."""
    rows = _rows(table, batch)
    numbers = pa.repeat(pa.scalar(commit_number, pa.int64()), len(rows))
    return in_order(table, rows.append_column(arrow_schema(table).field(COMMIT_NUMBER.name), numbers))


def in_order(table: Table, rows: pa.Table) -> pa.Table:
    """Rows sorted by the columns that the table's segments are sorted by, then by commit; nulls last; stable."""
    keys = [(name, "ascending") for name in (*table.sort_by, COMMIT_NUMBER.name)]
    order = pc.sort_indices(rows, sort_keys=keys)
    # Rows of one run mostly come in their order, and moving them costs ten times as much as to see that.
    if pc.all(pc.greater(order[1:], order[:-1])).as_py():
        return rows
    return rows.take(order)


def statistics(kind: Kind, column: pa.ChunkedArray, compressed_bytes: int) -> dict[str, str | int]:
    """What a commit says of one column of a segment: see `provenance.history.commits.ColumnStatistics`."""
    found: dict[str, str | int] = {"size": compressed_bytes}
    if column.null_count:
        found["nulls"] = column.null_count
    values = column
    if is_list(kind):
        values = pc.list_flatten(column)
        found["values"] = len(values)
    if kind is Kind.FLOAT:
        not_a_number = pc.is_nan(values)
        if pc.any(not_a_number).as_py():
            found["nan"] = 1
            values = pc.filter(values, pc.invert(not_a_number))
    bounds = pc.min_max(values).as_py()
    low, high = bounds["min"], bounds["max"]
    if low is not None and all(_is_short(bound) for bound in (low, high)):
        found["min"], found["max"] = _bound(low), _bound(high)
    return found


def _rows(table: Table, batch: Batch) -> pa.Table:
    return pa.concat_tables([*batch.blocks(table.name), block_of(table, batch.columns(table.name))])


def _field(name: str, kind: Kind, field_id: int) -> pa.Field:
    metadata = {b"PARQUET:field_id": str(field_id).encode()}
    if not is_list(kind):
        return pa.field(name, _TYPES[kind], nullable=name != COMMIT_NUMBER.name, metadata=metadata)
    element = pa.field("element", _TYPES[kind], metadata={b"PARQUET:field_id": str(field_id + ELEMENT).encode()})
    return pa.field(name, pa.list_(element), metadata=metadata)


def _is_short(bound: object) -> bool:
    return not isinstance(bound, (str, bytes)) or len(bound) <= _LONGEST_BOUND


def _bound(value: object) -> str:
    """The text of a bound, in the forms that the DuckLake catalog has for them."""
    match value:
        case bool():
            return "1" if value else "0"
        case bytes():
            return value.hex().upper()
        case dt.datetime():
            return catalog_time_text(value)
        case float():
            return repr(value)
        case _:
            return str(value)
