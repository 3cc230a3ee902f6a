"""One run of many jobs, made quickly: each job reads three files of the level before its own and writes one."""

from __future__ import annotations

import big_store
import duckdb

from provenance.history.commits import CommitKind
from provenance.store import Store

LEVELS = 50
NEAR = 500
"""A job reads files of jobs at most so far from its place in the level before."""
INPUTS = 3

_JOBS = """
SELECT $run AS run, j AS job, 'job_' || j AS id, 'job' AS type, 'work' AS name, 'local' AS site, 'run' AS decision
FROM range(1, $jobs + 1) AS r(j)
"""
_FILES = """
SELECT $run AS source, j AS file, 'out/' || j AS name, 'produced' AS origin, 'file' AS kind, j AS job, 1 AS attempt,
       1000 + j % 1000 AS size_bytes, unhex(sha256(j::VARCHAR)) AS sha256, 'produced' AS digest_origin,
       TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(j) AS created
FROM range(1, $jobs + 1) AS r(j)
"""
_REPLICAS = """
SELECT source, file, 'local' AS site, 'file:///run/' || name AS url, 'registered' AS event, created AS "at", size_bytes
FROM files
"""
_USES = """
SELECT DISTINCT $run AS run, j AS job, 1 AS attempt, $run AS source,
       greatest((j - 1) // $width * $width - $width + 1, least((j - 1) // $width * $width,
                j - $width - $near + (hash(j, n) % (2 * $near + 1))::BIGINT)) AS file,
       'out/' || file AS name, 'input' AS role, 'read' AS direction
FROM range($width + 1, $jobs + 1) AS r(j), range($inputs) AS i(n)
UNION ALL
SELECT $run, j, 1, $run, j, 'out/' || j, 'output', 'write' FROM range(1, $jobs + 1) AS r(j)
"""


def fill(store: Store, jobs: int) -> None:
    """Commit a run of ``jobs`` jobs in LEVELS levels; nothing else is written meanwhile."""
    run = big_store.source(-1)
    values = {"run": run, "jobs": jobs, "width": jobs // LEVELS, "near": NEAR, "inputs": INPUTS}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        made = {}
        for name, sql in (("jobs", _JOBS), ("files", _FILES), ("replicas", _REPLICAS), ("uses", _USES)):
            used = {key: value for key, value in values.items() if f"${key}" in sql}
            made[name] = connection.sql(sql, params=used).to_arrow_table()
            connection.register(name, made[name])
    big_store.commit_columns(store, CommitKind.INGEST, made)
