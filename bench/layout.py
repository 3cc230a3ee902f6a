"""Bytes that facts take: rows of uses and metadata after compaction; a job with two files and six states, beside the
same facts in the tables that Pegasus' monitoring keeps in SQLite.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import big_store
import duckdb

from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.store import Store

JOBS = int(os.environ.get("PIRENE_BENCH_JOBS", "200000"))
FILES = int(os.environ.get("PIRENE_BENCH_LAYOUT_FILES", "1000000"))
_COMMITS = 20
_FEW_FILES = 100
_FEW_COMMITS = int(os.environ.get("PIRENE_BENCH_LAYOUT_COMMITS", "2500"))
_STATES = (
    "SUBMIT",
    "EXECUTE",
    "JOB_TERMINATED",
    "JOB_SUCCESS",
    "POST_SCRIPT_STARTED",
    "POST_SCRIPT_SUCCESS",
)

_FACTS = """
CREATE TEMP TABLE facts AS
SELECT j, 'job_' || format('{:07d}', j) AS id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_milliseconds(37 * j + r(j,
        400)) AS
       started, 1 + r(j, 100000) / 1000 AS duration, r(j, 90000) / 1000 AS cpu, 50000 + r(j, 70000) AS maxrss,
       'node' || r(j, 64) AS host, format('in/part-{:07d}.dat', j) AS input, format('out/part-{:07d}.dat',
        j) AS output,
       1000 + r(j, 9000000) AS input_size, 2000 + r(j, 8000000) AS output_size, sha256('i' || j) AS input_sha256,
       sha256('o' || j) AS output_sha256
FROM range($first, $last) AS jobs(j)
"""
_OURS = {
    "jobs": """SELECT 77 AS run, j AS job, id, 'job' AS type, 'extract' AS name, ['--in', input, '--out',
        output] AS arguments,
        [] AS environment, 'pool' AS site, '/usr/bin/extract' AS executable, 'run' AS decision FROM facts""",
    "job_states": """SELECT 77 AS run, j AS job, 1 AS attempt, s.state, started + to_milliseconds(s.n) AS "at"
        FROM facts, (SELECT unnest($states) AS state, generate_subscripts($states, 1) AS n) AS s""",
    "invocations": """SELECT 77 AS run, j AS job, 1 AS attempt, host, 'survey' AS user_name, started,
        started + to_seconds(duration) AS ended, duration AS duration_seconds, 0 AS exit_code, 'succeeded' AS status,
        cpu AS cpu_seconds, maxrss AS max_rss_bytes, ['/usr/bin/extract', '--in', input, '--out', output] AS command
        FROM facts""",
    "uses": """SELECT 77 AS run, j AS job, 1 AS attempt, 78 AS source, j AS file, input AS name, 'input' AS role,
        'read' AS direction, input_size AS size_bytes, unhex(input_sha256) AS sha256 FROM facts UNION ALL
        SELECT 77, j, 1, 77, (j << 30) + (1 << 20), output, 'output', 'write', output_size,
        unhex(output_sha256) FROM facts""",
    "files": """SELECT 77 AS source, (j << 30) + (1 << 20) AS file, output AS name, 'produced' AS origin,
        'file' AS kind, j AS job,
        1 AS attempt, output_size AS size_bytes, unhex(output_sha256) AS sha256, 'produced' AS digest_origin,
        started + to_seconds(duration) AS created FROM facts""",
    "replicas": """SELECT 77 AS source, (j << 30) + (1 << 20) AS file, 'pool' AS site,
        'file:///data/run/' || output AS url,
        'registered' AS event, started + to_seconds(duration) AS "at", output_size AS size_bytes FROM facts""",
}

# The columns, keys and indexes of Pegasus 5's own tables (Pegasus/db/schema.py of its Python package),
# in DDL of ours.
_PEGASUS = """
CREATE TABLE job (job_id INTEGER PRIMARY KEY, wf_id INTEGER NOT NULL, exec_job_id TEXT NOT NULL,
        submit_file TEXT NOT NULL,
    type_desc TEXT NOT NULL, clustered BOOLEAN NOT NULL, max_retries INTEGER NOT NULL, executable TEXT NOT NULL,
        argv TEXT,
    task_count INTEGER NOT NULL, UNIQUE (wf_id, exec_job_id));
