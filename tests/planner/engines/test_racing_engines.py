"""What engines say while others commit: the second writer is done when the first is about to publish."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from planner.engines.pool import removal
from planner.engines.recorder import Recorder
from provenance.history.commits import Commit, CommitKind
from provenance.publishing import publication
from provenance.registration.placement import Placed, add_placed
from provenance.segments.batch import Batch
from provenance.storage.interface import Storage
from provenance.store import Store

RUN = 7
URL = "file:///out/f.d"


@pytest.fixture
def store(new_world: Callable[[], Any]) -> Store:
    """A store that has two files and a run, planned."""
    opened: Store = new_world().store
    batch = Batch()
    for source in (1, 2):
        batch.add("files", source=source, file=1, name="f.d", origin="raw", kind="file")
    batch.add("workflow_states", run=RUN, state="planned", at=dt.datetime.now(dt.UTC))
    opened.commit(CommitKind.PLAN, batch)
    return opened


@pytest.fixture
def overtake(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Store], object]], None]:
    """Makes something happen to the store when the next commit is about to be published."""
    publish = publication.publish

    def arrange(happens: Callable[[Store], object]) -> None:
        def overtaken(storage: Storage, commit: Commit) -> bool:
            monkeypatch.setattr(publication, "publish", publish)
            happens(Store.open(store.root))
            assert not publish(storage, commit)
            return False

        monkeypatch.setattr(publication, "publish", overtaken)

    return arrange


def say(store: Store, state: str) -> None:
    batch = Batch()
    batch.add("workflow_states", run=RUN, state=state, at=dt.datetime.now(dt.UTC))
    store.commit(CommitKind.INGEST, batch)


def states(store: Store) -> list[str]:
    rows = store.rows("SELECT state FROM workflow_states ORDER BY commit_number", tables=["workflow_states"])
    return [state for (state,) in rows]


def test_a_run_that_ends_while_it_is_removed_has_ended(store: Store, overtake: Any) -> None:
    overtake(lambda other: say(other, "succeeded"))
    removal._say_incomplete(store, RUN)
    assert states(store) == ["planned", "succeeded"]


def test_a_run_that_begins_while_it_is_removed_is_incomplete(store: Store, overtake: Any) -> None:
    overtake(lambda other: say(other, "running"))
    removal._say_incomplete(store, RUN)
    assert states(store) == ["planned", "running", "incomplete"]


def test_what_others_put_into_a_place_meanwhile_is_replaced(store: Store, overtake: Any) -> None:
    def other(their: Store) -> None:
        batch = Batch()
        add_placed(their, batch, [Placed((2, 1), URL, "local", link=False)], at=dt.datetime.now(dt.UTC))
        their.commit(CommitKind.INGEST, batch)

    plan, job = SimpleNamespace(run=RUN), SimpleNamespace(number=1)
    with Recorder(plan, store, note=pytest.fail) as recorder:  # type: ignore[arg-type] - no more is asked of them here
        recorder.running()
        recorder.placed(job, Placed((1, 1), URL, "local", link=False))  # type: ignore[arg-type]
        overtake(other)
        recorder.flush()
    events = store.rows("SELECT source, event FROM replicas ORDER BY commit_number, event DESC", tables=["replicas"])
    assert events == [(2, "registered"), (2, "replaced"), (1, "registered")]
    assert states(store) == ["planned", "running"]
