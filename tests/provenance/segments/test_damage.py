"""Damaged segments: whatever DuckDB says of them, and however it is asked, the store names the file."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import DamagedStoreError
from provenance.history.commits import CommitKind
from provenance.reading.views import fetch
from provenance.segments.batch import Batch
from provenance.store import Store

WAYS: dict[str, Callable[[Store], list[Any]]] = {
    "rows": lambda store: store.rows("SELECT * FROM files WHERE sha256 IS NULL OR true", tables=["files"]),
    "views": lambda store: fetch(store, "SELECT * FROM files WHERE sha256 IS NULL OR true"),
    "query": lambda store: list(store.query("files show *").rows()),
}


@pytest.fixture
def segment(store: Store, full_batch: Callable[..., Batch]) -> Path:
    made = store.commit(CommitKind.PLAN, full_batch(1, 9))
    assert made is not None
    return store.root / next(segment.path for segment in made.segments if segment.table == "files")


@pytest.mark.parametrize("way", WAYS)
def test_a_flipped_bit_that_stops_the_reading_is_named(store: Store, segment: Path, way: str) -> None:
    """A flip that DuckDB does not notice is for an audit of the store to find: the commits have every digest."""
    whole, chance = segment.read_bytes(), random.Random(5)
    segment.chmod(0o644)
    named = 0
    for _ in range(40):
        data = bytearray(whole)
        data[-chance.randrange(1, 1500)] ^= 1 << chance.randrange(8)
        segment.write_bytes(data)
        try:
            WAYS[way](Store.open(store.root))
        except DamagedStoreError as error:
            assert f"{segment}: expected {len(whole)} bytes with sha256" in str(error)
            assert error.hint
            named += 1
    assert named
    segment.write_bytes(whole)
    assert WAYS[way](Store.open(store.root))


@pytest.mark.parametrize("way", WAYS)
def test_a_column_whose_name_was_damaged_is_named(store: Store, segment: Path, way: str) -> None:
    whole = segment.read_bytes()
    segment.chmod(0o644)
    segment.write_bytes(whole.replace(b"sha256", b"sha257"))
    with pytest.raises(DamagedStoreError, match=f"{segment}: expected {len(whole)} bytes with sha256"):
        WAYS[way](Store.open(store.root))


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_that_is_gone_is_named(store: Store, segment: Path, way: str) -> None:
    segment.unlink()
    with pytest.raises(DamagedStoreError, match=f"{segment}: No such file"):
        WAYS[way](store)
