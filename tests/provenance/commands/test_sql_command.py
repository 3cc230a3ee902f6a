"""`pirene sql` as a shell sees it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from provenance.answers.published_views import PUBLISHED
from provenance.commands.query import query
from provenance.commands.sql import sql


def test_sql_and_the_query_language_agree(runs: Any, json_of: Callable[..., Any]) -> None:
    asked = "SELECT name, size_bytes AS size, sha256, status FROM file_overview ORDER BY ALL"
    expected = json_of(query, "files show name, size, sha256, status")
    assert json_of(sql, asked) == sorted(expected, key=lambda row: (row["name"], row["size"], row["sha256"]))
    failed = json_of(sql, "SELECT workflow, jobs, failed, status FROM run_overview ORDER BY 1")
    assert failed == [{"workflow": name, "jobs": 2, "failed": 0, "status": "succeeded"} for name in ("left", "right")]


def test_the_schema_is_listed(runs: Any, json_of: Callable[..., Any], run_command: Callable[..., Result]) -> None:
    listed = json_of(sql, "--schema")
    assert len(listed) == sum(len(view.columns) for view in PUBLISHED)
    assert {
        "view": "files",
        "column": "size_bytes",
        "type": "BIGINT",
        "unit": "bytes",
        "meaning": "null until known",
    } in (listed)
    for wrong in ((), ("SELECT 1", "--schema")):
        assert "expected a statement, or --schema" in run_command(sql, *wrong, exit_code=2).output


def test_parameters_come_from_the_command_line(runs: Any, json_of: Callable[..., Any]) -> None:
    assert json_of(sql, "SELECT count(*) AS n FROM files WHERE name = $name", "-p", "name=mid.dat") == [{"n": 2}]


def test_a_statement_that_is_none_is_shown_with_its_place(runs: Any, pirene: Path) -> None:
    command = [str(pirene), "--store", str(runs.store.root), "sql", "SELECT * FORM files"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    said, line, caret = ended.stderr.splitlines()
    assert said == 'pirene: Parser Error: syntax error at or near "files"'
    assert line.index("files") == caret.index("^")


def test_an_interrupt_ends_a_long_statement(runs: Any, pirene: Path) -> None:
    command = [
        str(pirene),
        "--store",
        str(runs.store.root),
        "sql",
        "SELECT sum(a.range % 7) FROM range(1000000000000) a",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4)
        process.send_signal(signal.SIGINT)
        try:
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # else a test that fails waits for the end of a statement that has none
    assert (process.returncode, out, errors.strip()) == (130, "", "pirene: interrupted")


def test_who_reads_the_beginning_need_not_wait_for_the_end(runs: Any, pirene: Path) -> None:
    command = [str(pirene), "--store", str(runs.store.root), "sql", "FROM range(1000000000000)", "--format", "ndjson"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"range": 0}
        process.stdout.close()
        assert process.wait(timeout=60) == 0