CREATE INDEX job_1 ON job (type_desc);
CREATE INDEX job_2 ON job (exec_job_id);
CREATE TABLE job_instance (job_instance_id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, host_id INTEGER,
    job_submit_seq INTEGER NOT NULL, sched_id TEXT, site TEXT, user TEXT, work_dir TEXT, cluster_start NUMERIC,
    cluster_duration NUMERIC, local_duration NUMERIC, subwf_id INTEGER, stdout_file TEXT, stdout_text TEXT,
        stderr_file TEXT,
    stderr_text TEXT, stdin_file TEXT, multiplier_factor INTEGER NOT NULL, exitcode INTEGER, UNIQUE (job_id,
        job_submit_seq));
CREATE TABLE jobstate (job_instance_id INTEGER NOT NULL, state TEXT NOT NULL, timestamp NUMERIC NOT NULL,
    jobstate_submit_seq INTEGER NOT NULL, reason TEXT, PRIMARY KEY (job_instance_id, state, timestamp,
        jobstate_submit_seq));
CREATE INDEX jobstate_1 ON jobstate (jobstate_submit_seq);
CREATE TABLE task (task_id INTEGER PRIMARY KEY, wf_id INTEGER NOT NULL, job_id INTEGER, abs_task_id TEXT NOT NULL,
    transformation TEXT NOT NULL, argv TEXT, type_desc TEXT NOT NULL, UNIQUE (wf_id, abs_task_id));
CREATE INDEX task_1 ON task (abs_task_id);
CREATE INDEX task_2 ON task (wf_id);
CREATE TABLE invocation (invocation_id INTEGER PRIMARY KEY, wf_id INTEGER NOT NULL, job_instance_id INTEGER NOT NULL,
    task_submit_seq INTEGER NOT NULL, start_time NUMERIC NOT NULL, remote_duration NUMERIC NOT NULL,
        remote_cpu_time NUMERIC,
    exitcode INTEGER NOT NULL, transformation TEXT NOT NULL, executable TEXT NOT NULL, argv TEXT, abs_task_id TEXT,
    maxrss INTEGER, avg_cpu NUMERIC, UNIQUE (job_instance_id, task_submit_seq));
CREATE INDEX invocation_1 ON invocation (abs_task_id);
CREATE INDEX invocation_2 ON invocation (wf_id);
CREATE TABLE rc_lfn (lfn_id INTEGER PRIMARY KEY, lfn TEXT NOT NULL, UNIQUE (lfn));
CREATE TABLE rc_pfn (pfn_id INTEGER PRIMARY KEY, lfn_id INTEGER NOT NULL, pfn TEXT NOT NULL, site TEXT,
    UNIQUE (lfn_id, pfn, site));
CREATE TABLE rc_meta (lfn_id INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (lfn_id, key));
CREATE TABLE workflow_files (wf_id INTEGER NOT NULL, task_id INTEGER NOT NULL, lfn_id INTEGER NOT NULL,
        file_type TEXT,
    PRIMARY KEY (wf_id, task_id, lfn_id));
