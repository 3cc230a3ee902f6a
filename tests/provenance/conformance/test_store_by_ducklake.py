"""The real DuckLake extension reads a store in any place through a catalog in any database, as `store publish` says."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from provenance.batch import Batch
from provenance.commits import CommitKind
from provenance.schema import TABLES
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
        texts = [f"SELECT * FROM {table} AT (VERSION => {number})" for table, number in wanted]
        asked = [(f"DESCRIBE {text}", []) for text in texts] + [(text, []) for text in texts]
        found = ducklake(attach, asked, Path("/"))
        compared = 0
        for (table, number), described, rows in zip(wanted, found[: len(wanted)], found[len(wanted) :], strict=True):
            names = ", ".join(f'"{name}"' for name, *_ in described)
            expected = store.rows(f"SELECT {names} FROM {table}", tables=[table], snapshot=newest.at(number))
            assert comparable(rows) == comparable(expected), (table, number)
            compared += len(rows)
        return compared

    # Two commits of an earlier version with fewer columns and tables, two of this one.
    earlier = ROOT / "tests" / "provenance" / "smaller_schema.py"
    subprocess.run([sys.executable, earlier, place.location, "0", "1"], env=environment, check=True)
    store = Store.open(place.location)
    for part in (2, 3):
        store.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
    before = check()
    assert store.compact() is not None
    assert check() > before > 500
