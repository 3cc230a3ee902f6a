"""Ten million files as rows of a program's format: how much memory that takes."""

from __future__ import annotations

import sys
from pathlib import Path

from measure import compiled_once, peak

from provenance.store import Store

MOST_MB = 600
ROOT = Path(__file__).resolve().parents[1]


def lines(store: Store, files: int, scratch: Path) -> list[str]:
    """Lines that say how long it takes to write all files of a store, and how much memory."""
    environment = compiled_once(scratch)
    found = []
    for form in ("parquet", "ndjson"):
        command = [sys.executable, "-m", "planner.cli", "--store", store.root, "query", "--format", form, "files"]
        seconds, size = peak(command, ROOT, environment)
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
