"""What a user waits before anything happens: from the wheel, beside the imports that cannot be done without."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from measure import TABLE_HEAD, once, take_turns

ROOT = Path(__file__).resolve().parents[1]
TIMES = 20
RUNS = 20
_QUERY = 'files where kind = "result"'


def installed(scratch: Path) -> Path:
    """A fresh environment with the wheel of this checkout; its `bin` folder."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", scratch / "dist", ROOT], check=True, capture_output=True
    )
    subprocess.run([sys.executable, "-m", "venv", scratch / "venv"], check=True)
    (wheel,) = (scratch / "dist").glob("pirene-*.whl")
    commands = scratch / "venv" / "bin"
    subprocess.run([commands / "python", "-m", "pip", "install", "--quiet", wheel], check=True)
    return commands


def store_of_runs(scratch: Path, commands: Path) -> Path:
    """A folder whose store holds RUNS runs of the diamond, each with its four jobs run anew."""
    folder = scratch / "work"
    shutil.copytree(ROOT / "datasets" / "diamond", folder)
    for number in range(RUNS):
        once([commands / "pirene", "run", "diamond.yml", "--no-reuse", "-d", f"run-{number}"], folder)
    return folder


def section(scratch: Path) -> str:
    """The section of the report."""
    commands = installed(scratch)
    folder = store_of_runs(scratch, commands)
    python = commands / "python"
    timings = take_turns(
        {
            "`pirene --help`": [commands / "pirene", "--help"],
            "`python -c 'import click'`": [python, "-c", "import click"],
            "`pirene query` on a store of 20 runs": [commands / "pirene", "query", _QUERY],
            "the same with `--format json`": [commands / "pirene", "query", _QUERY, "--format", "json"],
            "`python -c 'import duckdb, click'`": [python, "-c", "import duckdb, click"],
        },
        folder,
        TIMES,
    )
    help_time, click_time, query_time, json_time, duckdb_time = (timing.median for timing in timings)
    return "\n".join(
        [
            "## Start-up",
            "",
            f"From the wheel, in a fresh environment, a new process each time, {TIMES} times, taking turns.",
            "",
            TABLE_HEAD,
            *(timing.row() for timing in timings),
            "",
            f"`pirene --help` takes **{help_time / click_time:.2f} times** the bare import of click (aim: at most 3),",
            f"`pirene query` **{query_time / duckdb_time:.2f} times** the bare imports of DuckDB and click (aim: at",
            f"most 2.2; as JSON {json_time / duckdb_time:.2f}).",
        ]
    )
