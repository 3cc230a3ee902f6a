from __future__ import annotations

import networkx as nx
import pytest

from provenance.answers.designators import NothingFoundError, find_files
from provenance.answers.lineage import lineage as graph_of
from provenance.commands.lineage import lineage


def names(document):
    return sorted(node["name"] for node in document["nodes"])


def test_two_empty_done_flags_have_two_histories(runs, json_of):
    graphs = {name: json_of(lineage, str(runs.output(name, "done.flag"))) for name in ("left", "right")}
    for name, graph in graphs.items():
        assert names(graph) == ["done.flag", "finish", "mid.dat", "raw.dat", "stack"]
        jobs = [node for node in graph["nodes"] if node["kind"] == "job"]
        assert {node["run"] for node in jobs} == {str(runs.ids[name])}
        assert len(graph["edges"]) == 4
    ids = [{node["id"] for node in graph["nodes"]} for graph in graphs.values()]
    assert not ids[0] & ids[1]


def test_edges_go_with_the_data(runs, json_of):
    document = json_of(lineage, str(runs.output("left", "mid.dat")))
    graph = nx.DiGraph(map(tuple, document["edges"]))
    by_id = {node["id"]: node["name"] for node in document["nodes"]}
    assert [by_id[node] for node in nx.topological_sort(graph)] == [
        "raw.dat",
        "stack",
        "mid.dat",
        "finish",
        "done.flag",
    ]


def test_a_name_means_all_files_of_that_name_and_says_so(runs, run_command):
    result = run_command(lineage, "done.flag")
    assert "2 files are meant" in result.stderr
    assert result.stdout.count("done.flag") == 2


def test_the_tree_shows_both_directions(runs, run_command):
    lines = run_command(lineage, str(runs.output("left", "mid.dat"))).stdout.splitlines()
    assert lines[0].startswith("mid.dat  sha256 ")
    assert lines[1:] == [
        "  comes from",
        "    └─ [stack]  job a of left",
        "       └─ raw.dat  (raw)",
        "  is used by",
        "    └─ [finish]  job b of left",
        "       └─ done.flag",
    ]


def test_dot_is_a_graph(runs, run_command):
    text = run_command(lineage, str(runs.output("left", "mid.dat")), "--format", "dot").stdout
    assert text.startswith("digraph lineage {")
    assert text.count("->") == 4


def test_a_digest_and_an_id_name_files(runs):
    (by_path,) = find_files(runs.store, str(runs.output("left", "mid.dat")))
    assert find_files(runs.store, by_path.id) == [by_path]
    assert find_files(runs.store, by_path.sha256.hex()) == [by_path]
    assert find_files(runs.store, by_path.sha256.hex()[:10]) == [by_path]
    assert len(find_files(runs.store, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")) == 2


def test_what_is_not_known_is_an_error(runs, run_command):
    with pytest.raises(NothingFoundError, match="nowhere"):
        run_command(lineage, "nowhere")


def test_a_file_that_nothing_reads(runs, run_command):
    text = run_command(lineage, str(runs.output("left", "done.flag"))).stdout
    assert "is used by nothing" in text


def test_the_language_and_the_command_agree(runs):
    (file,) = find_files(runs.store, str(runs.output("left", "done.flag")))
    graph = graph_of(runs.store, [file])
    up = runs.query("files upstream of (files where id = $id) show id", id=file.id)
    assert {f"file:{row['id']}" for row in up} | set(graph.seeds) == {
        node for node in graph.nodes if node.startswith("file:")
    }
