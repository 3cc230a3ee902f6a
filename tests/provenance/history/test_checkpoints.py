"""Checkpoints: they say what the commits before them say, save reading these, and deceive nobody."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import DamagedStoreError, ReadFailedError
from provenance.history import checkpoints
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.orphans import orphans
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage
from provenance.store import Store

EVERY = 4


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after every fourth commit."""
    monkeypatch.setattr(checkpoints, "INTERVAL", EVERY)


class Watched(LocalStorage):
    """A storage that remembers what was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.were_read: list[str] = []

    def read(self, name: str, size: int | None = None) -> bytes:
        """The bytes; the name is remembered."""
        self.were_read.append(name)
        return super().read(name, size)


def watched(store: Store) -> tuple[Store, Watched]:
    """The same store, opened by somebody who has seen nothing of it yet."""
    fresh = Store.open(store.root)
    storage = Watched(store.root)
    fresh.storage = storage
    return fresh, storage


def commit(store: Store, runs: Iterable[int]) -> None:
    for run in runs:
        batch = Batch()
        batch.add("job_edges", run=run, parent=1, child=2)
        batch.add("workflows", run=run, run_id=str(run))
        assert store.commit(CommitKind.PLAN, batch) is not None


def from_commits(store: Store) -> Snapshot:
    """What the store holds by its commits alone."""
    return Snapshot().after(store.all_commits())


def same(one: Snapshot, other: Snapshot) -> bool:
    """The same segments, in the same order, as of the same commit."""
    return (one.number, one.time, list(one.live())) == (other.number, other.time, list(other.live()))


def newest_file(store: Store) -> Path:
    return max((store.root / "checkpoints").iterdir())


def test_who_opens_a_store_reads_a_checkpoint_and_later_commits_only(store: Store) -> None:
    commit(store, range(1, 3 * EVERY + 3))
    fresh, storage = watched(store)
    assert same(fresh.snapshot(), from_commits(store))
    # Commit 12 is compared with what the checkpoint says of it; commit 15 is looked for.
    assert storage.were_read == [
        "checkpoints/000000000012.json",
        *(f"commits/{number:012d}.json" for number in (12, 13, 14, 15)),
    ]
    commit(store, [100])
    storage.were_read.clear()
    assert fresh.snapshot().number == 15
    assert storage.were_read == [f"commits/{number:012d}.json" for number in (15, 16)]


def test_the_time_of_a_question_is_found_without_all_commits(store: Store) -> None:
    commit(store, range(1, 10 * EVERY + 1))
    fresh, storage = watched(store)
    assert fresh.number_at(dt.datetime.now(dt.UTC)) == 10 * EVERY
    assert fresh.number_at(store.created) == 0
    assert len(storage.were_read) < 20


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["commit", "compact", "compact a run"]), max_size=3 * EVERY))
def test_it_says_what_the_commits_say(tmp_path: Path, steps: list[str]) -> None:
    shutil.rmtree(tmp_path / "s", ignore_errors=True)
    store = Store.open(tmp_path / "s")
    for run, step in enumerate(steps, start=1):
        if step == "commit":
            commit(store, [run])
        else:
            store.compact(run=None if step == "compact" else run - 1)
        assert same(Store.open(store.root).snapshot(), from_commits(store))
    number = store.snapshot().number
    made = [path.name for path in sorted((store.root / "checkpoints").glob("*"))]
    due = [n for n in range(1, number + 1) if n % EVERY == 0]
    assert made == [f"{n:012d}.json" for n in due[-2:]]
    assert list(checkpoints.wrong(store.storage, store.store_id, store.all_commits())) == []


@pytest.mark.parametrize("where", [0, 1, 70, 200, -2, -1])
def test_damage_is_passed_over_and_found_by_a_check(store: Store, where: int) -> None:
    commit(store, range(1, 2 * EVERY + 2))
    path = newest_file(store)
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    fresh, storage = watched(store)
    assert same(fresh.snapshot(), from_commits(store))
    assert "checkpoints/000000000004.json" in storage.were_read
    assert list(checkpoints.wrong(store.storage, store.store_id, store.all_commits())) == [f"checkpoints/{path.name}"]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", sealed({"version": 1}), sealed({"version": 2, "content": {}})])
def test_what_is_no_checkpoint_is_passed_over(store: Store, data: bytes) -> None:
    commit(store, range(1, EVERY + 1))
    path = newest_file(store)
    path.unlink()
    path.write_bytes(data)
    assert same(Store.open(store.root).snapshot(), from_commits(store))


def test_one_of_another_number_or_another_store_is_passed_over(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    for each in (store, other):
        commit(each, range(1, 2 * EVERY + 2))
    folder = store.root / "checkpoints"
    (folder / "000000000008.json").unlink()
    shutil.copy(folder / "000000000004.json", folder / "000000000009.json")
    shutil.copy(other.root / "checkpoints" / "000000000008.json", folder / "000000000008.json")
    assert same(Store.open(store.root).snapshot(), from_commits(store))
    found = checkpoints.wrong(store.storage, store.store_id, store.all_commits())
    assert list(found) == ["checkpoints/000000000008.json", "checkpoints/000000000009.json"]


def test_a_store_that_went_another_way_since_does_not_believe_it(store: Store, tmp_path: Path) -> None:
    commit(store, range(1, EVERY))
    shutil.copytree(store.root, tmp_path / "backup")
    commit(store, [100])
    restored = Store.open(tmp_path / "backup")
    restored.sum_up()
    commit(restored, [200])
    (restored.root / "checkpoints" / "000000000004.json").unlink()
    shutil.copy(newest_file(store), restored.root / "checkpoints")
    assert same(Store.open(restored.root).snapshot(), from_commits(restored))
    found = checkpoints.wrong(restored.storage, restored.store_id, restored.all_commits())
    assert list(found) == ["checkpoints/000000000004.json"]


def test_one_that_was_made_wrong_is_found_by_a_check(store: Store) -> None:
    commit(store, range(1, EVERY + 1))
    forged = Snapshot.of(EVERY, dt.datetime.now(dt.UTC), list(store.snapshot().live())[1:])
    data = checkpoints.encode(store.store_id, forged, (store.root / "commits" / "000000000004.json").read_bytes())
    path = newest_file(store)
    path.unlink()
    path.write_bytes(data)
    found = checkpoints.wrong(store.storage, store.store_id, store.all_commits())
    assert list(found) == ["checkpoints/000000000004.json"]


def test_a_commit_that_a_checkpoint_sums_up_is_missed_all_the_same(store: Store) -> None:
    commit(store, range(1, EVERY + 2))
    (store.root / "commits" / "000000000002.json").unlink()
    with pytest.raises(DamagedStoreError, match="commit 2 is missing, later ones are there"):
        Store.open(store.root).snapshot()
    with pytest.raises(DamagedStoreError, match="commit 2 is missing"):
        orphans(store)  # else segments of later commits would pass for nobody's


def test_a_checkpoint_that_cannot_be_written_takes_nothing_back(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    (store.root / "checkpoints").write_text("in the way")
    commit(store, range(1, EVERY + 1))
    (warning,) = caplog.messages
    assert warning.startswith(f"{store.root}: no checkpoint was written: {store.root}")
    assert same(Store.open(store.root).snapshot(), from_commits(store))


def test_a_store_that_cannot_be_read_is_summed_up_later(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed before is not called a failure."""

    def refused() -> None:
        raise ReadFailedError("commits: Input/output error", hint="")

    monkeypatch.setattr(Store, "snapshot", lambda self: refused())
    store.sum_up()
    assert "no checkpoint was written: commits: Input/output error" in caplog.text
