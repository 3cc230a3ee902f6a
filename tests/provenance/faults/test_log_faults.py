"""The log grows, and is killed, or its file system fails, at any one system call: it is behind, and nothing is altered."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from provenance.history.commits import CommitKind
from provenance.log.discrepancy import Gravity
from provenance.log.examination import examine
from provenance.log.growth import extend
from provenance.log.keys import trusted_keys
from provenance.segments.batch import Batch
from provenance.store import Store

CALLS = ("write", "fsync", "rename", "openat", "mkdir", "close", "unlink")
FAULTS = {"killed": "signal=KILL", "EIO": "error=EIO"}


def add(store: Store, run: int) -> None:
    batch = Batch()
    batch.add("workflows", run=run)
    store.commit(CommitKind.PLAN, batch)


@pytest.fixture(scope="module", params=["the first log", "one that goes on"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.open(tmp_path_factory.mktemp("log-faults") / ".pirene")
    add(store, 1)
    if request.param == "one that goes on":
        extend(store)
    add(store, 2)
    return store.root


@pytest.mark.parametrize("fault", FAULTS)
def test_a_log_that_does_not_come_to_its_end_is_only_behind(
    victims: Any, prepared: Path, tmp_path: Path, fault: str
) -> None:
    points: Counter[str] = Counter()
    for call in CALLS:
        number = 1
        while True:
            root = Path(shutil.copytree(prepared, tmp_path / f"{call}-{number}"))
            inject = f"inject={call}:{FAULTS[fault]}:when={number}"
            outcome = victims.run("log", root, "-e", f"trace={call}", "-e", inject)
            judge(root, f"{call} {number}, {fault}: {outcome.status}, {outcome.said}")
            if not outcome.struck:
                assert outcome.acknowledged
                break
            points[call] += 1
            number += 1
    assert points["write"] == 2  # a tile and a checkpoint
    assert points["rename"] == 2


def judge(root: Path, where: str) -> None:
    store = Store.open(root)
    for size in (2, 3):
        found = examine(store.storage, store.store_id, trusted_keys())
        assert found.size == size, where
        assert {one.gravity for one in found.discrepancies} <= {Gravity.BEHIND}, f"{where}: {found.discrepancies}"
        if size == 2:
            add(store, 3)
    extend(store)
    found = examine(store.storage, store.store_id, trusted_keys())
    assert (found.logged, found.discrepancies) == (3, ()), where
