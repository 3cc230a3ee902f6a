from __future__ import annotations

from pathlib import Path

import pytest

from provenance.history.commits import CommitKind
from provenance.reading.views import Reading
from provenance.segments.batch import Batch
from provenance.store import Store

ORIGINAL, LATER = 1, 2
EDGES = "SELECT run, job, file FROM write_edges ORDER BY ALL"


def told(place: Path, *, reused: bool) -> Store:
    """A run of one job with one file, and a later one whose job was reused from it, or ran."""
    store, batch = Store.open(place), Batch()
    more = {"decision": "reuse", "reused_run": ORIGINAL, "reused_job": 1} if reused else {"decision": "run"}
    batch.add("jobs", run=ORIGINAL, job=1, id="a", type="job", name="n", decision="run")
    batch.add("jobs", run=LATER, job=7, id="b", type="job", name="n", **more)
    batch.add("files", source=ORIGINAL, file=3, name="x", origin="produced", job=1)
    store.commit(CommitKind.PLAN, batch)
    return store


@pytest.mark.parametrize(("reused", "edges"), [(False, [(1, 1, 3)]), (True, [(1, 1, 3), (2, 7, 3)])])
def test_joins_with_reused_jobs_are_planned_only_where_there_are_some(
    reused: bool, edges: list[tuple[int, int, int]], tmp_path: Path
) -> None:
    with Reading(told(tmp_path, reused=reused), Store.existing(tmp_path).snapshot()) as reading:
        assert reading.rows(EDGES) == edges
        plan = "".join(row[-1] for row in reading.rows(f"EXPLAIN {EDGES}"))
    assert ("Join" in plan) is reused
