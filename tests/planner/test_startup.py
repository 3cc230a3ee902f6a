"""What a command loads before it answers: time is not measured here, but what would cost it is not even imported."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Each of these takes a tenth of a small query or more.
HEAVY = {
    "lark", "networkx", "numpy", "pandas", "planner.plan", "pyarrow", "sqlalchemy", "yaml",
    "asyncio", "concurrent.futures", "difflib", "logging", "pickle", "subprocess",
}  # fmt: skip


Loaded = Callable[..., set[str]]


@pytest.fixture
def loaded(pirene: Path, tmp_path: Path) -> Loaded:
    """Runs the command in a folder of its own: the modules that it has loaded when it is done."""

    def run(*arguments: str) -> set[str]:
        command = [sys.executable, "-X", "importtime", pirene, *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE))

    return run


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["run", "--help"]])
def test_help_loads_no_engine(loaded: Loaded, arguments: list[str]) -> None:
    assert loaded(*arguments) & (HEAVY | {"duckdb", "provenance.store", "query.tree"}) == set()


@pytest.mark.parametrize("output_format", ["table", "json", "ndjson", "csv"])
@pytest.mark.parametrize(
    "query", ['files where kind = "raw"', 'jobs where status = "failed"', "files upstream of (files)", "checks show *"]
)
def test_a_query_loads_nothing_heavy_but_duckdb(loaded: Loaded, tmp_path: Path, query: str, output_format: str) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    loaded("files", "add", "a.txt", "-m", "kind=raw")
    found = loaded("query", query, "--format", output_format)
    assert "duckdb" in found
    assert found & HEAVY == set()
