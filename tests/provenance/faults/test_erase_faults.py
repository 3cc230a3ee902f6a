"""An erasure that is killed, or whose file system fails, at a system call: nothing is half erased, and repeating it
leaves no byte of it.

At every call with PIRENE_TEST_ALL_FAULTS; else at a few of each kind, spread over all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from provenance.check.findings import Kind, Verdict
from provenance.check.whole import check_store
from provenance.erasure.erasure import Target, erase
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind
from provenance.ingest.quarantine import quarantine
from provenance.store import Store
from tests.provenance.erasures import EVERYTHING, FIRST, RUN, SECRET, attempt, file, grave, holders
from tests.provenance.faults.test_faults import FAULTS, FULL, KINDS, require_clear_end

pytestmark = pytest.mark.usefixtures("folders_of_the_user")
POINTS = {"killed": 3, "EIO": 1, "ENOSPC": 0}
"""At so many calls of each kind, unless all are asked for."""
CASES = [pair for pair in product(KINDS, FAULTS) if FULL or POINTS[pair[1]]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that pulled what is to be erased, with commits of its own, a catalog, a checkpoint and quarantine."""
    maker = Store.open(tmp_path_factory.mktemp("erased") / "other")
    maker.commit(CommitKind.INGEST, attempt(RUN, FIRST, SECRET))
    maker.commit(CommitKind.INGEST, attempt(RUN, 2, "harmless"))
    maker.compact()
    maker.commit(CommitKind.INGEST, attempt(RUN, 3, "harmless too"))
    store = Store.open(maker.root.with_name("store"))
    store.commit(CommitKind.INGEST, attempt(5, 2, "harmless as well"))
    pull(store, maker)
    erase(store, EVERYTHING[1], "asked to")  # so that a file is all that is left to erase
    quarantine(store, SECRET.encode(), "record", "no record")
    store.project()
    store.sum_up()
    return store.root


def rows(store: Store) -> list[tuple[Any, ...]]:
    sql = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in ("files", "uses", "metadata"))
    return sorted(store.rows(sql, tables=["files", "uses", "metadata"]))


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_an_erasure_is_whole_after_a_fault(
    victims: Any,
    prepared: Path,
    copy_of: Callable[[Path], Path],
    record_property: Callable[[str, str], None],
    kind: str,
    fault: str,
) -> None:
    old = rows(Store.open(prepared))
    new = [(table, count - {"files": 1, "uses": 1, "metadata": 2}[table]) for table, count in old]
    undisturbed = victims.run("erase", copy_of(prepared), "-e", f"trace={','.join(KINDS[kind])}")
    assert undisturbed.acknowledged, undisturbed.said
    made = Counter(call.name for call in undisturbed.calls if call.thread == 0)
    points = [(call, at) for call, number in sorted(made.items()) for at in range(1, number + 1)]
    step = 1 if FULL else max(len(points) // POINTS[fault], 1)
    struck = 0
    for call, at in points[step // 2 :: step]:
        root = copy_of(prepared)
        outcome = victims.run("erase", root, "-e", f"trace={call}", "-e", f"inject={call}:{FAULTS[fault]}:when={at}")
        what = f"{call} {at} of {made[call]}, {fault}: {outcome.status}, {outcome.said}"
        if outcome.struck:
            struck += 1
            require_clear_end(outcome, root, fault, what)
        judge(root, old, new, acknowledged=outcome.acknowledged, where=what)
    record_property("measured", f"erase, {kind}: {fault} at {struck} of {len(points)} calls {dict(made)}")
    assert struck


def judge(
    root: Path, old: list[tuple[Any, ...]], new: list[tuple[Any, ...]], *, acknowledged: bool, where: str
) -> None:
    """All that must hold of a store after a fault."""
    store = Store.open(root)
    assert {finding.kind for finding in grave(store)} <= {Kind.UNERASED}, where
    assert rows(store) in ([new] if acknowledged else [old, new]), where
    assert not acknowledged or holders(root) == [], where
    erase(store, Target((file(),)), "asked to")
    assert rows(store) == new, where
    report = check_store(store.storage)
    assert report.verdict is Verdict.CLEAN, (where, report)
    assert holders(root) == [], where
