"""Several processes write and read one store at once: nothing is lost, doubled or half seen."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping

from provenance.history.commits import CommitKind
from provenance.store import Store
from tests.provenance.conformance.places import Place

WRITERS = 4
COMMITS = 8
CHILDREN = 3
WRITER = """
import sys
from provenance.segments.batch import Batch
from provenance.history.commits import CommitKind
from provenance.store import Store

writer, commits, children = map(int, sys.argv[1:])
store = Store.open()
for number in range(commits):
    batch = Batch()
    for child in range(children):
        batch.add("job_edges", run=writer, parent=number, child=child)
        batch.add("uses", run=writer, job=number, file=child)
    print(store.commit(CommitKind.INGEST, batch).number, flush=True)
    if number % 4 == writer % 4:
        store.compact()
"""


def test_racing_writers_lose_nothing_and_readers_see_no_half(place: Place, environment: Mapping[str, str]) -> None:
    # The store is not there yet: who makes it is the first race.
    writers = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", WRITER, str(number), str(COMMITS), str(CHILDREN)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(1, WRITERS + 1)
    ]
    store, seen, looks = Store.open(place.location), 0, 0
    both = "SELECT (SELECT count(*) FROM job_edges), (SELECT count(*) FROM uses)"
    while any(writer.poll() is None for writer in writers):
        ((edges, uses),) = store.rows(both, tables=["job_edges", "uses"])
        assert edges == uses
        assert edges % CHILDREN == 0
        assert edges >= seen
        seen, looks = edges, looks + 1
    acknowledged = [int(line) for writer in writers for line in writer.communicate()[0].splitlines()]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    assert looks > 3

    made = list(Store.open(place.location).all_commits())
    assert [commit.number for commit in made] == list(range(1, len(made) + 1))
    assert all(earlier.time < later.time for earlier, later in itertools.pairwise(made))
    assert sorted(acknowledged) == [commit.number for commit in made if commit.kind is CommitKind.INGEST]
    assert any(commit.kind is CommitKind.COMPACT for commit in made)
    expected = [(w, n, c) for w in range(1, WRITERS + 1) for n in range(COMMITS) for c in range(CHILDREN)]
    for table, columns in (("job_edges", "run, parent, child"), ("uses", "run, job, file")):
        assert sorted(store.rows(f"SELECT {columns} FROM {table}", tables=[table])) == expected
