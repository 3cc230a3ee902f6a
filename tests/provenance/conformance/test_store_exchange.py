"""Pull and push between a store on this machine and one at any place."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from provenance.errors import CannotMergeError, DamagedStoreError
from provenance.exchange import pull as pulls
from provenance.exchange.pull import pull
from provenance.history.commits import Commit, CommitKind
from provenance.orphans import orphans, remove_orphans
from provenance.storage.interface import Storage
from provenance.store import Store
from tests.provenance.conformance.conftest import facts
from tests.provenance.conformance.places import Place, python


@pytest.fixture
def laptop(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "laptop" / ".pirene")


def edges(store: Store) -> list[tuple[int, int]]:
    return sorted(store.rows("SELECT run, parent FROM job_edges", tables=["job_edges"]))


def test_both_ways_until_nothing_is_new(store: Store, laptop: Store) -> None:
    store.commit(CommitKind.PLAN, facts(1, [1, 2]))
    laptop.commit(CommitKind.PLAN, facts(2, [3]))
    assert pull(laptop, store).rows == {"job_edges": 2, "uses": 2}
    assert pull(store, laptop).rows == {"job_edges": 1, "uses": 1}
    store.commit(CommitKind.PLAN, facts(3, [4]))
    store.compact()
    assert pull(laptop, store).commits > 0
    assert edges(store) == edges(laptop) == [(1, 1), (1, 2), (2, 3), (3, 4)]
    assert pull(laptop, store).commit is None
    assert pull(store, laptop).commit is None
    assert edges(Store.existing(store.storage.location)) == edges(laptop)


def test_what_loses_a_race_is_named_for_the_next_commit(
    store: Store, place: Place, laptop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.commit(CommitKind.PLAN, facts(1, [1]))
    rival, real = Store.existing(place.location), pulls.publish

    def publish(storage: Storage, commit: Commit) -> bool:
        monkeypatch.setattr(pulls, "publish", real)
        rival.commit(CommitKind.PLAN, facts(2, [2]))
        remove_orphans(rival, older_than=dt.timedelta(days=-1))
        return real(storage, commit)

    monkeypatch.setattr(pulls, "publish", publish)
    assert pull(store, laptop).commit == 2
    assert edges(Store.existing(place.location)) == [(1, 1), (2, 2)]
    assert {segment.path.rpartition("/")[2][:12] for segment in store.snapshot().live()} == {f"{1:012d}", f"{2:012d}"}
    assert orphans(store) == []
    assert not store.storage.link("segments/uses/nothing.parquet", "segments/uses/second.parquet")


def test_a_store_does_not_pull_from_itself(store: Store, place: Place) -> None:
    with pytest.raises(CannotMergeError, match="the very store"):
        pull(store, Store.existing(place.location))


def test_damage_there_is_named_and_nothing_comes(store: Store, place: Place, laptop: Store) -> None:
    made = store.commit(CommitKind.PLAN, facts(1, [1]))
    assert made is not None
    name = made.segments[0].path
    place.replace(name, place.read(name)[:-1])
    with pytest.raises(DamagedStoreError, match=r"expected .* bytes with sha256"):
        pull(laptop, Store.existing(place.location))
    assert laptop.snapshot().number == 0


def test_the_commands_say_what_came(store: Store, place: Place, laptop: Store, environment: Mapping[str, str]) -> None:
    laptop.commit(CommitKind.PLAN, facts(1, [1, 2]))

    def pirene(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = python("-m", "planner.cli", "--store", str(laptop.root), *arguments)
        ended = subprocess.run(
            command, env=environment, cwd=laptop.root, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == code, ended
        return ended

    dry = json.loads(pirene("push", place.location, "--dry-run", "--format", "json").stdout)
    done = json.loads(pirene("push", place.location, "--format", "json").stdout)
    assert dry == {**done, "commit": None, "dry_run": True}
    assert done["stores"] == [{"store": laptop.store_id, "first": 1, "last": 1}]
    assert (done["commit"], done["commits"], done["runs"], done["files"]) == (1, 1, 0, 0)
    assert (done["rows"], done["segments"]) == ({"job_edges": 2, "uses": 2}, 2)
    assert (done["from"], done["to"]) == (str(laptop.root), place.location)
    assert edges(store) == edges(laptop)
    assert pirene("pull", place.location).stderr == f"nothing new from {place.location}\n"
    assert "there is no store" in pirene("pull", f"{place.location}-not", code=2).stderr
