"""A process that writes to a store, or reads from it, and tells what it asked for and was answered, and when.

    process.py write STORE WRITER COMMITS        a line of JSON for each commit
    process.py read STORE UNTIL                  one for each look, until the file UNTIL is there

Every commit has two rows in every table, VALUE and -VALUE: whoever sees part of it sees sums that are not zero. A value
says which writer's which commit it is of, and has random bits. Times are nanoseconds of CLOCK_MONOTONIC, which is one
clock for all processes of a machine.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from provenance.history.commits import CommitKind
from provenance.schema import TABLES, Kind, Table
from provenance.segments.batch import Batch
from provenance.store import Store

WRITER_SHIFT, NUMBER_SHIFT = 40, 20
PAUSE_SECONDS = 0.5
NEW_EVERY = 5


def value_column(table: Table) -> str:
    """The first integer column of a table."""
    return next(column.name for column in table.columns if column.kind is Kind.INTEGER)


def write(root: str, writer: int, commits: int) -> None:
    """Commit, and say so."""
    store = Store.open(root)
    for number in range(commits):
        value = writer << WRITER_SHIFT | number << NUMBER_SHIFT | random.getrandbits(NUMBER_SHIFT)
        batch = Batch()
        for table in TABLES:
            for each in (value, -value):
                batch.add(table.name, **{value_column(table): each})
        _tell(invoked=time.monotonic_ns(), writer=writer, number=number)
        made = store.commit(CommitKind.INGEST, batch)
        assert made is not None
        _tell(returned=time.monotonic_ns(), commit=made.number)


def read(root: str, until: Path) -> None:
    """Look at all tables as of one moment, by turns with a new store object and one that follows the commits."""
    sums = " UNION ALL ".join(
        f"SELECT count(*) AS n, coalesce(sum({column}::HUGEINT), 0) AS zero, "
        f"coalesce(sum(abs({column})::HUGEINT), 0) AS all_of_it FROM {table.name}"
        for table in TABLES
        for column in [value_column(table)]
    )
    store, looks, last = Store.open(root), 0, False
    while not last:
        last = until.exists()
        looks += 1
        invoked = time.monotonic_ns()
        if looks % NEW_EVERY == 0:
            store = Store.open(root)
        snapshot = store.snapshot()
        returned = time.monotonic_ns()
        tables = [table.name for table in TABLES]
        found = store.rows(f"SELECT DISTINCT n, zero, all_of_it FROM ({sums})", tables=tables, snapshot=snapshot)
        values = store.rows(
            "SELECT run FROM job_edges WHERE run >= 0",
            tables=["job_edges"],
            snapshot=snapshot,
        )
        seen = [value >> NUMBER_SHIFT for (value,) in values]
        _tell(invoked=invoked, returned=returned, sums=[[int(each) for each in row] for row in found], seen=seen)
        time.sleep(PAUSE_SECONDS)


def _tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        read(sys.argv[2], Path(sys.argv[3]))
