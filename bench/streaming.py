"""Ten million files as rows of a program's format: how much memory that takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from measure import compiled_once

from provenance.store import Store

MOST_MB = 600
ROOT = Path(__file__).resolve().parents[1]
_PEAK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from measure import peak
print(*peak(sys.argv[3:], Path(sys.argv[2]), {}))
"""
"""A process begins with the memory of the one that starts it, which has to be a small one."""


def lines(store: Store, files: int, scratch: Path) -> list[str]:
    """Lines that say how long it takes to write all files of a store, and how much memory."""
    environment = compiled_once(scratch)
    found = []
    for form in ("parquet", "ndjson"):
        command = [sys.executable, "-m", "planner.cli", "--store", store.root, "query", "--format", form, "files"]
        small = [sys.executable, "-c", _PEAK, Path(__file__).parent, ROOT, *command]
        said = subprocess.run(small, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
        seconds, size = map(float, said.stdout.split())
        found.append(f"| `pirene query --format {form} files` | {seconds:.0f} | {size / 1e6:.0f} |")
    return [
        f"All {files} files, to nowhere:",
        "",
        "| command | seconds | MB of memory at most |",
        "|---|---:|---:|",
        *found,
        "",
        f"Aim: below {MOST_MB} MB.",
    ]
