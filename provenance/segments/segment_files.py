"""Segments: immutable Parquet files, one for each table that a commit touches, made whole before anybody sees them.

A segment is built in memory, so that its digest is that of the bytes that were meant and not of what was read back,
then written. Its rows are sorted by the table's own order; how they are encoded is said in
provenance/segments/encodings.py.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance.errors import WriteFailedError
from provenance.history.commits import Segment
from provenance.schema import BY_NAME, COMMIT_NUMBER, LOOKED_UP, Table
from provenance.segments.arrow import arrow_schema, arrow_table, in_order, statistics
from provenance.segments.batch import Batch
from provenance.segments.damage import intact
from provenance.segments.encodings import write_options
from provenance.storage.interface import Storage

FOLDER = "segments"
_FOOTER_LENGTH = slice(-8, -4)
"""Where a Parquet file says how long its metadata is; the magic number follows."""


def write_batch(storage: Storage, batch: Batch, commit_number: int, nonce: str) -> list[Segment]:
    """Write one segment for each table that the batch has rows for. Raises WriteFailedError; then none is left."""
    storage.prepare(FOLDER, batch.tables())
    name = f"{commit_number:012d}-{nonce}"

    def write_table(table: str) -> Segment:
        return write(storage, BY_NAME[table], arrow_table(BY_NAME[table], batch, commit_number), name)

    try:
        return list(storage.together(write_table, batch.tables()))
    except WriteFailedError:
        for table in batch.tables():
            storage.remove(path_of(table, name))
        raise


def path_of(table: str, name: str) -> str:
    """Where the segment of a table with this name is."""
    return f"{FOLDER}/{table}/{name}.parquet"


def remove(storage: Storage, segments: Iterable[Segment]) -> None:
    """Remove segments that no commit names and none ever will."""
    for segment in segments:
        storage.remove(segment.path)


def write(storage: Storage, table: Table, rows: pa.Table, name: str) -> Segment:
    """Write rows of a table as the segment ``segments/TABLE/NAME.parquet``, whose folder exists.

    Rows must have the table's schema and order. Raises WriteFailedError.
    """
    data, metadata = encoded(table, rows)
    path = path_of(table.name, name)
    storage.write(path, data)
    sizes = column_sizes(metadata)
    return Segment(
        table=table.name,
        path=path,
        rows=rows.num_rows,
        size=len(data),
        footer_size=int.from_bytes(data[_FOOTER_LENGTH], "little"),
        sha256=hashlib.sha256(data).hexdigest(),
        columns={
            column.name: statistics(column.kind, rows.column(column.name), sizes[column.name])
            for column in table.columns
        },
    )


def merged(storage: Storage, table: Table, segments: Iterable[Segment]) -> pa.Table:
    """The rows of several segments of a table, in its order, each with the commit that brought it.

    A column that an older segment does not have is null there. Each is checked against its digest: damage must not get
    a new one and pass for what was recorded. Raises DamagedStoreError.
    """
    return in_order(table, pa.concat_tables([decoded(table, intact(storage, segment)) for segment in segments]))


def decoded(table: Table, data: bytes) -> pa.Table:
    """The rows in the bytes of a segment of a table, with all of its columns: null where the segment does not have one.

    Raises pyarrow.ArrowException.
    """
    # In this thread alone: most segments are small, and handing them to others takes longer than reading them.
    rows = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)
    return _with_schema(rows, arrow_schema(table))


def encoded(table: Table, rows: pa.Table) -> tuple[memoryview[int], pq.FileMetaData]:
    """The bytes of a segment with these rows, and its Parquet metadata. Equal rows are equal bytes, by one pyarrow.

    Rows of several commits were merged: they stay, and nobody waits for them, so what takes least room is looked for.
    """
    commits = pc.min_max(rows[COMMIT_NUMBER.name])
    sink = pa.BufferOutputStream()
    collected: list[pq.FileMetaData] = []
    pq.write_table(
        rows,
        sink,
        metadata_collector=collected,
        **write_options(rows, looked_up=LOOKED_UP.get(table.name, ()), thorough=commits["min"] != commits["max"]),
    )
    return memoryview(sink.getvalue()), collected[0]


def column_sizes(metadata: pq.FileMetaData) -> dict[str, int]:
    """Compressed bytes of each column of a file; a list's are those of its elements."""
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for position in range(metadata.num_columns):
            chunk = row_group.column(position)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
    return sizes


def _with_schema(part: pa.Table, schema: pa.Schema) -> pa.Table:
    there = frozenset(part.column_names)
    columns = [
        part.column(field.name).cast(field.type) if field.name in there else pa.nulls(part.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
