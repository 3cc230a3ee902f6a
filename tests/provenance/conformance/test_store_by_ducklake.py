"""The real DuckLake extension reads a store in any place through a catalog in any database, as `store publish` says."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from provenance.history.commits import CommitKind
from provenance.schema import BY_NAME, TABLES
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.conformance.places import ROOT, Place, python
from tests.provenance.conformance.projections import Projection


def comparable(rows: Iterable[tuple[object, ...]]) -> list[str]:
    def value(one: object) -> object:
        return one.astimezone(dt.UTC).isoformat() if isinstance(one, dt.datetime) else one

    return sorted(repr([value(one) for one in row]) for row in rows)


def test_every_version_has_the_rows_of_the_store(
    place: Place,
    projection: Projection,
    environment: Mapping[str, str],
    ducklake: Callable[..., Any],
    full_batch: Callable[..., Batch],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGUSER", "ada")  # what is published says where it is, not as whom to come

    def check() -> int:
        """Returns how many rows were compared."""
        publish = python("-m", "planner.cli", "-q", "store", "publish", *projection.words(store))
        said = subprocess.run(publish, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        attach = [*place.duckdb_statements(), said.stdout.strip()]
        newest = store.snapshot()
        wanted = [(table.name, number) for table in TABLES for number in range(newest.number + 1)]
        # As structures: rows of an earlier version have fewer columns.
        asked = [(f"SELECT t FROM (SELECT * FROM {table} AT (VERSION => {number})) t", []) for table, number in wanted]
        compared = 0
        for (table, number), found in zip(wanted, ducklake(attach, asked, Path("/")), strict=True):
            columns = tuple(found[0][0]) if found else ("commit_number",)
            names = ", ".join(f'"{name}"' for name in columns)
            expected = store.rows(f"SELECT {names} FROM {table}", tables=[table], snapshot=newest.at(number))
            assert comparable(tuple(row.values()) for (row,) in found) == comparable(expected), (table, number)
            widths.add((table, len(columns)))
            compared += len(found)
        return compared

    # A commit of an earlier version with fewer columns and tables, one of this one.
    earlier = ROOT / "tests" / "provenance" / "smaller_schema.py"
    subprocess.run([sys.executable, earlier, place.location, "0", "0"], env=environment, check=True)
    store = Store.open(place.location)
    store.commit(CommitKind.INGEST, full_batch(4, 9))
    widths: set[tuple[str, int]] = set()
    before = check()
    assert store.compact() is not None
    assert check() > before > 10 * len(TABLES)
    whole = len(BY_NAME["files"].columns)
    assert {width for table, width in widths if table == "files"} == {1, whole - 3, whole}
