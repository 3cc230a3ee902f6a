"""A store with something to erase."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from provenance.store import Store
from tests.provenance.erasures import grow


@pytest.fixture(autouse=True)
def folders_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caches of this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def grown(store: Store) -> Store:
    """Eight commits about files and jobs, the first of each with the secret in all that is known of it; some merged."""
    grow(store, random.Random(1))
    store.sum_up()
    store.project()
    return store