"""
_ARGV = "'--in ' || input || ' --out ' || output"
_EPOCH = "epoch_us(started) / 1e6"
_THEIRS = {
    "job": f"SELECT j, 1, id, '00/00/' || id || '.sub', 'compute', 0, 1, '/usr/bin/extract', {_ARGV}, 1 FROM facts",
    "job_instance": """SELECT j, j, r(j, 64), 1, 10000 + j, 'pool', 'survey', '/scratch/' || id, NULL, NULL,
        duration, NULL,
        '00/00/' || id || '.out.000', NULL, '00/00/' || id || '.err.000', NULL, NULL, 1, 0 FROM facts""",
    "jobstate": f"""SELECT j, s.state, {_EPOCH} + s.n / 1000, s.n, NULL
        FROM facts, (SELECT unnest($states) AS state, generate_subscripts($states, 1) AS n) AS s""",
    "task": f"SELECT j, 1, j, id, 'extract', {_ARGV}, 'compute' FROM facts",
    "invocation": f"""SELECT j, 1, j, 1, {_EPOCH}, duration, cpu, 0, 'extract', '/usr/bin/extract', {_ARGV}, id,
        maxrss, 90.5::DOUBLE
        FROM facts""",
    "rc_lfn": "SELECT 2 * j, input FROM facts UNION ALL SELECT 2 * j + 1, output FROM facts",
    "rc_pfn": "SELECT j, 2 * j + 1, 'file:///data/run/' || output, 'pool' FROM facts",
    "rc_meta": """SELECT 2 * j + 1, unnest(['checksum.type', 'checksum.value', 'size']),
        unnest(['sha256', output_sha256, output_size::VARCHAR]) FROM facts UNION ALL
        SELECT 2 * j, unnest(['checksum.type', 'checksum.value', 'size']), unnest(['sha256', input_sha256,
        input_size::VARCHAR])
        FROM facts""",
    "workflow_files": """SELECT 1, j, 2 * j, 'input' FROM facts UNION ALL SELECT 1, j, 2 * j + 1,
        'output' FROM facts""",
}


def section(scratch: Path) -> str:
    """The section of the report."""
    ours = _filled(scratch)
    theirs = (scratch / "pegasus.db").stat().st_size / JOBS
    by_table = {table: _bytes(ours, table) / JOBS for table in ours.tables()}
    metadata = _metadata(scratch / "files", _COMMITS, FILES // _COMMITS)
    of_few = _metadata(scratch / "few", _FEW_COMMITS, _FEW_FILES)
    total = sum(by_table.values())
    use = _bytes(ours, "uses") / _rows(ours, "uses")
    return "\n".join(
        [
            "## Bytes",
            "",
            f"A workflow of {JOBS} jobs in {_COMMITS} commits, compacted; each job has two files, makes one of them,",
            "and six states. Beside it the same facts in SQLite, in tables with the columns, keys and indexes of",
            "Pegasus 5; no output text on either side. Digests are random: 96 bytes a job are the least here.",
            "",
            "| | bytes a job |",
            "|---|---:|",
            *(f"| `{table}` | {size:.1f} |" for table, size in by_table.items()),
            f"| all of it | {total:.1f} |",
            f"| Pegasus' tables in SQLite | {theirs:.1f} |",
            "",
            f"Ours is **1/{theirs / total:.1f}** of theirs (aim: at most 1/10). A row of `uses` takes",
            f"**{use:.1f} bytes** (aim: at most 40), a row of `metadata`, of {FILES} files with",
            f"{len(big_store.KEYS)} keys in {_COMMITS} registrations, **{metadata:.2f}**, and in {_FEW_COMMITS} of",
            f"{_FEW_FILES} files each **{of_few:.2f}** (aim: at most 4).",
        ]
    )


def _filled(scratch: Path) -> Snapshot:
    """Both stores filled with the same facts; what ours holds."""
    store = Store.open(scratch / "jobs")
    step = -(-JOBS // _COMMITS)
    with duckdb.connect(config={"threads": "1"}) as facts, sqlite3.connect(scratch / "pegasus.db") as pegasus:
        facts.execute("SET TimeZone = 'UTC'")
        facts.execute(big_store.MACRO)
        pegasus.executescript(_PEGASUS)
        for first in range(0, JOBS, step):
            facts.execute("DROP TABLE IF EXISTS facts")
            facts.execute(_FACTS, {"first": first, "last": min(first + step, JOBS)})
            rows = {name: facts.sql(sql, params=_used(sql)).to_arrow_table() for name, sql in _OURS.items()}
            big_store.commit_columns(store, CommitKind.INGEST, rows)
            for name, sql in _THEIRS.items():
                values = facts.sql(sql, params=_used(sql)).fetchall()
                pegasus.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(values[0]))})", values)
            pegasus.commit()
    store.compact()
    return store.snapshot()


def _used(sql: str) -> dict[str, list[str]]:
    return {"states": list(_STATES)} if "$states" in sql else {}


def _metadata(place: Path, commits: int, files: int) -> float:
    """Bytes of a row of metadata after so many registrations of so many files each."""
    store = Store.open(place)
    big_store.fill(store, commits=commits, files=files)
    store.compact()
    snapshot = store.snapshot()
    return _bytes(snapshot, "metadata") / _rows(snapshot, "metadata")


def _bytes(snapshot: Snapshot, table: str) -> int:
    return sum(segment.size for segment in snapshot.segments(table))


def _rows(snapshot: Snapshot, table: str) -> int:
    return sum(segment.rows for segment in snapshot.segments(table))
