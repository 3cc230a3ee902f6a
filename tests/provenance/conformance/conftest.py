"""One suite over every place that a store can be in and every database that its catalog can be in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.conformance.places import ROOT, Folder, Place, Prefix
from tests.provenance.conformance.projections import PostgreSQL, Projection, SQLite

PLACES = ("local", "seaweedfs")
PROJECTIONS: Mapping[str, Callable[[pytest.FixtureRequest], Projection]] = {
    "sqlite": lambda request: SQLite(),
    "postgresql": lambda request: PostgreSQL(request.getfixturevalue("database")),
}
"""How to get at each: a server among them is asked of the request as a fixture."""


@pytest.fixture(autouse=True)
def folders_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches and spools of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty place, and an environment in which this process and those that it starts get there."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "PIRENE_"))]:
        monkeypatch.delenv(name)
    found: Place
    if request.param == "local":
        found = Folder(tmp_path / "a store")
    else:
        found = Prefix(request.getfixturevalue(request.param), f"stores of tests/{os.urandom(6).hex()}")
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def store(place: Place) -> Store:
    """A new, empty store there."""
    return Store.open(place.location)


@pytest.fixture(params=PROJECTIONS)
def projection(request: pytest.FixtureRequest) -> Projection:
    """The catalogs of one kind of database."""
    return PROJECTIONS[request.param](request)


@pytest.fixture
def environment(place: Place) -> Mapping[str, str]:
    """What the command is started with."""
    own = {"PYTHONPATH": str(ROOT), "PIRENE_STORE": place.location, "PIRENE_DEBUG": "1", "PYTHONWARNINGS": "error"}
    return {**os.environ, **own}


def facts(run: int, jobs: Sequence[int]) -> Batch:
    """Rows of two tables that belong together: a reader sees both or none."""
    batch = Batch()
    for job in jobs:
        batch.add("job_edges", run=run, parent=job, child=0)
        batch.add("uses", run=run, job=job, file=0)
    return batch
