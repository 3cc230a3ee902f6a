"""A store with a life behind it, to be checked: files registered, a run planned and recorded, some of it merged."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integrity.digest import Stat
from provenance.check.findings import Finding, Report
from provenance.check.whole import check_store
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind, commit_name
from provenance.identity import produced_file, source_of
from provenance.ingest.ingest import Published, ingest
from provenance.metadata import from_yaml
from provenance.metadata_rows import add_metadata
from provenance.registration.raw_files import add_files
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.urls import file_url

AT = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store of `lived_in` is kept for the next test; it is not there before the first."""
    return tmp_path_factory.mktemp("lived-in") / ".pirene"


@pytest.fixture
def lived_in(
    made_once: Path,
    store: Store,
    tmp_path: Path,
    record_bytes: Callable[..., bytes],
    read_file: Callable[..., Any],
    made_file: Callable[..., Any],
) -> Store:
    """Two runs of raw.dat -> job 1 -> mid.dat -> job 2, one record a commit, compacted between the runs."""
    if made_once.exists():
        shutil.rmtree(store.root)
        shutil.copytree(made_once, store.root)
        return Store.open(store.root)
    raw = tmp_path / "raw.dat"
    raw.write_bytes(b"raw")
    known = add_files(store, [raw], metadata={"kind": from_yaml("raw", True)}).files[0]
    for run_id in (uuid.UUID(int=1), uuid.UUID(int=2)):
        _plan(store, run_id)
        run = source_of(run_id)
        made = tmp_path / f"{run_id}.mid"
        made.write_bytes(b"mid")
        place = Published(file_url(made), "local", Stat.of(made), None)
        first = record_bytes(
            1,
            run=run_id,
            inputs=[read_file("raw.dat", b"raw", source=known.file[0], file=known.file[1], url=known.url)],
            outputs=[made_file("mid.dat", b"mid")],
            metadata={"text": "chi2=1.25", "truncated": False},
        )
        mid = read_file("mid.dat", b"mid", source=run, file=produced_file(1, 1, 0))
        second = record_bytes(2, run=run_id, inputs=[mid], outputs=[made_file("end.dat", b"end")])
        ingest(store, [first], published={(1, 1, "mid.dat"): place})
        ingest(store, [second])
        if run_id.int == 1:
            store.compact()
    store.project()
    shutil.copytree(store.root, made_once)
    return store


def _plan(store: Store, run_id: uuid.UUID) -> None:
    run, batch = source_of(run_id), Batch()
    batch.add("workflows", run=run, run_id=str(run_id), kind="workflow", name="stack", planned=AT)
    batch.add("workflow_states", run=run, state="planned", at=AT)
    for job in (1, 2):
        batch.add("jobs", run=run, job=job, id=f"job-{job}", type="job", name="stack", decision="run")
    batch.add("job_edges", run=run, parent=1, child=2)
    add_metadata(batch, "workflow", run, 0, "campaign", from_yaml("DR3", True), origin="static", author="ada", at=AT)
    store.commit(CommitKind.PLAN, batch)


@pytest.fixture
def plan() -> Callable[[Store, uuid.UUID], None]:
    """Commits the plan of a run of two jobs."""
    return _plan


@pytest.fixture
def findings_of() -> Callable[[Store], list[Finding]]:
    """Checks a store; what was found but notes, which make no verdict."""

    def check(store: Store) -> list[Finding]:
        report: Report = check_store(store.storage)
        return [finding for finding in report.findings if finding.kind.verdict.exit_code]

    return check


@pytest.fixture
def rewrite_commit() -> Callable[..., None]:
    """Changes the document of a commit and seals it again, as somebody would who means to lie."""

    def rewrite(store: Store, number: int, change: Callable[[dict[str, Any]], object]) -> None:
        path = store.root / commit_name(number)
        document = json.loads(path.read_bytes())
        del document["seal"]
        change(document)
        path.chmod(0o644)
        path.write_bytes(sealed(document))

    return rewrite
