"""Opening a big store and counting by a key, beside DuckDB counting over the same Parquet files named by hand."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import big_store
from measure import TABLE_HEAD, compiled_once, once, peak, take_turns

from provenance.store import Store

FILES = int(os.environ.get("PIRENE_BENCH_FILES", "10000000"))
COMMITS = int(os.environ.get("PIRENE_BENCH_COMMITS", "5000"))
TIMES = 9
_KEYS = ("site", "night", "quality")
"""Of 12, 3 650 and 10 000 values."""

_OURS = """
import sys
from provenance.store import Store
print(len(list(Store.open(sys.argv[1]).query("files summarize count(*) by " + sys.argv[2]).rows())))
"""
_BY_HAND = """
import json, sys
import duckdb
paths = json.load(open(sys.argv[1]))
sql = "SELECT text_form, count(*) FROM read_parquet($1) WHERE entity = 'file' AND key = $2 GROUP BY 1 ORDER BY 1"
print(len(duckdb.connect().execute(sql, [paths, sys.argv[2]]).fetchall()))
"""


def section(scratch: Path) -> str:
    """The section of the report."""
    place = scratch / "store"
    store = Store.open(place)
    start = time.perf_counter()
    slowest = big_store.fill(store, commits=COMMITS, files=FILES // COMMITS)
    filled = time.perf_counter()
    live = {table: len(store.snapshot().segments(table)) for table in store.snapshot().tables()}
    store.compact()
    compacted = time.perf_counter()
    return "\n".join(
        [
            "## Opening a big store",
            "",
            f"{FILES} files with {len(big_store.KEYS)} keys, by {COMMITS} commits in {filled - start:.0f} s;",
            "the store kept its segments few by itself:",
            f"{', '.join(f'{table} {count}' for table, count in live.items())}. The commit that took longest,",
            f"merging them, took {slowest:.2f} s. `pirene store compact`, wide table",
            f"included, took {compacted - filled:.0f} s. New processes, warm, {TIMES} times, taking turns.",
            "",
            *counted(place, scratch),
        ]
    )


def counted(place: Path, scratch: Path) -> list[str]:
    """Lines that say how long opening and counting takes in the store at ``place``."""
    listed = scratch / "metadata-files.json"
    store = Store.open(place)
    segments = store.snapshot().segments("metadata")
    listed.write_text(json.dumps([str(store.root / segment.path) for segment in segments]))
    commands: dict[str, list[str | Path]] = {}
    for key in _KEYS:
        commands[f"`Store.open` and `files summarize count(*) by {key}`"] = [sys.executable, "-c", _OURS, place, key]
        commands[f"DuckDB over the {len(segments)} files of `metadata`, by hand, {key}"] = [
            sys.executable,
            "-c",
            _BY_HAND,
            listed,
            key,
        ]
    environment = compiled_once(scratch)
    timings = take_turns(commands, scratch, TIMES, environment)
    ratios = [f"{ours.median / by_hand.median:.2f}" for ours, by_hand in zip(timings[::2], timings[1::2], strict=True)]
    both = list(commands.values())[:2]
    cold = [_cold(command, place, scratch, environment) for command in both]
    memory = [peak(command, scratch, environment)[1] for command in both]
    check: list[str | Path] = [sys.executable, "-m", "planner.cli", "--store", place, "store", "check"]
    check_seconds, check_bytes = peak(check, Path(__file__).resolve().parents[1], environment)
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    return [
        TABLE_HEAD,
        *(timing.row() for timing in timings),
        "",
        f"Ratios: **{', '.join(ratios)}** (aim: at most 2). With none of the store's files in the page cache:",
        f"{cold[0]:.2f} s and {cold[1]:.2f} s. In memory at most {memory[0] >> 20} and {memory[1] >> 20} MiB.",
        "",
        f"`pirene store check` of it ({size / 1e9:.1f} GB with all that was merged) took {check_seconds:.0f} s",
        f"and {check_bytes >> 20} MiB.",
    ]


def _cold(command: list[str | Path], place: Path, scratch: Path, environment: dict[str, str]) -> float:
    """Seconds of one run after the kernel was told to forget the store's files."""
    for path in place.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return once(command, scratch, environment)
