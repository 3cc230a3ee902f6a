"""How the columns of a Parquet file are written: by what is in them, looked at here and there.

Values that repeat go through a dictionary, which is also what queries compare quickest. The others are written as
differences (integers, times, texts with a common beginning), as lengths and bytes (digests), or byte by byte (floats):
half the size of plain values for numbers and names, and read at least as quickly. Values that repeat and are in order,
as those of metadata are, may take less room as differences: where there is time for it, both are tried, and zstd looks
further. These are encodings of Parquet format 2; what they are worth is in docs/decisions/0009-layout.md.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 122_880
"""What DuckDB reads at a time: smaller ones are slower to scan, bigger ones slower to fetch from."""
_BLOCKS, _BLOCK_ROWS = 16, 512
_REPEATS = 4
"""A column is worth a dictionary if its values repeat so often, by the blocks that were looked at."""
_HARDLY_REPEATS = 1.25
"""If not even so often, it is not worth a trial."""
_CLEARLY_SMALLER = 0.75
"""Of the size with a dictionary; for less it is not given up."""
_NOTHING_BYTES = 0.02
"""For each row: what a column takes that has next to nothing to say."""
_DICTIONARY_BYTES = 16 << 20
"""Of the values of a row group; beyond, pages go without: room for a quarter of its rows if texts are ordinary."""
_FALSE_POSITIVES = 0.05
"""Of Bloom filters: one row group in twenty is read in vain; a byte for each row."""
_WORTH_A_FILTER = 16_384
"""Rows; what is smaller is read as quickly."""
_THOROUGH = {"compression_level": 9, "max_rows_per_page": ROW_GROUP_ROWS // 2}
"""A twelfth less room for metadata, in a twentieth of a microsecond a row; read as quickly. The levels above 12 take
three times as long, and larger pages make it slow to look for one value.
"""


def write_options(rows: pa.Table, *, looked_up: Sequence[str] = (), thorough: bool = False) -> dict[str, Any]:
    """Arguments for `pyarrow.parquet.write_table`; columns in ``looked_up`` get Bloom filters if rows are many.

    ``thorough``: of columns that repeat, both encodings are tried, which takes as long again as writing them.
    """
    options = _options(rows, {field.name for field in rows.schema if _repeats(rows, field.name, thorough)}, looked_up)
    return options | _THOROUGH if thorough else options


def options_for_questions(rows: pa.Table, *, looked_up: Sequence[str] = ()) -> dict[str, Any]:
    """The same for what is written to be asked, as often as may be: a dictionary wherever values repeat within a row
    group, however little the room that it saves, and Bloom filters for the other columns in ``looked_up``.
    """
    first = rows.slice(0, ROW_GROUP_ROWS)
    repeating = {field.name for field in rows.schema if _repeats_throughout(first.column(field.name))}
    found = _options(rows, repeating, [name for name in looked_up if name not in repeating])
    return found | {"dictionary_pagesize_limit": _DICTIONARY_BYTES}


def _options(rows: pa.Table, repeating: Collection[str], looked_up: Sequence[str]) -> dict[str, Any]:
    encodings = {
        field.name: encoding
        for field in rows.schema
        if field.name not in repeating and (encoding := _encoding(field.type)) is not None
    }
    filters = {name: _filter(rows.num_rows) for name in looked_up} if rows.num_rows >= _WORTH_A_FILTER else None
    return {
        **_form(),
        "use_dictionary": [_leaf(field) for field in rows.schema if field.name in repeating] or False,
        "column_encoding": encodings,
        "write_statistics": _with_statistics(rows, repeating),
        "bloom_filter_options": filters,
    }


def _with_statistics(rows: pa.Table, repeating: Collection[str]) -> bool | list[str]:
    """The columns that get bounds. One of texts or bytes, without a dictionary, gets none if some row group has nulls
    and one value only: DuckDB 2.0 takes all rows of that for nulls where it filters by IS NULL or IS DISTINCT FROM.
    """
    mistaken = {field.name for field in rows.schema if field.name not in repeating and _is_one_and_null(rows, field)}
    return True if not mistaken else [_leaf(field) for field in rows.schema if field.name not in mistaken]


def _is_one_and_null(rows: pa.Table, field: pa.Field) -> bool:
    column = rows.column(field.name)
    if not (pa.types.is_string(field.type) or pa.types.is_binary(field.type)) or not column.null_count:
        return False
    for start in range(0, len(column), ROW_GROUP_ROWS):
        group = column.slice(start, ROW_GROUP_ROWS)
        bounds = pc.min_max(group)
        if group.null_count and bounds["min"].is_valid and bounds["min"] == bounds["max"]:
            return True
    return False


def _form() -> dict[str, Any]:
    """What all columns have in common."""
    return {
        "row_group_size": ROW_GROUP_ROWS,
        "version": "2.6",
        "data_page_version": "2.0",
        "compression": "zstd",
        "store_schema": False,
    }


def _repeats(rows: pa.Table, name: str, thorough: bool) -> bool:
    """Whether a column goes through a dictionary; of lists, whose elements mostly repeat, it is taken for granted."""
    if pa.types.is_nested(rows.schema.field(name).type):
        return True
    sample = _sample(rows.column(name))
    distinct = pc.count_distinct(sample, mode="all").as_py()
    if thorough and distinct * _HARDLY_REPEATS <= len(sample):
        return _is_worth_it(rows.select([name]))
    return bool(distinct * _REPEATS <= max(len(sample), _REPEATS))


def _repeats_throughout(column: pa.ChunkedArray) -> bool:
    if pa.types.is_nested(column.type):
        return True
    return bool(pc.count_distinct(column, mode="all").as_py() * _REPEATS <= max(len(column), _REPEATS))


def _sample(column: pa.ChunkedArray) -> pa.ChunkedArray:
    length = len(column)
    if length <= _BLOCKS * _BLOCK_ROWS:
        return column
    step = (length - _BLOCK_ROWS) // (_BLOCKS - 1)
    return pa.chunked_array([chunk for n in range(_BLOCKS) for chunk in column.slice(n * step, _BLOCK_ROWS).chunks])


def _is_worth_it(column: pa.Table) -> bool:
    """Whether the values of a column, which is a table of its own, really take the least room in a dictionary."""
    (field,) = column.schema
    encoding = _encoding(field.type)
    if encoding is None:
        return True
    with_one = _size(column, use_dictionary=True)
    if with_one < _NOTHING_BYTES * column.num_rows:
        return True
    return _size(column, use_dictionary=False, column_encoding={field.name: encoding}) > _CLEARLY_SMALLER * with_one


def _size(column: pa.Table, **options: Any) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(column, sink, write_statistics=False, **_form(), **options)
    return int(sink.getvalue().size)


def _leaf(field: pa.Field) -> str:
    """The name under which Parquet knows the values of a column."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name


def _encoding(kind: pa.DataType) -> str | None:
    """The encoding for values that do not repeat; None: as they are."""
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return "DELTA_BINARY_PACKED"
    if pa.types.is_string(kind):
        return "DELTA_BYTE_ARRAY"
    if pa.types.is_binary(kind):
        return "DELTA_LENGTH_BYTE_ARRAY"
    return "BYTE_STREAM_SPLIT" if pa.types.is_floating(kind) else None


def _filter(rows: int) -> dict[str, float]:
    return {"ndv": min(rows, ROW_GROUP_ROWS), "fpp": _FALSE_POSITIVES}
