"""Where files came from and what depends on them: the graph of files and jobs around some files.

A step is file -> job -> file. Lineage goes by history, never by content: two files with the same bytes, made by two
workflows, have nothing to do with each other here. A job that was reused made nothing; its original did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.answers.designators import FileRef, file_id, files_by_key
from provenance.reading.views import Reading, Row, fetch, report_sql

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_Key = tuple[int, int]
"""Of a file (source, file) or of a job (run, job)."""
_JOBS = """
SELECT j.run, j.job, j.id, concat(j.namespace || '::', j.name, ':' || j.version), s.status, w.run_id, w.name
FROM jobs AS j
LEFT JOIN job_statuses AS s ON s.run = j.run AND s.job = j.job
LEFT JOIN workflows AS w ON w.run = j.run
WHERE (j.run, j.job) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
ORDER BY j.run, j.job
"""

_PAIRS = "(SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))"
_MADE = "SELECT 'write', source, file, source, job FROM files WHERE job IS NOT NULL"
_READ = """
SELECT DISTINCT 'read', source, file, run, job FROM uses
WHERE direction = 'read' AND role IN ('input', 'inout', 'checkpoint') AND source IS NOT NULL AND file IS NOT NULL
"""
_STEPS = {
    # direction: from files to jobs, from jobs to files
    "up": (f"{_MADE} AND (source, file) IN {_PAIRS}", f"{_READ} AND (run, job) IN {_PAIRS}"),
    "down": (f"{_READ} AND (source, file) IN {_PAIRS}", f"{_MADE} AND (source, job) IN {_PAIRS}"),
}
"""Statements for edges as `lineage.sql` gives them. Rows of jobs lie together, so most of the tables is passed over."""
_NEAR_STEPS = 16
_NEAR_THINGS = 10_000
"""A graph that goes further, or is broader, is asked for at once: that reads all edges, a second for each million."""


@dataclass(frozen=True, slots=True)
class FileNode:
    """A file of the graph."""

    id: str
    name: str
    sha256: bytes | None
    size_bytes: int | None
    origin: str

    def document(self) -> dict[str, object]:
        """The node as JSON values."""
        return {
            "id": self.id,
            "kind": "file",
            "name": self.name,
            "sha256": self.sha256,
            "size": self.size_bytes,
            "origin": self.origin,
        }


@dataclass(frozen=True, slots=True)
class JobNode:
    """A job of the graph. ``name`` is its transformation, ``job`` its id in the workflow."""

    id: str
    name: str
    job: str
    status: str | None
    run_id: str | None
    workflow: str | None

    def document(self) -> dict[str, object]:
        """The node as JSON values."""
        return {
            "id": self.id,
            "kind": "job",
            "name": self.name,
            "job": self.job,
            "status": self.status,
            "run": self.run_id,
            "workflow": self.workflow,
        }


Node = FileNode | JobNode


@dataclass(frozen=True, slots=True)
class Lineage:
    """A graph in data-flow direction: edges go from a file to the job that read it, from a job to the file it wrote.

    ``seeds`` are the ids of the files that were asked about. Nodes and edges are in a defined order.
    """

    seeds: tuple[str, ...]
    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, object]:
        """The graph as JSON values."""
        nodes = [node.document() for node in self.nodes.values()]
        return {"nodes": nodes, "edges": [list(edge) for edge in self.edges]}

    def sources(self) -> dict[str, list[str]]:
        """For each node: the nodes that it comes from."""
        return _adjacent((after, before) for before, after in self.edges)

    def targets(self) -> dict[str, list[str]]:
        """For each node: the nodes that follow from it."""
        return _adjacent(self.edges)


def lineage(store: Store, files: Sequence[FileRef], *, snapshot: Snapshot | None = None) -> Lineage:
    """The graph of everything that led to ``files`` and everything that was made from them."""
    state = store.snapshot() if snapshot is None else snapshot
    with Reading(store, state) as reading:
        seeds = {ref.key for ref in files}
        edges = _near_edges(reading, seeds)
        if edges is None:
            edges = set(reading.rows(report_sql("lineage"), _columns(seeds)))
    file_keys = {ref.key for ref in files} | {(source, file) for _, source, file, _, _ in edges}
    job_keys = {(run, job) for _, _, _, run, job in edges}
    nodes: dict[str, Node] = _file_nodes(store, file_keys, state) | _job_nodes(store, job_keys, state)
    pairs = sorted(_edge(edge) for edge in edges)
    known = tuple((before, after) for before, after in pairs if before in nodes and after in nodes)
    return Lineage(tuple(_file_node_id(*ref.key) for ref in files), nodes, known)


def _near_edges(reading: Reading, seeds: Collection[_Key]) -> set[Row] | None:
    """The edges of a small graph, asked for step by step; None if it is not small."""
    edges: set[Row] = set()
    for to_jobs, to_files in _STEPS.values():
        files, jobs, ahead = set(seeds), set[_Key](), set(seeds)
        for _ in range(_NEAR_STEPS):
            first = reading.rows(to_jobs, _columns(ahead))
            new_jobs = {(run, job) for _, _, _, run, job in first} - jobs
            second = reading.rows(to_files, _columns(new_jobs)) if len(new_jobs) <= _NEAR_THINGS else []
            ahead = {(source, file) for _, source, file, _, _ in second} - files
            if max(len(new_jobs), len(ahead)) > _NEAR_THINGS:
                return None
            edges.update(first, second)
            jobs |= new_jobs
            files |= ahead
            if not ahead:
                break
        else:
            return None
    return edges


def _columns(keys: Collection[_Key]) -> list[list[int]]:
    return [[first for first, _ in keys], [second for _, second in keys]]


def _edge(row: Row) -> tuple[str, str]:
    kind, source, file, run, job = row
    file_node = _file_node_id(source, file)
    job_node = _job_node_id(run, job)
    return (file_node, job_node) if kind == "read" else (job_node, file_node)


def _file_nodes(store: Store, keys: set[tuple[int, int]], snapshot: Snapshot) -> dict[str, Node]:
    wanted = sorted(keys)
    found = files_by_key(store, wanted, snapshot=snapshot)
    nodes: dict[str, Node] = {}
    for key in wanted:
        ref = found.get(key)
        id_ = _file_node_id(*key)
        if ref is None:
            # Read by a job, but the commit that describes it is not in this state of the store.
            nodes[id_] = FileNode(id_, "(unknown)", None, None, "raw")
        else:
            nodes[id_] = FileNode(id_, ref.name, ref.sha256, ref.size_bytes, ref.origin)
    return nodes


def _job_nodes(store: Store, keys: set[tuple[int, int]], snapshot: Snapshot) -> dict[str, Node]:
    wanted = sorted(keys)
    rows = fetch(store, _JOBS, [[run for run, _ in wanted], [job for _, job in wanted]], snapshot=snapshot)
    described = {(row[0], row[1]): row[2:] for row in rows}
    nodes: dict[str, Node] = {}
    for run, job in wanted:
        id_ = _job_node_id(run, job)
        job_id, name, status, run_id, workflow = described.get((run, job), (str(job), "", None, None, None))
        nodes[id_] = JobNode(id_, str(name or job_id), str(job_id), _text(status), _text(run_id), _text(workflow))
    return nodes


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _adjacent(edges: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one, other in edges:
        found.setdefault(one, []).append(other)
    return found


def _file_node_id(source: int, file: int) -> str:
    return "file:" + file_id(source, file)


def _job_node_id(run: int, job: int) -> str:
    return "job:" + file_id(run, job)
