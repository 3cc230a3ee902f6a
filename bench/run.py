"""Measure and write docs/benchmarks.md. Ratios within a section are what counts; absolute times are this machine's."""

from __future__ import annotations

import datetime as dt
import sys
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
from page import with_section

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
SECTIONS = {
    measured.__name__: measured.section
    for measured in (
        startup,
        no_change_rerun,
        registration,
        ingest,
        layout,
        opening,
        queries,
        lineage_questions,
        log,
        pool_dag,
        wrapper,
        digests,
    )
}


def main(names: list[str]) -> None:
    """Measure the sections of these modules (none: all), each in a scratch folder of its own; write each at once."""
    if unknown := sorted(set(names) - SECTIONS.keys()):
        sys.exit(f"no section is called {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    versions = ", ".join(f"{name} {version(name)}" for name in ("pirene", "duckdb", "pyarrow", "click", "SQLAlchemy"))
    for name in names or SECTIONS:
        measured_on = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}: {machine()}; {versions}."
        with tempfile.TemporaryDirectory(prefix="pirene-bench-") as scratch:
            section = SECTIONS[name](Path(scratch))
        REPORT.write_text(with_section(REPORT.read_text("utf-8"), section, measured_on), "utf-8")
        print(f"{REPORT}: wrote {name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
