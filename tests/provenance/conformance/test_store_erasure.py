"""What is erased is in no file of a store in any place, and in no catalog of it in any database."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from provenance.ducklake import lake_tables
from provenance.ducklake.lake import place as catalog_place
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.conformance.places import Place, python
from tests.provenance.conformance.projections import Projection
from tests.provenance.erasures import AT, FIRST, RUN, SECRET, attempt, grave, holders

TABLES = ("files", "uses", "replicas", "metadata", "invocations")
ERASURES = (("files where subject = $secret",), ('jobs where id = "job-1"', "--output", "--key", "who"))


def test_it_is_gone_from_files_copies_and_catalogs(
    store: Store,
    place: Place,
    projection: Projection,
    environment: Mapping[str, str],
    ducklake: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGUSER", "ada")  # what is published says where it is, not as whom to come

    def pirene(*words: str) -> str:
        command = python("-m", "planner.cli", "-q", "store", *words)
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def held(name: str) -> list[str]:
        """All files of the store, those of the user that are made from it, and what the catalog says."""
        folder = tmp_path / name
        for stored in store.storage.stored(""):
            path = folder / "store" / stored.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.storage.read(stored.name))
        found = [f"{part}: {path}" for part in ("cache", "state") for path in holders(tmp_path / part)]
        found += [each for each in holders(folder) if each != "store/lake.sqlite"]
        said = [projection.rows(store, f"SELECT * FROM {table}") for table in lake_tables.METADATA.tables]
        return found + ["the catalog"] * (SECRET in repr(said))

    def rows() -> dict[str, list[tuple[Any, ...]]]:
        found = Store.open(place.location)
        return {name: sorted(found.rows(f"SELECT * FROM {name}", tables=[name]), key=repr) for name in TABLES}

    plan = Batch()
    plan.add("workflows", run=RUN, run_id="run", kind="workflow", name="stack", planned=AT)
    for job in (FIRST, 2):
        plan.add("jobs", run=RUN, job=job, id=f"job-{job}", type="job", name="stack", decision="run")
    store.commit(CommitKind.PLAN, plan)
    store.commit(CommitKind.INGEST, attempt(RUN, FIRST, SECRET))
    store.commit(CommitKind.INGEST, attempt(RUN, 2, "harmless"))
    store.compact()
    projection.bring_up(store)
    before = rows()
    assert {each.split("/")[0] for each in held("before")} >= {"store", "the catalog"}
    for query, *options in ERASURES:
        said = pirene("erase", query, "-p", f"secret={SECRET}", *options, "--reason", "asked to", "--yes")
        assert " rows " in said
    attach = [*place.duckdb_statements(), pirene("publish", *projection.words(store)).strip()]
    store = Store.open(place.location)
    assert held("after") == []
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in [catalog_place(store).path] if path.exists())
    assert grave(store) == []
    after = rows()
    assert {name: len(before[name]) - len(after[name]) for name in TABLES} == {
        "files": 1,
        "uses": 1,
        "replicas": 1,
        "metadata": 3,
        "invocations": 0,
    }
    asked = [(f"SELECT * FROM {name}", []) for name in TABLES]
    (oldest,), *shown = ducklake(attach, [("SELECT min(snapshot_id) FROM ducklake_snapshots('lake')", []), *asked], "/")
    assert oldest == (store.snapshot().rewritten,)
    assert {name: sorted(found, key=repr) for name, found in zip(TABLES, shown, strict=True)} == after
