"""Several processes commit, compact and read one store at once: nothing is lost, doubled or half seen."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

from provenance.commits import CommitKind
from provenance.store import Store

ROOT = Path(__file__).parents[2]
WRITERS = 5
COMMITS = 12
WRITER = """
import sys
from provenance.batch import Batch
from provenance.commits import CommitKind
from provenance.store import Store

writer, commits = int(sys.argv[2]), int(sys.argv[3])
store = Store.open(sys.argv[1])
for number in range(commits):
    batch = Batch()
    for child in range(3):
        batch.add("job_edges", run=writer, parent=number, child=child)
        batch.add("uses", run=writer, job=number, file=child)
    print(store.commit(CommitKind.INGEST, batch).number, flush=True)
    if number % 4 == writer % 4:
        store.compact()
    store.project()
"""


def start(root: Path, writer: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), str(writer), str(COMMITS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_writers_compactions_and_readers_do_not_disturb_each_other(store: Store) -> None:
    writers = [start(store.root, number) for number in range(WRITERS)]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        snapshot = store.snapshot()
        both = "SELECT (SELECT count(*) FROM job_edges), (SELECT count(*) FROM uses)"
        ((edges, uses),) = store.rows(both, tables=["job_edges", "uses"], snapshot=snapshot)
        assert edges == uses
        assert isinstance(edges, int)
        assert edges % 3 == 0
        assert edges >= seen
        seen = edges
    acknowledged = [int(line) for writer in writers for line in writer.communicate()[0].splitlines()]
    assert [writer.returncode for writer in writers] == [0] * WRITERS

    made = list(Store.open(store.root).commits())
    assert [commit.number for commit in made] == list(range(1, len(made) + 1))
    assert all(earlier.time < later.time for earlier, later in itertools.pairwise(made))
    assert sorted(acknowledged) == [commit.number for commit in made if commit.kind is CommitKind.INGEST]
    assert any(commit.kind is CommitKind.COMPACT for commit in made)
    expected = [(writer, number, child) for writer in range(WRITERS) for number in range(COMMITS) for child in range(3)]
    for table, columns in (("job_edges", "run, parent, child"), ("uses", "run, job, file")):
        assert sorted(store.rows(f"SELECT {columns} FROM {table}", tables=[table])) == expected
    # Each commit's rows say its number, wherever they were merged to.
    numbers = store.rows("SELECT commit_number, count(*) FROM uses GROUP BY 1 ORDER BY 1", tables=["uses"])
    assert numbers == [(number, 3) for number in sorted(acknowledged)]
