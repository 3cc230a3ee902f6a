"""What brings damaged files back with the least work: copies that are left, else the jobs that make them again.

It goes by contents: what has the same bytes is one thing, whoever made it and under whatever name. A content with a
good copy anywhere needs a copy of that. One without is made again by one of the jobs that made it; what that job reads
and has no good copy either is made again before. What no job makes has to come back from its owner, and as little as
can be is asked of owners: fewer contents to restore outweigh any number of jobs.

Contents and jobs may go in circles: a copy of a file has the bytes of what it was made from, and unpacking gives back
what was packed. Such a job makes nothing again whose content is lost everywhere.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Content = TypeVar("Content", bound=Hashable)
Job = TypeVar("Job", bound=Hashable)

_LOOKED_AT_MOST = 1_000_000
"""Contents, while all ways to choose among jobs that make the same are tried: some seconds. Almost always there is one
way; where it would take more, each content is made by the job that can run first, and a set of jobs that share more may
be smaller.
"""


@dataclass(frozen=True, slots=True)
class Needed(Generic[Content, Job]):
    """What making contents again takes: ``jobs``, each after those whose outputs it reads; contents that their owners
    must bring back first (``to_restore``).
    """

    jobs: tuple[Job, ...]
    to_restore: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class Past(Generic[Content, Job]):
    """What is known of how contents came about. ``has_copy``: a good one is left; ``makers``: jobs that made a content,
    the preferred first; ``inputs``: what a job read; ``has_owner``: it came from somebody, perhaps beside jobs.
    """

    has_copy: Callable[[Content], bool]
    makers: Callable[[Content], Sequence[Job]]
    inputs: Callable[[Job], Collection[Content]]
    has_owner: Callable[[Content], bool]


def needed(wanted: Iterable[Content], past: Past[Content, Job]) -> Needed[Content, Job]:
    """What brings back the ``wanted`` contents: as few to restore as can be, and of these the fewest jobs."""
    wanted = [content for content in dict.fromkeys(wanted) if not past.has_copy(content)]
    lost = _Lost.of(wanted, past)
    ways = lost.ways()
    best = _plan(wanted, {content: some[0] for content, some in ways.items()}, lost.reads)
    assert best is not None  # the first way of each content is open before any that builds on it
    open_ways = {content: some for content, some in ways.items() if len(some) > 1}
    if math.prod(map(len, open_ways.values())) * len(ways) <= _LOOKED_AT_MOST:
        chosen = {content: some[0] for content, some in ways.items()}
        for choice in itertools.product(*open_ways.values()):
            chosen.update(zip(open_ways, choice, strict=True))
            plan = _plan(wanted, chosen, lost.reads)
            if plan is not None and (len(plan.to_restore), len(plan.jobs)) < (len(best.to_restore), len(best.jobs)):
                best = plan
    return best


@dataclass(frozen=True, slots=True)
class _Lost(Generic[Content, Job]):
    """All contents without a copy that anything wanted may be made from: their ``makers``, and what of those ``reads``
    is lost as well. Of jobs that make the same from the same there is one.
    """

    makers: Mapping[Content, Sequence[Job]]
    reads: Mapping[Job, Collection[Content]]
    owned: Collection[Content]

    @classmethod
    def of(cls, wanted: Iterable[Content], past: Past[Content, Job]) -> _Lost[Content, Job]:
        makers: dict[Content, Sequence[Job]] = {}
        reads: dict[Job, frozenset[Content]] = {}
        waiting = list(wanted)
        while waiting:
            content = waiting.pop()
            if content in makers:
                continue
            makers[content] = past.makers(content)
            for job in makers[content]:
                if job not in reads:
                    reads[job] = frozenset(read for read in past.inputs(job) if not past.has_copy(read))
                    waiting.extend(reads[job])
        first: dict[tuple[frozenset[Content], frozenset[Content]], Job] = {}
        for job, made in _makes(makers).items():
            first.setdefault((reads[job], frozenset(made)), job)
        kept = set(first.values())
        return cls(
            {content: [job for job in jobs if job in kept] for content, jobs in makers.items()},
            reads,
            {content for content in makers if past.has_owner(content) or not makers[content]},
        )

    def ways(self) -> Mapping[Content, Sequence[Job | None]]:
        """How each content can come back, None: from its owner; the way that is open earliest, and with the fewest
        owners, first.
        """
        opening = _Opening.of(self.makers, self.reads)
        opening.run([job for job, reads in self.reads.items() if not reads])
        # What is in neither comes from a circle of which nobody knows where it began: then its owner is asked, too.
        for restored in (self.owned, self.makers):
            opening.restore([content for content in restored if content not in opening.ways])
        return opening.ways


@dataclass(frozen=True, slots=True)
class _Opening(Generic[Content, Job]):
    """Which ways are open, one after the other: a job's, once all that it reads can be had. ``closed`` counts for each
    job what it still waits for.
    """

    makes: Mapping[Job, Sequence[Content]]
    readers: Mapping[Content, Sequence[Job]]
    closed: dict[Job, int]
    ways: dict[Content, list[Job | None]]

    @classmethod
    def of(
        cls, makers: Mapping[Content, Sequence[Job]], reads: Mapping[Job, Collection[Content]]
    ) -> _Opening[Content, Job]:
        readers: defaultdict[Content, list[Job]] = defaultdict(list)
        for job, lost in reads.items():
            for content in lost:
                readers[content].append(job)
        return cls(_makes(makers), readers, {job: len(lost) for job, lost in reads.items()}, {})

    def restore(self, contents: Sequence[Content]) -> None:
        """Open what follows from contents that come from their owners."""
        for content in contents:
            self.ways[content] = [None]
        self.run([job for content in contents for job in self._opened_by(content)])

    def run(self, jobs: Iterable[Job]) -> None:
        """Open what follows from jobs that can run, those that can first."""
        ready = deque(jobs)
        while ready:
            job = ready.popleft()
            for content in self.makes.get(job, ()):
                if content in self.ways:
                    self.ways[content].append(job)
                else:
                    self.ways[content] = [job]
                    ready.extend(self._opened_by(content))

    def _opened_by(self, content: Content) -> Iterator[Job]:
        for job in self.readers.get(content, ()):
            self.closed[job] -= 1
            if not self.closed[job]:
                yield job


def _makes(makers: Mapping[Content, Sequence[Job]]) -> Mapping[Job, Sequence[Content]]:
    """What each job makes."""
    makes: defaultdict[Job, list[Content]] = defaultdict(list)
    for content, jobs in makers.items():
        for job in jobs:
            makes[job].append(content)
    return makes


def _plan(
    wanted: Iterable[Content], chosen: Mapping[Content, Job | None], reads: Mapping[Job, Collection[Content]]
) -> Needed[Content, Job] | None:
    """What it takes if each content comes back in the way that is ``chosen`` for it; None: in a circle, never."""
    jobs: list[Job] = []
    to_restore: dict[Content, None] = {}
    is_done: dict[Job, bool] = {}
    # Not recursive: chains of jobs are longer than Python's stack.
    waiting: list[tuple[Content | None, Job | None]] = [(content, None) for content in reversed(list(wanted))]
    while waiting:
        content, done = waiting.pop()
        if done is not None:
            is_done[done] = True
            jobs.append(done)
        if content is None:
            continue
        job = chosen[content]
        if job is None:
            to_restore[content] = None
        elif job not in is_done:
            is_done[job] = False
            waiting.append((None, job))
            waiting.extend((read, None) for read in reads[job])
        elif not is_done[job]:
            return None  # all that was met since this job is what it waits for
    return Needed(tuple(jobs), tuple(to_restore))


@dataclass(frozen=True, slots=True)
class Recopy:
    """A damaged copy, and good ones of the same content to put in its place."""

    name: str
    url: str
    good: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The step as `pirene.audit/1` has it."""
        return {"name": self.name, "url": self.url, "from": list(self.good)}


