"""Which run a word means."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from provenance.answers.runs import NoSuchRunError, find_run
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.segments.batch import Batch
from provenance.store import Store

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
IDS = {
    "first": uuid.UUID("0193572a-8f00-7000-8000-0000beefcafe"),
    "beefcafe": uuid.UUID("0193572a-8f00-7000-8000-00000000000b"),
    "b": uuid.UUID("0193572a-8f01-7000-8000-00000000000c"),
}


@pytest.fixture
def planned(store: Store) -> Store:
    batch = Batch()
    for hour, (name, run_id) in enumerate(IDS.items()):
        folders = {"submit_dir": f"/runs/{name}-folder", "output_dir": f"/runs/{name}-folder/output"}
        batch.add(
            "workflows", run=source_of(run_id), run_id=str(run_id), kind="workflow", name=name, engine="local",
            planned=NOON + dt.timedelta(hours=hour), **folders,
        )  # fmt: skip
    store.commit(CommitKind.PLAN, batch)
    return store


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (None, "b"),
        ("first", "first"),
        ("/runs/first-folder", "first"),
        ("first-folder", "first"),
        (str(IDS["first"]).upper(), "first"),
        ("0000beefcafe", "first"),
        ("0193572a-8f01", "b"),
        ("b", "b"),  # not the run whose id ends so
        ("beefcafe", "beefcafe"),  # nor the one whose id ends like the name of a workflow
    ],
)
def test_a_word_means_one_run(planned: Store, word: str | None, name: str) -> None:
    assert find_run(planned, word).name == name


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("c", "no run 'c'"),
        ("", "no run ''"),
        ("cafe", "no run 'cafe'"),
        ("0193572a", "is the id of 3 runs"),
    ],
)
def test_a_word_that_means_none_or_several_is_refused(planned: Store, word: str, message: str) -> None:
    with pytest.raises(NoSuchRunError, match=message):
        find_run(planned, word)


def test_a_store_without_runs_says_so(store: Store) -> None:
    with pytest.raises(NoSuchRunError, match="there is no run in the store"):
        find_run(store, None)
