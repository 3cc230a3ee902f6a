"""Measure and rewrite docs/benchmarks.md. Ratios within one run are what counts; absolute times are this machine's."""

from __future__ import annotations

import datetime as dt
import tempfile
from importlib.metadata import version
from pathlib import Path

import digests
import ingest
import layout
import lineage_questions
import log
import no_change_rerun
import opening
import pool_dag
import queries
import registration
import startup
import wrapper
from measure import machine

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
SECTIONS = (
    startup.section,
    no_change_rerun.section,
    registration.section,
    ingest.section,
    layout.section,
    opening.section,
    queries.section,
    lineage_questions.section,
    log.section,
    pool_dag.section,
    wrapper.section,
    digests.section,
)


def main() -> None:
    """Every section in a scratch folder of its own; the report at the end, whole or not at all."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("pirene", "duckdb", "pyarrow", "click", "SQLAlchemy"))
    parts = [
        "# Benchmarks",
        "",
        "Written by `make bench`; do not edit. Times are medians of whole processes.",
        "",
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}: {machine()}; {versions}.",
    ]
    for section in SECTIONS:
        with tempfile.TemporaryDirectory(prefix="pirene-bench-") as scratch:
            parts += ["", section(Path(scratch))]
    REPORT.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {REPORT}")


if __name__ == "__main__":
    main()
