"""The pass that finds who makes what: edges from files and from `jobDependencies`, and jobs that can be put in order.

An inout is a new version of its file: in the order of the workflow file each one reads the version before it. A job
that only reads gets the last version, unless `jobDependencies` put it before an inout: then the version that one starts
from.

Refused: two jobs that write one file, and jobs that wait for each other.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from planner.errors import FileError, PlannerError
from planner.planned import Plan, PlannedJob, PlannedUse

_SHOWN_CYCLE = 10


def build_graph(plan: Plan) -> Plan:
    """Fill in the producer of every use, and ``edges``. Raises PlannerError, naming the jobs, for what is refused."""
    declared = _declared_edges(plan)
    writers = _writers(plan.jobs)
    before = _Descendants(declared)
    jobs = tuple(
        replace(job, uses=tuple(_with_producer(job, use, writers, before) for use in job.uses)) for job in plan.jobs
    )
    edges = set(declared)
    for job in jobs:
        edges.update((use.producer, job.number) for use in job.uses if use.producer is not None)
    ordered = tuple(sorted(edges))
    topological_order(jobs, ordered)
    return replace(plan, jobs=jobs, edges=ordered)


def topological_order(jobs: Sequence[PlannedJob], edges: Iterable[tuple[int, int]]) -> list[int]:
    """All job numbers, parents first, smaller ones first where there is a choice. Raises FileError for a cycle."""
    children: dict[int, list[int]] = defaultdict(list)
    missing = dict.fromkeys((job.number for job in jobs), 0)
    for parent, child in edges:
        children[parent].append(child)
        missing[child] += 1
    ready = [number for number, count in missing.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for child in children[number]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(ready, child)
    if len(order) < len(jobs):
        _refuse_cycle(
            {job.number: job for job in jobs}, children, {number for number, count in missing.items() if count}
        )
    return order


def _declared_edges(plan: Plan) -> set[tuple[int, int]]:
    """The edges of `jobDependencies`; the id of a foreach job stands for all jobs that it made."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for job in plan.jobs:
        for name in {job.job.id, job.made_by}:
            numbers[name].append(job.number)
    edges: set[tuple[int, int]] = set()
    for dependency in plan.workflow.dependencies:
        for name in (dependency.parent, dependency.child):
            if name not in numbers:
                raise FileError(dependency.place, f"jobDependencies name a job that there is not: {name!r}")
        for parent in numbers[dependency.parent]:
            edges.update((parent, child) for child in numbers[dependency.child])
    return edges


def _writers(jobs: Sequence[PlannedJob]) -> Mapping[str, list[PlannedJob]]:
    """Who writes a file, in order: the job that makes it, then those that change it."""
    makers: dict[str, PlannedJob] = {}
    writers: dict[str, list[PlannedJob]] = defaultdict(list)
    for job in jobs:
        for use in job.uses:
            if use.role == "output":
                if use.name in makers:
                    raise _two_writers(use.name, makers[use.name], job)
                makers[use.name] = job
            elif use.role == "inout":
                writers[use.name].append(job)
    for name, maker in makers.items():
        writers[name].insert(0, maker)
    return writers


def _two_writers(name: str, first: PlannedJob, second: PlannedJob) -> PlannerError:
    hint = "Give the outputs different names; a job that changes a file in place declares it as inout."
    if first.made_by == second.made_by:
        hint = "Put something into its name that differs from file to file, for example ${SELECTION.stem}."
    return FileError(
        second.job.place, f"two jobs write {name!r}: {first.job.id} ({first.job.place}) and {second.job.id}", hint=hint
    )


def _with_producer(
    job: PlannedJob, use: PlannedUse, writers: Mapping[str, list[PlannedJob]], before: _Descendants
) -> PlannedUse:
    """The use with the job that writes the version which it reads."""
    versions = writers.get(use.name, [])
    if use.role == "inout":
        position = next(index for index, writer in enumerate(versions) if writer.number == job.number)
        return replace(use, producer=versions[position - 1].number if position else None)
    if use.role != "input":
        return use
    last = len(versions)
    for index, writer in enumerate(versions):
        changes_it = index > 0 or not _makes(writer, use.name)
        if changes_it and before.reaches(job.number, writer.number):
            last = index
            break
    # Raw inputs, the most frequent uses of all, stay as they are.
    return replace(use, producer=versions[last - 1].number) if last else use


def _makes(writer: PlannedJob, name: str) -> bool:
    """Whether a job writes a file anew; else it changes the one that was there."""
    return any(use.name == name and use.role == "output" for use in writer.uses)


class _Descendants:
    """Whether one job comes before another by declared dependencies; asked rarely, so found by a walk, once a job."""

    def __init__(self, edges: Iterable[tuple[int, int]]) -> None:
        self._children: dict[int, list[int]] = defaultdict(list)
        for parent, child in edges:
            self._children[parent].append(child)
        self._found: dict[int, frozenset[int]] = {}

    def reaches(self, ancestor: int, descendant: int) -> bool:
        """Whether ``descendant`` waits for ``ancestor``."""
        if ancestor not in self._children:
            return False
        if ancestor not in self._found:
            seen: set[int] = set()
            stack = [ancestor]
            while stack:
                for child in self._children.get(stack.pop(), ()):
                    if child not in seen:
                        seen.add(child)
                        stack.append(child)
            self._found[ancestor] = frozenset(seen)
        return descendant in self._found[ancestor]


def _refuse_cycle(jobs: Mapping[int, PlannedJob], children: Mapping[int, list[int]], left: set[int]) -> None:
    """Raise the error that shows one cycle; every job in ``left`` is on one or behind one."""
    parents: dict[int, int] = {}
    for number in sorted(left):
        for child in children.get(number, ()):
            if child in left:
                parents.setdefault(child, number)
    trail: dict[int, None] = {}  # in the order of the walk
    number = min(left)
    while number not in trail:
        trail[number] = None
        number = parents[number]
    walked = list(trail)
    cycle = [jobs[each] for each in reversed([*walked[walked.index(number) :], number])]
    shown = " -> ".join(job.job.id for job in cycle[:_SHOWN_CYCLE]) + (" -> ..." if len(cycle) > _SHOWN_CYCLE else "")
    raise FileError(
        cycle[0].job.place,
        f"jobs wait for each other: {shown}",
        hint="Files and jobDependencies together make this circle; one of them has to go.",
    )
