"""Stores whose writers are at work: a check never calls one damaged, and a plain copy of one is a whole store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenance.check.findings import Kind, Verdict
from provenance.check.whole import check_store
from provenance.location import find
from provenance.store import Store

ROOT = Path(__file__).parents[3]
WRITERS = 4
WRITER = """
import sys, time, uuid
from provenance.segments.batch import Batch
from provenance.history.commits import CommitKind
from provenance.identity import source_of
from provenance.store import Store

store = Store.open(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    time.sleep(0.15)
    number += 1
    batch, run_id = Batch(), uuid.uuid4()
    run = source_of(run_id)
    batch.add("workflows", run=run, run_id=str(run_id), kind="workflow", name=f"w{number}")
    for job in range(1, 4):
        batch.add("jobs", run=run, job=job, name="stack")
        batch.add("invocations", run=run, job=job, attempt=1, record_sha256=uuid.uuid4().bytes * 2)
        batch.add("files", source=run, file=(job << 30) + (1 << 20), name="f", job=job, attempt=1)
        batch.add("uses", run=run, job=job, attempt=1, source=run, file=(job << 30) + (1 << 20))
    store.commit(CommitKind.INGEST, batch)
    if number % 4 == 0:
        store.compact()
        store.project()
"""


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Store]:
    """A store to which four processes write until the test is over."""
    store = Store.open(tmp_path / "original" / ".pirene")
    command = [sys.executable, "-c", WRITER, str(store.root)]
    writers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(WRITERS)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        yield store
        assert [writer.poll() for writer in writers] == [None] * WRITERS, writers[0].stderr
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def _until(store: Store, commits: int) -> int:
    while (number := store.snapshot().number) < commits:
        time.sleep(0.05)
    return number


def test_a_check_beside_writers_finds_nothing_wrong(at_work: Store) -> None:
    before = 9
    for _ in range(3):
        _until(at_work, before + 1)  # a writer may have waited for its turn all the while the last check took
        report = check_store(at_work.storage)
        assert [one for one in report.findings if one.kind not in (Kind.ORPHAN, Kind.STALE)] == []
        assert report.verdict is Verdict.CLEAN
        assert report.commits > before
        before = report.commits


def test_a_store_that_was_copied_while_four_writers_work_is_whole(at_work: Store, tmp_path: Path) -> None:
    """With plain `cp -r`, which complains at most of files of unfinished commits that were gone when it got to them."""
    acknowledged = _until(at_work, 10)
    for number in range(2):
        copy = tmp_path / f"copy-{number}"
        ended = subprocess.run(
            ["cp", "-r", str(at_work.root.parent), str(copy)], check=False, capture_output=True, text=True
        )
        assert [line for line in ended.stderr.splitlines() if "/commits/0" in line or "store.json" in line] == []
        storage = find(copy / ".pirene")
        report = check_store(storage)
        assert [one for one in report.findings if one.kind not in (Kind.ORPHAN, Kind.STALE)] == []
        assert report.verdict is Verdict.CLEAN
        assert report.commits >= acknowledged
        reader = Store.open(copy / ".pirene")
        jobs, runs = reader.rows(
            "SELECT (SELECT count(*) FROM jobs), count(*) FROM workflows", tables=["jobs", "workflows"]
        )[0]
        assert jobs == 3 * runs
        reader.project()
        assert [one.kind for one in check_store(storage).findings if one.kind is Kind.STALE] == []
        acknowledged = at_work.snapshot().number
