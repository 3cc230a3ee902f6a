"""What brings damaged files back with the least work: copies that are left, else the jobs that make them again.

A file with a good copy anywhere needs a copy of that. One without is made again by the job that made it; what that job
reads and has no good copy either is made again before. A file that no job made, or that is made from one, cannot come
back without its owner. No smaller set of jobs does it: a file has one job that makes it, and each job here makes one
that is wanted and not to be had otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

File = TypeVar("File", bound=Hashable)
Job = TypeVar("Job", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Needed(Generic[File, Job]):
    """What making files again takes: ``jobs``, each after those whose outputs it reads; files that the owner must bring
    back first (``to_restore``).
    """

    jobs: tuple[Job, ...]
    to_restore: tuple[File, ...]


def needed(
    wanted: Iterable[File],
    has_copy: Callable[[File], bool],
    maker: Callable[[File], Job | None],
    inputs: Callable[[Job], Collection[File]],
) -> Needed[File, Job]:
    """What brings back the ``wanted`` files. ``maker`` is the job that made a file (None: no job did), ``inputs`` what
    a job reads. Files and jobs must have no cycles.
    """
    jobs: list[Job] = []
    to_restore: list[File] = []
    met_files: set[File] = set()
    met_jobs: set[Job] = set()
    # Not recursive: chains of jobs are longer than Python's stack. A job that comes up again has all its inputs met.
    waiting: list[tuple[File | None, Job | None]] = [(file, None) for file in reversed(list(wanted))]
    while waiting:
        file, done = waiting.pop()
        if done is not None:
            jobs.append(done)
        if file is None or file in met_files or has_copy(file):
            continue
        met_files.add(file)
        job = maker(file)
        if job is None:
            to_restore.append(file)
        elif job not in met_jobs:
            met_jobs.add(job)
            waiting.append((None, job))
            waiting.extend((read, None) for read in inputs(job))
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
    """A job to run again: its id in the workflow, the name and id of the run that it ran in, and what it makes."""

    job: str
    workflow: str
    run: str
    makes: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The step as `pirene.audit/1` has it."""
        return {"job": self.job, "workflow": self.workflow, "run": self.run, "makes": list(self.makes)}


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
