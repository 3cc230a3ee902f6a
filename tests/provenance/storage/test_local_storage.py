"""A store in a folder whose neighbours clean up: what can be made anew may go at any time, also under a writer."""

from __future__ import annotations

import os
import shutil

import pytest

from provenance.errors import DamagedStoreError
from provenance.history.commits import CommitKind, commit_name
from provenance.ingest.quarantine import quarantine, quarantined
from provenance.segments.batch import Batch
from provenance.store import Store


@pytest.fixture
def lived_in(store: Store) -> Store:
    """A store whose object has made every folder itself."""
    _commit(store, 1)
    store.sum_up()
    quarantine(store, b"odd", "record", "it is odd")
    return store


def _commit(store: Store, version: int) -> None:
    batch = Batch()
    batch.add("queries", name="q", version=version)
    store.commit(CommitKind.METADATA, batch)


def test_folders_that_somebody_removed_are_made_again(lived_in: Store, caplog: pytest.LogCaptureFixture) -> None:
    for folder in ("checkpoints", "quarantine"):
        shutil.rmtree(lived_in.root / folder)
    _commit(lived_in, 2)
    lived_in.sum_up()
    quarantine(lived_in, b"odd", "record", "it is odd")
    assert caplog.messages == []
    assert [path.name for path in (lived_in.root / "checkpoints").iterdir()] == ["000000000002.json"]
    assert [one.reason for one in quarantined(lived_in)] == ["it is odd"]


def test_a_folder_of_a_table_that_holds_nothing_is_made_again(lived_in: Store) -> None:
    """As after a copy by a tool that leaves out empty folders, taken over while this object was there."""
    shutil.rmtree(lived_in.root / "segments" / "files")
    batch = Batch()
    batch.add("files", source=1, file=1, name="a", origin="raw", kind="file")
    assert lived_in.commit(CommitKind.REGISTER, batch) is not None
    assert Store.open(lived_in.root).rows("SELECT name FROM files", tables=["files"]) == [("a",)]


@pytest.mark.parametrize("has_writer", [False, True])
def test_a_named_pipe_in_place_of_a_commit_is_not_waited_for(lived_in: Store, has_writer: bool) -> None:
    path = lived_in.root / commit_name(2)
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR) if has_writer else None
    with pytest.raises(DamagedStoreError, match=f"{path.name}: no commit: not JSON"):
        Store.open(lived_in.root).snapshot()
    if writer is not None:
        os.close(writer)
