"""What a commit brings is there, whole, in order, and stays: wherever the store is."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import uuid

import pytest

from provenance.errors import NotAStoreError
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.orphans import orphans, remove_orphans
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.conformance.conftest import facts
from tests.provenance.conformance.places import Place

PAIRS = "SELECT e.run, e.parent FROM job_edges e JOIN uses u ON (e.run, e.parent) = (u.run, u.job) ORDER BY 1, 2"


def pairs(store: Store, snapshot: Snapshot | None = None) -> list[tuple[int, int]]:
    return store.rows(PAIRS, tables=["job_edges", "uses"], snapshot=snapshot)


def test_a_store_is_made_on_first_use_and_found_again(place: Place) -> None:
    made = Store.open(place.location)
    assert uuid.UUID(made.store_id)
    assert made.storage.location == place.location
    assert Store.open(place.location).store_id == made.store_id
    assert made.snapshot() == Snapshot()
    assert pairs(made) == []


def test_what_is_committed_is_there_for_everybody_and_in_order(place: Place, store: Store) -> None:
    for number in range(1, 6):
        made = store.commit(CommitKind.INGEST, facts(number, range(number)))
        assert made is not None
        assert made.number == number
    assert store.commit(CommitKind.INGEST, Batch()) is None

    another = Store.open(place.location)
    assert pairs(another) == [(number, job) for number in range(1, 6) for job in range(number)]
    commits = list(another.all_commits())
    assert [commit.number for commit in commits] == [1, 2, 3, 4, 5]
    assert all(earlier.time < later.time for earlier, later in itertools.pairwise(commits))
    assert {commit.store for commit in commits} == {store.store_id}


def test_a_reader_follows_new_commits(place: Place, store: Store) -> None:
    reader = Store.open(place.location)
    for number in range(1, 4):
        store.commit(CommitKind.INGEST, facts(number, [0]))
        assert reader.snapshot().number == number
        assert len(pairs(reader)) == number


def test_compaction_changes_no_answer_and_disturbs_no_reader(place: Place, store: Store) -> None:
    for number in range(1, 6):
        store.commit(CommitKind.INGEST, facts(number, range(3)))
    reader = Store.open(place.location)
    before, answer = reader.snapshot(), pairs(store)

    made = store.compact()
    assert made is not None
    assert made.kind is CommitKind.COMPACT
    assert len(made.replaces) == 10
    assert store.compact() is None

    assert pairs(store) == answer
    assert pairs(Store.open(place.location)) == answer
    assert pairs(reader, before) == answer
    assert [len(reader.snapshot().segments(table)) for table in ("job_edges", "uses")] == [1, 1]


def test_the_past_can_be_asked_before_and_after_compaction(store: Store) -> None:
    for number in range(1, 6):
        store.commit(CommitKind.INGEST, facts(number, [number]))

    def history() -> list[list[tuple[int, int]]]:
        return [pairs(store, store.snapshot().at(number)) for number in range(6)]

    expected = [[(number, number) for number in range(1, last + 1)] for last in range(6)]
    assert history() == expected
    store.compact()
    assert history() == expected
    assert [store.number_at(commit.time) for commit in store.all_commits()] == [1, 2, 3, 4, 5, 6]


def test_who_comes_second_sees_what_the_first_brought(place: Place, store: Store) -> None:
    rival = Store.open(place.location)
    base = store.snapshot()
    rival.commit(CommitKind.INGEST, facts(1, [1, 2]))
    seen = []

    def less_what_is_there(snapshot: Snapshot, batch: Batch) -> Batch:
        seen.append(snapshot.number)
        known = {job for _, job in pairs(store, snapshot)}
        return facts(1, [job for job in (2, 3) if job not in known])

    made = store.commit(CommitKind.INGEST, facts(1, [2, 3]), rebase=less_what_is_there, base=base)
    assert made is not None
    assert (made.number, seen) == (2, [1])
    assert pairs(rival) == [(1, 1), (1, 2), (1, 3)]
    assert store.commit(CommitKind.INGEST, facts(1, [3]), rebase=less_what_is_there, base=base) is None


def test_what_killed_writers_left_is_named_and_removed(place: Place, store: Store) -> None:
    store.commit(CommitKind.INGEST, facts(1, [1]))
    store.commit(CommitKind.INGEST, facts(2, [1]))
    store.compact()
    assert orphans(store) == []

    left = ["commits/0b.tmp", "segments/uses/000000000002-bb.parquet", "segments/uses/000000000009-cc.parquet.tmp"]
    for name in left:
        place.replace(name, b"123")
    found = orphans(store)
    assert [(orphan.name, orphan.size_bytes) for orphan in found] == [(name, 3) for name in left]
    now = dt.datetime.now(dt.UTC)
    assert all(abs(orphan.modified - now) < dt.timedelta(minutes=1) for orphan in found)

    assert remove_orphans(store) == []  # somebody may be about to commit them
    assert [orphan.name for orphan in remove_orphans(store, older_than=-dt.timedelta(minutes=1))] == left
    assert orphans(store) == []
    assert pairs(Store.open(place.location)) == [(1, 1), (2, 1)]


def test_a_place_that_holds_something_else_is_left_alone(place: Place) -> None:
    Store.open(place.location)
    place.replace("photos/one.jpg", b"mine")
    place.remove("store.json")
    with pytest.raises(NotAStoreError, match=re.escape(f"{place.location} is no store: it holds photos")):
        Store.open(place.location)
    assert place.read("photos/one.jpg") == b"mine"


@pytest.mark.parametrize("name", ["commits/000000000003.json", "store.json"])
def test_what_is_taken_stays_as_it_is(place: Place, store: Store, name: str) -> None:
    store.storage.create("commits/000000000003.json", b"first")
    before = place.read(name)
    assert not store.storage.create(name, b"second")
    assert place.read(name) == before
