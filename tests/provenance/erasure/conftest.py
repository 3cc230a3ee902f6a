"""A store with something to erase."""

from __future__ import annotations

import random

import pytest

from provenance.store import Store
from tests.provenance.erasures import grow


@pytest.fixture(autouse=True)
def _caches(folders_of_the_user: None) -> None:
    """Erasure clears them."""


@pytest.fixture
def grown(store: Store) -> Store:
    """Eight commits about files and jobs, the first of each with the secret in all that is known of it; some merged."""
    grow(store, random.Random(1))
    store.sum_up()
    store.project()
    return store