@dataclass(frozen=True, slots=True)
class Rerun:
    """A job to run again: its id in the workflow, the name, id and folder of the run that it ran in, and what it makes.

    ``command`` does it, in a shell (None: planning its workflow again does).
    """

    job: str
    workflow: str
    run: str
    makes: tuple[str, ...]
    folder: str = ""
    command: str | None = None

    def document(self) -> dict[str, object]:
        """The step as `pirene.audit/1` has it."""
        return {
            "job": self.job,
            "workflow": self.workflow,
            "run": self.run,
            "makes": list(self.makes),
            "folder": self.folder,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class Restore:
    """A file that nothing here can bring back: no good copy is known, and no job made it. ``sha256`` (32 bytes) tells
    which bytes are the right ones; ``urls`` are where it was.
    """

    name: str
    sha256: bytes | None
    urls: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The step as `pirene.audit/1` has it."""
        digest = None if self.sha256 is None else self.sha256.hex()
        return {"name": self.name, "sha256": digest, "urls": list(self.urls)}


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """All that brings the damaged files back, in the order of its doing: ``restores``, ``recopies``, ``reruns``;
    ``commands`` do it as far as commands can.
    """

    restores: tuple[Restore, ...] = ()
    recopies: tuple[Recopy, ...] = ()
    reruns: tuple[Rerun, ...] = ()
    commands: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.restores or self.recopies or self.reruns)

    def document(self) -> dict[str, object]:
        """The plan as `pirene.audit/1` has it."""
        return {
            "restore": [step.document() for step in self.restores],
            "copy": [step.document() for step in self.recopies],
            "rerun": [step.document() for step in self.reruns],
            "commands": list(self.commands),
        }
