"""What an erasure does not reach is named: every place that may hold the same."""

from __future__ import annotations

import fcntl
import os
import random
from pathlib import Path
from typing import Any

import pytest

from provenance.erasure import beyond_erasure
from provenance.erasure.beyond_erasure import Beyond
from provenance.erasure.erasure import NotLookedForError, Target, erase
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.erasures import AT, FIRST, RUN, SECRET, file, grow, job


@pytest.fixture
def grown(store: Store) -> Store:
    grow(store, random.Random(1))
    late = Batch()
    late.add("workflows", run=RUN, kind="workflow", submit_dir="/runs/one", planned=AT)
    late.add("workflows", run=RUN + 1, kind="workflow", submit_dir="/runs/other", planned=AT)
    late.add("jobs", run=RUN, job=FIRST, arguments=["--in", f"/x/{SECRET}.dat"], reason=SECRET, environment=["short=1"])
    late.add("selections", run=RUN, name="s", tree=f'{{"value":"{SECRET}"}}')
    late.add("replicas", source=RUN, file=FIRST, url="file:///y/second.dat", event="registered", at=AT)
    store.commit(CommitKind.PLAN, late)
    return store


def test_it_names_what_it_does_not_reach(grown: Store, tmp_path: Path) -> None:
    here = Store.open(tmp_path / "here")
    pull(here, grown)
    orphan = here.root / "segments" / "files" / "a.parquet.tmp"
    orphan.write_bytes(b"x")
    spooled = here.root / "spool" / "run" / "1-1.json"
    spooled.parent.mkdir(parents=True)
    spooled.write_bytes(b'{"name":"patient-0815-M\\u00fcller.dat"}')
    (spooled.parent / "2-1.json").write_bytes(b"{}")
    expected = Beyond(
        elsewhere={"jobs.arguments": 1, "jobs.reason": 1, "selections.tree": 1},
        spooled=(str(spooled),),
        unsearched=1,
        unfinished=("segments/files/a.parquet.tmp",),
        run_folders=("/runs/one",),
        copies=("file:///y/second.dat",),
        stores=(grown.store_id,),
    )
    target = Target((file(),))
    assert erase(here, target, "asked to", dry_run=True).beyond == expected
    assert erase(here, target, "asked to").beyond == expected


def test_of_output_it_names_no_copies_and_of_nothing_nothing(grown: Store) -> None:
    said = erase(grown, Target((job(),), output=True), "asked to").beyond
    assert (said.copies, said.run_folders, said.stores) == ((), ("/runs/one",), ())
    assert erase(grown, Target((job(),), output=True), "asked to").beyond == Beyond()


def test_texts_are_looked_for_in_batches_and_not_without_end(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beyond_erasure, "_AT_ONCE", 1)
    target = Target((file(),))
    assert erase(grown, target, "asked to", dry_run=True).beyond.elsewhere["selections.tree"] >= 1
    monkeypatch.setattr(beyond_erasure, "MOST_TEXTS", 0)
    said = erase(grown, target, "asked to", dry_run=True).beyond
    assert (said.elsewhere, said.unsearched > 3) == ({}, True)


def test_what_cannot_be_searched_keeps_nothing_from_being_erased(grown: Store) -> None:
    """A damaged table that has nothing to do with it is named, with the commit that erased."""
    for path in grown.root.glob("segments/selections/*.parquet"):
        path.chmod(0o644)
        path.write_bytes(b"PAR1" + bytes(path.stat().st_size))
    with pytest.raises(
        NotLookedForError, match=r"the erasure is done \(commit \d+\), but not found out is .*selections"
    ):
        erase(grown, Target((file(),)), "asked to")
    assert grown.rows(f"SELECT 1 FROM files WHERE source = {RUN} AND file = {FIRST}", tables=["files"]) == []
    assert [commit.kind for commit in grown.commits()][-1] is CommitKind.ERASE


def test_nobody_waits_for_the_search(grown: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn is over by then: the folder that is locked for it is free."""
    searched: list[bool] = []
    real = beyond_erasure.spooled_with

    def spooled_with(*arguments: Any) -> tuple[str, ...]:
        folder = os.open(grown.root / "commits", os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)
        searched.append(True)
        return real(*arguments)

    monkeypatch.setattr(beyond_erasure, "spooled_with", spooled_with)
    erase(grown, Target((file(),)), "asked to")
    assert searched == [True]
