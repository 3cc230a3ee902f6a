"""Checked records as rows, column by column: attempts, their states, and all that they saw of files.

Ordinals follow from a record alone (provenance/identity.py), so that whoever ingests it names the same things alike.
Every table of the result has the columns of the store's table but ``commit_number``, and `columns.RECORD` after them.
Rows come in the order of the records; those of records in the order of attempts are in the order of their tables, save
``replicas``.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import Columns, bytes_of_hex, child, counted, table_of
from provenance.ingest.look_columns import Looks
from provenance.schema import Kind
from provenance.segments.arrow import column_type

_TIME = column_type(Kind.TIME)


def rows_of(records: CertainRecords) -> dict[str, pa.Table]:
    """The rows of records by table; what the records hold is not checked again."""
    attempts = records.attempts
    looks = Looks(records)
    return {
        "invocations": table_of("invocations", _invocations(records, attempts), records.numbers),
        "job_states": _job_states(records, attempts),
        "files": looks.files(),
        "uses": looks.uses(),
        "replicas": looks.sightings(),
        "checks": looks.checks(),
    }


def _invocations(records: CertainRecords, attempts: Columns) -> Columns:
    rows = records.rows
    usage = rows["usage"]
    return {
        **attempts,
        "host": rows["hostname"],
        "user_name": rows["user"],
        "python": child(rows["wrapper"], "python"),
        "started": rows["start"].cast(_TIME),
        "ended": rows["end"].cast(_TIME),
        "duration_seconds": rows["duration"],
        "exit_code": rows["exit_code"],
        "signal": rows["signal"],
        "status": rows["status"],
        "failure": rows["failure"],
        "cpu_seconds": pc.add(child(usage, "utime"), child(usage, "stime")),
        "max_rss_bytes": child(usage, "maxrss"),
        "read_bytes": child(usage, "inblock"),
        "written_bytes": child(usage, "outblock"),
        "stdout_tail": pc.fill_null(child(rows["stdout"], "text"), ""),
        "stderr_tail": pc.fill_null(child(rows["stderr"], "text"), ""),
        "command": rows["argument_vector"].cast(column_type(Kind.TEXTS)),
        "work_dir": rows["cwd"],
        "reuse_key": pc.if_else(_lack_an_input(rows), None, bytes_of_hex(rows["reuse_key"])),
        "record_sha256": records.digests,
    }


def _lack_an_input(rows: pa.RecordBatch) -> pa.Array:
    """Whether an optional input that the key of an attempt counts on had gone: then it ran with another key."""
    inputs = pc.list_flatten(rows["inputs"])
    gone = pc.and_(pc.equal(child(inputs, "verdict"), "missing"), pc.is_valid(child(inputs, "sha256")))
    which = pc.list_parent_indices(rows["inputs"]).filter(gone)
    return pc.is_in(counted(len(rows)), value_set=which.cast(pa.int64()))


def _job_states(records: CertainRecords, attempts: Columns) -> pa.Table:
    """Two states an attempt, one after the other."""
    count = len(records.rows)
    row, is_end = pc.divide(counted(2 * count), 2), pc.equal(pc.bit_wise_and(counted(2 * count), 1), 1)
    times = [records.rows[name].cast(_TIME).take(row) for name in ("start", "end")]
    columns = {name: column.take(row) for name, column in attempts.items()}
    columns |= {
        "state": pc.if_else(is_end, "ended", "started"),
        "at": pc.if_else(is_end, times[1], times[0]),
        "reason": pc.if_else(is_end, records.rows["failure"].take(row), None),
    }
    return table_of("job_states", columns, records.numbers.take(row))
