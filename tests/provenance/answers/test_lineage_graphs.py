from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.answers import lineage as lineage_module
from provenance.answers.designators import FileRef
from provenance.answers.lineage import lineage
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store

# A graph of jobs as triples (job, files read, files written); files are numbers, each written by at most one job.
jobs = st.lists(st.tuples(st.sets(st.integers(0, 9), max_size=3), st.sets(st.integers(0, 9), max_size=2)), max_size=8)


@settings(max_examples=25, deadline=None)
@given(
    jobs,
    st.integers(0, 9),
    st.booleans(),
    st.sampled_from([("_NEAR_STEPS", 16), ("_NEAR_STEPS", 1), ("_NEAR_THINGS", 1)]),
)
def test_the_graph_is_what_a_naive_walk_finds(jobs, seed, twice, limit):
    """Second opinion: ancestors and descendants by networkx, on edges that are made here; cycles included. Near graphs
    are asked for step by step, others at once.
    """
    edges, writers = set(), {}
    batch = Batch()
    for number, (reads, writes) in enumerate(jobs, start=1):
        batch.add("jobs", run=1, job=number, id=f"j{number}", name="t", decision="run")
        own = {file for file in writes if file not in writers}
        writers |= dict.fromkeys(own, number)
        for file in reads:
            for attempt in (1, 2) if twice else (1,):
                batch.add(
                    "uses", run=1, job=number, attempt=attempt, source=1, file=file, role="input", direction="read"
                )
            edges.add((("file", file), ("job", number)))
        edges |= {(("job", number), ("file", file)) for file in own}
    for file in range(10):
        batch.add("files", source=1, file=file, name=f"f{file}", origin="raw", job=writers.get(file))
    graph = nx.DiGraph(edges)
    graph.add_node(("file", seed))
    start = ("file", seed)
    expected = nx.ancestors(graph, start) | nx.descendants(graph, start) | {start}
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / ".pirene")
        store.commit(CommitKind.PLAN, batch)
        with patch.object(lineage_module, *limit):
            found = lineage(store, [FileRef(1, seed, f"f{seed}", None, None, None, "raw")])
    assert {(node.split(":")[0], int(node.rsplit("-")[1])) for node in found.nodes} == expected
    up = nx.ancestors(graph, start) | {start}
    down = nx.descendants(graph, start) | {start}
    inside = {edge for edge in edges if (edge[0] in up and edge[1] in up) or (edge[0] in down and edge[1] in down)}
    number = {node: (node.split(":")[0], int(node.rsplit("-")[1])) for node in found.nodes}
    assert {(number[a], number[b]) for a, b in found.edges} == inside
