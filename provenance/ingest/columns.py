"""Columns made of columns: what Arrow's kernels lack for the rows of records.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from provenance.schema import BY_NAME
from provenance.segments.arrow import row_schema
from provenance.urls import PLAIN_FILE

RECORD = "record"
"""The column after those of a table: the number of the record that a row is of, so that rows can be left out later."""
RECORD_TYPE = pa.int32()
Columns = Mapping[str, pa.Array]
_PLAIN_FILE = f"^(?:{PLAIN_FILE.pattern})$"


def counted(length: int) -> pa.Int64Array:
    """0, 1, 2, ..."""
    return pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), length)), 1)


def repeated(value: str | bool, times: int) -> pa.Array:
    """The same value ``times`` times."""
    return pa.repeat(pa.scalar(value), times)


def plain_files(urls: pa.StringArray) -> pa.BooleanArray:
    """Which URLs are in the form in which the store keeps those of files, as one can tell at once; missing ones are."""
    return pc.fill_null(pc.match_substring_regex(urls, _PLAIN_FILE), True)


def child(structs: pa.StructArray, name: str) -> pa.Array:
    """One field of structs; null where the struct is."""
    return pc.struct_field(structs, name)


def starts_of(lengths: pa.Array) -> pa.Int64Array:
    """Where lists of these lengths begin if they lie one after the other."""
    ends = pc.cumulative_sum(lengths.cast(pa.int64()))
    return pc.subtract(ends, lengths)


def bytes_of_hex(texts: pa.StringArray) -> pa.BinaryArray:
    """Hex as bytes, by their buffers: half as long each. Raises ValueError for what is no hex."""
    offsets = pa.Array.from_buffers(pa.int32(), len(texts) + 1, [None, texts.buffers()[1]], offset=texts.offset)
    first, end = offsets[0].as_py(), offsets[-1].as_py()
    data = binascii.unhexlify(texts.buffers()[2][first:end]) if end > first else b""
    there = pc.is_valid(texts).buffers()[1] if texts.null_count else None
    halves = pc.divide(pc.subtract(offsets, first), 2).cast(pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), len(texts), [there, halves, pa.py_buffer(data)])


def table_of(name: str, columns: Columns, record: pa.Array) -> pa.Table:
    """A table of the store with the columns that are given, the others null, and `RECORD` after them."""
    schema = row_schema(BY_NAME[name])
    arrays = [columns[field.name] if field.name in columns else pa.nulls(len(record), field.type) for field in schema]
    return pa.Table.from_arrays([*arrays, record], schema=schema.append(pa.field(RECORD, RECORD_TYPE)))
