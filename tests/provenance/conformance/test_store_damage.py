"""A file of the store that is missing or changed is told by its name, and never passes for what was recorded."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from provenance.answers.entities import FILES
from provenance.errors import DamagedStoreError
from provenance.history.commits import Commit, CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.wide import wide
from provenance.wide.wide_build import promote
from tests.provenance.conformance.conftest import facts
from tests.provenance.conformance.places import Place


@pytest.fixture
def segment(store: Store) -> str:
    """The name of a segment, which nobody has read yet."""
    made = store.commit(CommitKind.INGEST, facts(1, range(100)))
    assert isinstance(made, Commit)
    store.commit(CommitKind.INGEST, facts(2, [1]))
    return next(segment.path for segment in made.segments if segment.table == "uses")


def ask(store: Store) -> object:
    return store.rows("SELECT sum(job) FROM uses", tables=["uses"])


WAYS: dict[str, Callable[[Store], object]] = {"asked": ask, "compacted": lambda store: store.compact()}


@pytest.mark.parametrize("way", WAYS)
def test_a_segment_that_is_gone_or_cut_is_named(place: Place, segment: str, way: str) -> None:
    data = place.read(segment)
    place.replace(segment, data[:-1])
    with pytest.raises(DamagedStoreError, match=re.escape(f"{place.location}/{segment}: expected {len(data)} bytes")):
        WAYS[way](Store.open(place.location))
    place.remove(segment)
    with pytest.raises(DamagedStoreError, match=re.escape(f"{place.location}/{segment}: No such file")):
        WAYS[way](Store.open(place.location))
    place.replace(segment, data)
    assert WAYS[way](Store.open(place.location))


def test_one_flipped_bit_is_never_merged(place: Place, segment: str) -> None:
    data = place.read(segment)
    for position in (4, len(data) // 2, len(data) - 9):
        place.replace(segment, data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        store = Store.open(place.location)
        with pytest.raises(DamagedStoreError, match=f"{re.escape(segment)}: expected {len(data)} bytes with sha256"):
            store.compact()
        assert store.snapshot().number == 2


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_wide_table_without_one_of_its_files_is_left_aside(
    place: Place, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    monkeypatch.setattr(wide, "MIN_ROWS", 1)
    batch = Batch()
    for number in range(9):
        batch.add("files", source=1, file=number, name=f"{number}", origin="raw")
    store.commit(CommitKind.REGISTER, batch)
    assert promote(store, FILES, eager=True)
    (name,) = (stored.name for stored in store.storage.stored("wide") if stored.name.endswith(".parquet"))
    data = place.read(name)
    place.remove(name)
    if what == "changed":
        place.replace(name, data[:4] + bytes(byte ^ 0x55 for byte in data[4:-500]) + data[-500:])
    found = [each for (each,) in Store.open(place.location).query("files show name").rows()]
    assert found == [f"{number}" for number in range(9)]
    assert [f"{place.location}/{name}: expected" in message for message in caplog.messages] == [True] * (what != "gone")


def test_a_commit_that_was_changed_or_is_missing_is_named(place: Place, segment: str) -> None:
    name = "commits/000000000001.json"
    data = place.read(name)
    place.replace(name, data.replace(b'"rows":100', b'"rows":101'))
    with pytest.raises(DamagedStoreError, match=re.escape(f"{place.location}/{name}")):
        Store.open(place.location).snapshot()
    place.remove(name)
    with pytest.raises(DamagedStoreError, match="commit 1 is missing"):
        Store.open(place.location).snapshot()
    place.replace(name, data)
    assert ask(Store.open(place.location)) == [(sum(range(100)) + 1,)]


def test_a_store_json_that_is_none_is_named(place: Place, store: Store) -> None:
    place.replace("store.json", b"{}")
    with pytest.raises(DamagedStoreError, match=re.escape(f"{place.location}/store.json")):
        Store.open(place.location)
    store.commit(CommitKind.INGEST, facts(1, [1]))
    place.remove("store.json")
    with pytest.raises(DamagedStoreError, match=r"holds commits but no store\.json"):
        Store.open(place.location)
