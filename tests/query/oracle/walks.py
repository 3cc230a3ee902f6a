"""Relations between things: one edge, a walk of many, equal bytes, and what belongs to what."""

from __future__ import annotations

from collections.abc import Callable

from query import tree
from tests.query.oracle.entities import State
from tests.query.oracle.scalars import Refused
from tests.query.oracle.things import PATHS, Key, Thing

Edges = set[tuple[Key, Key]]
_LINEAGE = ("upstream of", "downstream of")
_EDGE = {
    "inputs of": ("reads", {("files", "jobs")}),
    "outputs of": ("writes", {("files", "jobs"), ("files", "workflows")}),
    "produced by": ("writes", {("files", "jobs"), ("files", "workflows")}),
    "consumed by": ("reads", {("files", "jobs"), ("files", "workflows")}),
    "producing": ("writes", {("jobs", "files"), ("workflows", "files")}),
    "consuming": ("reads", {("jobs", "files"), ("workflows", "files")}),
}
MOST_STEPS = 1000


def relate(state: State, subject: str, node: tree.Relation, given: str, chosen: set[Key]) -> Callable[[Thing], bool]:
    """The test of "stands in the relation to one of ``chosen``", which are of the entity ``given``."""
    word = node.word
    if word not in _LINEAGE and node.within is not None:
        raise Refused("steps belong to lineage")
    if word in _LINEAGE:
        found = _walk(state, subject, node, given, chosen)
        return lambda thing: thing.key in found
    if word in _EDGE:
        table, allowed = _EDGE[word]
        _must((subject, given) in allowed)
        ends = _step(getattr(state, table), subject, given, chosen)
        return lambda thing: thing.key in ends
    if word == "with the content of":
        _must(subject == given == "files")
        content = {state.things["files"][key].fields["sha256"] for key in chosen} - {None}
        return lambda thing: thing.fields["sha256"] in content
    if word == "containing":
        path = _path(given, subject)
        inside = {state.things[given][key].links[path] for key in chosen}
        return lambda thing: thing.key in inside
    path = _path(subject, given)
    return lambda thing: thing.links[path] in chosen


def _must(fits: bool) -> None:
    if not fits:
        raise Refused("no such relation")


def _path(subject: str, given: str) -> str:
    """How one of ``subject`` belongs to one of ``given``."""
    paths = [path for path, entity in PATHS[subject].items() if entity == given]
    _must(bool(paths))
    return paths[0]


def _step(edges: Edges, subject: str, given: str, chosen: set[Key]) -> set[Key]:
    found = set()
    for file, job in edges:
        ends = {"files": file, "jobs": job, "workflows": job[:1]}
        if ends[given] in chosen:
            found.add(ends[subject])
    return found


def _walk(state: State, subject: str, node: tree.Relation, given: str, chosen: set[Key]) -> set[Key]:
    """Level by level, an edge at a time: two edges are a step from file to file, one is the first to or from a job.

    Walks may go round: a thing is at every distance from which a walk of that length leads to it.
    """
    _must(subject in ("files", "jobs") and given in ("files", "jobs"))
    low, high = 1, None
    if node.within is not None:
        low, high = node.within.low if node.within.low is not None else 1, node.within.high
        if not 1 <= low <= high <= MOST_STEPS:
            raise Refused("steps count from 1 upwards")
    up = node.word == "upstream of"
    makers, readers = (state.writes, state.reads) if up else (state.reads, state.writes)
    onwards = {"files": _forth(makers), "jobs": _back(readers)}
    level, kind, found, edges = frozenset(chosen), given, set[Key](), 0
    seen = set[tuple[str, frozenset[Key]]]()
    while level and (high is None or edges < 2 * high):
        if high is None and (kind, level) in seen:
            break
        seen.add((kind, level))
        level = frozenset(end for key in level for end in onwards[kind].get(key, ()))
        kind = "jobs" if kind == "files" else "files"
        edges += 1
        if kind == subject and (edges + 1) // 2 >= low:
            found |= level
    return found - chosen if subject == given else found


def _forth(edges: Edges) -> dict[Key, set[Key]]:
    found: dict[Key, set[Key]] = {}
    for file, job in edges:
        found.setdefault(file, set()).add(job)
    return found


def _back(edges: Edges) -> dict[Key, set[Key]]:
    found: dict[Key, set[Key]] = {}
    for file, job in edges:
        found.setdefault(job, set()).add(file)
    return found
