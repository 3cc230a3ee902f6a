"""What commands that were killed leave in the spool is taken up by the next, and never what is under way."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from planner.command_spool import Spool, take_up
from planner.single_command import KICKSTART
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.segments.batch import Batch
from provenance.store import Store

RUN_ID = uuid.UUID("0193572a-8f00-7000-8000-00000000002a")
RUN = source_of(RUN_ID)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store that has the run as running."""
    opened = Store.open(tmp_path / ".pirene")
    batch = Batch()
    batch.add("workflows", run=RUN, run_id=str(RUN_ID), kind="exec")
    batch.add("workflow_states", run=RUN, state="running")
    opened.commit(CommitKind.PLAN, batch)
    return opened


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The record of the run's command, as its wrapper wrote it."""
    folder = tmp_path_factory.mktemp("record")
    transformation = {"namespace": None, "name": "true", "version": None}
    environment = {"set": {}, "clear": False, "record": []}
    job = {
        "schema": "pirene.job/1", "run_id": str(RUN_ID), "job": 1, "id": "exec", "attempt": 1, "work_dir": None,
        "transformation": transformation, "site": "local", "stage_in": [], "argv": ["true"], "environment": environment,
        "passthrough": True, "inputs": [], "outputs": [], "metadata_file": None, "reuse_key": "ab" * 32,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-I", "-S", str(KICKSTART), "--job", "job.json", "--record", "record"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "record").read_bytes()


@pytest.fixture
def spool(store: Store) -> Spool:
    """The run's spool, with what its command puts there first."""
    made = Spool.of(store, RUN_ID)
    made.folder.mkdir(parents=True)
    (made.folder / "owner.lock").touch()
    (made.folder / "job.json").write_text("{}")
    return made


def states(store: Store) -> list[tuple[str, str | None]]:
    return store.rows("SELECT state, reason FROM workflow_states ORDER BY commit_number", tables=["workflow_states"])


def test_a_record_comes_in_with_the_end_of_its_run_in_one_commit(store: Store, spool: Spool, record: bytes) -> None:
    spool.record.write_bytes(record)
    take_up(store)
    assert states(store) == [("running", None), ("succeeded", None)]
    assert store.rows("SELECT run, job FROM invocations", tables=["invocations"]) == [(RUN, 1)]
    assert store.snapshot().number == 2
    assert not spool.folder.exists()


def test_a_record_that_comes_in_twice_says_nothing_new(store: Store, spool: Spool, record: bytes) -> None:
    spool.record.write_bytes(record)
    assert spool.take_in(store, RUN, without="").failure is None
    spool.folder.mkdir()
    spool.record.write_bytes(record)
    take_up(store)
    assert store.snapshot().number == 2
    assert not spool.folder.exists()


def test_a_command_that_left_no_record_has_failed(store: Store, spool: Spool) -> None:
    take_up(store)
    assert states(store) == [("running", None), ("failed", "it was killed, and left no record")]
    assert not spool.folder.exists()


def test_what_was_taken_in_and_not_removed_is_removed(store: Store, spool: Spool) -> None:
    batch = Batch()
    batch.add("workflow_states", run=RUN, state="succeeded")
    store.commit(CommitKind.INGEST, batch)
    take_up(store)
    assert states(store) == [("running", None), ("succeeded", None)]
    assert not spool.folder.exists()


@pytest.mark.parametrize("name", ["owner.lock", "1-1.json.lock"])
def test_what_is_under_way_is_left_alone(store: Store, spool: Spool, name: str, record: bytes) -> None:
    """Locked by its command, or by the wrapper, which may outlive that."""
    spool.record.write_bytes(record)
    with (spool.folder / name).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        take_up(store)
    assert states(store) == [("running", None)]
    assert spool.record.exists()
    take_up(store)
    assert states(store)[-1] == ("succeeded", None)


def test_an_owner_whose_folder_was_removed_before_it_had_the_lock_makes_it_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool.of(store, RUN_ID)
    lock, calls = fcntl.flock, []

    def after_a_take_up(descriptor: int, operation: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            spool.remove()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", after_a_take_up)
    with spool.owned():
        assert (spool.folder / "owner.lock").exists()
        take_up(store)
        assert (spool.folder / "owner.lock").exists()
    assert len(calls) == 3
    assert states(store) == [("running", None)]


def test_where_there_are_no_locks_only_old_records_are_taken_up(
    store: Store, spool: Spool, record: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", without_locks)
    take_up(store)
    spool.record.write_bytes(record)
    take_up(store)
    assert states(store) == [("running", None)]
    os.utime(spool.record, (time.time(), time.time() - 90_000))
    take_up(store)
    assert states(store)[-1] == ("succeeded", None)
    assert not spool.folder.exists()


def test_foreign_folders_are_left_alone(store: Store) -> None:
    foreign = store.root / "spool" / "notes"
    foreign.mkdir(parents=True)
    take_up(store)
    assert foreign.exists()
