"""Lineage in one run of a million jobs, beside recursive CTEs of PostgreSQL and SQLite, and DuckDB by hand."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import beside
import big_run
import duckdb
from beside import Seen
from peers import PostgreSQL, SQLite, postgresql

from provenance.segments.relations import quoted
from provenance.store import Store

JOBS = int(os.environ.get("PIRENE_BENCH_JOBS", "1000000"))
_AIMS = "Aims: all ancestors at least 5 times ahead; 3 steps at most 40 ms; at most 2 times by hand."
_OURS, _BY_HAND, _POSTGRESQL, _SQLITE = "Pirene", "DuckDB by hand", "PostgreSQL", "SQLite"

_SEEDS = "SELECT source AS s0, file AS f0 FROM files WHERE name = $name"
_ALL_BY_HAND = f"""
WITH RECURSIVE edges AS MATERIALIZED (
    SELECT u.source AS s0, u.file AS f0, f.source AS s1, f.file AS f1
    FROM uses AS u JOIN files AS f ON f.source = u.run AND f.job = u.job WHERE u.direction = 'read'
), walk(s, f) AS (
    SELECT edges.s0, edges.f0 FROM edges JOIN ({_SEEDS}) AS seeds ON s1 = seeds.s0 AND f1 = seeds.f0
    UNION SELECT s0, f0 FROM edges JOIN walk ON s1 = s AND f1 = f
)
SELECT count(*), sum(size_bytes) FROM files SEMI JOIN walk ON source = s AND file = f
"""
_STEP_BY_HAND = """
j{n} AS MATERIALIZED (
    SELECT DISTINCT f.source AS s, f.job AS j FROM files AS f SEMI JOIN {before} AS b ON f.source = s0 AND f.file = f0
), f{n} AS MATERIALIZED (
    SELECT DISTINCT u.source AS s0, u.file AS f0 FROM uses AS u SEMI JOIN j{n} AS b ON run = s AND job = j
    WHERE direction = 'read'
)"""
_FEW_BY_HAND = (
    f"WITH f0 AS MATERIALIZED ({_SEEDS}),"
    + ",".join(_STEP_BY_HAND.format(n=n, before=f"f{n - 1}") for n in (1, 2, 3))
    + " SELECT name FROM files SEMI JOIN (FROM f1 UNION FROM f2 UNION FROM f3) AS b ON source = s0 AND file = f0"
)
_WALK = """
WITH RECURSIVE up(file{depth}) AS (
    SELECT r.file{one} FROM file AS f JOIN wrote AS w ON w.file = f.id JOIN has_read AS r ON r.job = w.job
    WHERE f.name = '{name}'
    UNION
    SELECT r.file{more} FROM up JOIN wrote AS w ON w.file = up.file JOIN has_read AS r ON r.job = w.job{bound}
)
"""
_ALL = _WALK + "SELECT count(*), sum(size_bytes) FROM up JOIN file AS f ON f.id = up.file"
_FEW = _WALK + "SELECT name FROM file WHERE id IN (SELECT file FROM up)"


def section(scratch: Path) -> str:
    """The section of the report."""
    scratch.chmod(0o755)  # the server runs as another user
    store = Store.open(scratch / "store")
    big_run.fill(store, JOBS)
    store.promote(eager=True)
    store.sum_up()
    name = f"out/{JOBS - JOBS // 100}"
    with postgresql(scratch / "postgresql") as server, duckdb.connect() as connection:
        small = SQLite(scratch / "peer.sqlite")
        for table in ("files", "uses"):
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {store.relation(table)}")
        for database in (server, small):
            load(database, connection, scratch)
        all_of_them = measured(
            f'files upstream of (files where name = "{name}") summarize count(*), sum(size)', _ALL_BY_HAND,
            _ALL.format(name=name, depth="", one="", more="", bound=""), name, store, connection, server, small,
        )  # fmt: skip
        few = measured(
            f'files upstream of (files where name = "{name}") within 3 steps', _FEW_BY_HAND,
            _FEW.format(name=name, depth=", depth", one=", 1", more=", depth + 1", bound=" WHERE depth < 3"),
            name, store, connection, server, small,
        )  # fmt: skip
        versions = f"{server.version()}, {small.version()}, DuckDB {duckdb.__version__}"
    return report({"all ancestors of one file, counted": all_of_them, "ancestors within 3 steps": few}, versions)


def load(database: PostgreSQL | SQLite, connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    """Files, and which job wrote and read them, with indexes for both directions. In one run, jobs have a number."""
    database.run(
        "CREATE TABLE file (id INTEGER PRIMARY KEY, name TEXT, size_bytes BIGINT)",
        "CREATE TABLE wrote (file INTEGER PRIMARY KEY, job INTEGER)",
        "CREATE TABLE has_read (job INTEGER, file INTEGER)",
    )
    for table, sql in (
        ("file", "SELECT file, name, size_bytes FROM files"),
        ("wrote", "SELECT file, job FROM files"),
        ("has_read", "SELECT job, file FROM uses WHERE direction = 'read'"),
    ):
        path = scratch / f"{table}.csv"
        connection.execute(f"COPY ({sql}) TO {quoted(str(path))} (FORMAT csv, HEADER false)")
        database.load(table, path)
        path.unlink()
    database.run(
        "CREATE INDEX file_name ON file (name)",
        "CREATE INDEX wrote_job ON wrote (job, file)",
        "CREATE INDEX has_read_job ON has_read (job, file)",
        "CREATE INDEX has_read_file ON has_read (file, job)",
        *(("VACUUM ANALYZE",) if isinstance(database, PostgreSQL) else ("ANALYZE",)),
    )


def measured(
    ours: str, by_hand: str, walk: str, name: str,
    store: Store, connection: duckdb.DuckDBPyConnection, server: PostgreSQL, small: SQLite,
) -> dict[str, Seen]:  # fmt: skip
    """One question, asked of all."""
    engines = {
        _OURS: lambda: list(store.query(ours).rows()),
        _BY_HAND: lambda: connection.execute(by_hand, {"name": name}).fetchall(),
        _POSTGRESQL: functools.partial(server.asked, walk, beside.PATIENCE_SECONDS),
        _SQLITE: functools.partial(small.asked, walk, beside.PATIENCE_SECONDS),
    }
    found = beside.asked(engines, by_first_column="summarize" not in ours)
    print(ours, {engine: seen.cell() for engine, seen in found.items()}, flush=True)
    return found


def report(found: dict[str, dict[str, Seen]], versions: str) -> str:
    """The section: a table, and what was aimed for."""
    names = (_OURS, _BY_HAND, _POSTGRESQL, _SQLITE)
    lines = [
        "## Lineage",
        "",
        f"One run of {JOBS} jobs in {big_run.LEVELS} levels, each of which reads {big_run.INPUTS} files of the level",
        f"before, at most {big_run.NEAR} places away, and writes one. {versions};",
        "edges indexed in both directions, analysed. Connections are open, warm; medians of",
        f"{beside.TIMES} times in turn, fewer of what takes seconds. All give the same rows. By hand is DuckDB over",
        f"the files of `files` and `uses`. {os.getloadavg()[1]:.1f} processes wanted the processors meanwhile.",
        "Milliseconds:",
        "",
        f"| question | {' | '.join(names)} | times ahead of the best CTE | times by hand |",
        f"|---|{'---:|' * (len(names) + 2)}",
    ]
    for question, seen in found.items():
        mine = seen[_OURS].median
        ahead = min(seen[_POSTGRESQL].median, seen[_SQLITE].median) / mine
        cells = " | ".join(seen[name].cell() for name in names)
        lines.append(f"| {question} | {cells} | {ahead:.1f} | {mine / seen[_BY_HAND].median:.2f} |")
    return "\n".join([*lines, "", _AIMS])
