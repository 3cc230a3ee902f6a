"""Columns of somebody's Parquet table as values that metadata can hold.

Text, numbers, truth values, dates, times, nulls, dictionaries and lists of these; times and decimals as text, where
Python's own types are less exact. It refuses what would have to be guessed at: times of day, durations (in which
unit?), bytes, and what is nested deeper than a list.
"""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from provenance.metadata import JsonNumber, MetadataError, Written

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)
_AS_THEY_ARE = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)


def values(column: pa.Array) -> list[Any]:
    """One value for each row, as `provenance.metadata.from_json` takes it; None: null.

    Raises MetadataError if there is a value of a type that metadata cannot hold, or text that is no UTF-8.
    """
    kind = column.type
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_dictionary(kind):
        return values(column.dictionary_decode())
    if any(is_kind(kind) for is_kind in _LISTS) and not pa.types.is_nested(kind.value_type):
        return _lists(values(column.flatten()), pc.list_value_length(column).to_pylist())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        # Text of Arrow: 2026-11-23 05:20:00.000000000, with a Z where the column has a time zone.
        return [None if text is None else Written(text, "time") for text in column.cast(pa.string()).to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if text is None else JsonNumber(text) for text in column.cast(pa.string()).to_pylist()]
    if not any(is_kind(kind) for is_kind in _AS_THEY_ARE):
        raise MetadataError(f"a value cannot be of type {kind}", hint=_hint(kind))
    try:
        found: list[Any] = column.to_pylist()
    except UnicodeDecodeError as error:
        raise MetadataError(f"text that is not UTF-8: {error}", hint="write it as UTF-8") from error
    return found


def _lists(elements: list[Any], lengths: list[int | None]) -> list[list[Any] | None]:
    rest = iter(elements)
    return [None if length is None else list(itertools.islice(rest, length)) for length in lengths]


def _hint(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return "make each of its parts a column of its own, with a dotted name: a.b"
    if pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return "write it as a number of seconds"
    return "possible are text, numbers, true and false, dates, times with a date, and lists of these: write it as text"
