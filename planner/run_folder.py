"""The layout of a run folder, and the lock that lets one engine at a time work in it.

RUN/plan/           the frozen plan (planner/plan_folder.py)
RUN/records/N/      invocation records, JOB-ATTEMPT.json, a thousand jobs a folder: the truth about attempts
RUN/work/           a work folder for each attempt; removed when the attempt has succeeded
RUN/intermediate/   outputs that only later jobs of this run read
RUN/output/         staged-out outputs, unless the plan says otherwise
RUN/run.lock        held (flock) by the engine at work
RUN/launcher.lock   held by the launcher and its wrappers, which may outlive the engine
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.errors import PlannerError
from planner.locks import Owner, hold, let_go, owner, text

JOBS_PER_FOLDER = 1000
_RECORD = re.compile(r"([0-9]+)-([0-9]+)\.json")
_LOCK = re.compile(r"[0-9]+-[0-9]+\.json\.lock")


class RunBusyError(PlannerError):
    """Another engine is at work in the run folder."""


@dataclass(frozen=True, slots=True)
class SpooledRecord:
    """An invocation record in the run folder, by what its name says."""

    job: int
    attempt: int
    path: Path


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths in one run folder."""

    root: Path

    @property
    def records(self) -> Path:
        """Where invocation records are spooled."""
        return self.root / "records"

    @property
    def work(self) -> Path:
        """Where attempts run."""
        return self.root / "work"

    def record_path(self, job: int, attempt: int) -> Path:
        """Where the record of an attempt is, or will be."""
        return self.records / str(job // JOBS_PER_FOLDER) / f"{job}-{attempt}.json"

    def work_dir(self, job: int, attempt: int) -> Path:
        """The folder that an attempt runs in."""
        return self.work / f"{job}-{attempt}"

    def intermediate(self, job: int, name: str) -> Path:
        """Where an output that is not staged out waits for its readers."""
        return self.root / "intermediate" / str(job) / name

    def spooled(self) -> Iterator[SpooledRecord]:
        """All records that are there, in no particular order; half-made files never match."""
        for path in self._below_records():
            match = _RECORD.fullmatch(path.name)
            if match:
                yield SpooledRecord(int(match[1]), int(match[2]), path)

    @property
    def launcher_lock(self) -> Path:
        """Locked while a launcher or one of its wrappers is alive."""
        return self.root / "launcher.lock"

    def locks(self) -> Iterator[Path]:
        """Lock files of the launcher and of wrappers: one that is still locked has an owner that is still alive."""
        yield self.launcher_lock
        yield from (path for path in self._below_records() if _LOCK.fullmatch(path.name))

    def _below_records(self) -> Iterator[Path]:
        if not self.records.is_dir():
            return
        for folder in self.records.iterdir():
            if folder.is_dir():
                yield from folder.iterdir()

    def lock(self) -> RunLock:
        """Take the run folder for this process; RunBusyError if an engine is at work in it."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not hold(descriptor):
            host = text(descriptor).split()[0] if owner(descriptor) is Owner.ELSEWHERE else None
            os.close(descriptor)
            at_work = f"{self.root}: another `pirene run` is at work in this run folder"
            if host is not None:
                hint = f"This file system has no locks: if it has ended there, remove {self.root / 'run.lock'}."
                raise RunBusyError(f"{at_work}, on {host}", hint=hint)
            raise RunBusyError(at_work, hint="Wait for it or stop it; `pirene status` says where it is.")
        return RunLock(descriptor)


class RunLock:
    """The lock on a run folder; given back when closed, or by the system when the process is gone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *exception: object) -> None:
        let_go(self._descriptor)


def below(folder: Path, name: str) -> Path:
    """``folder / name``, refused if the logical name would lead out of the folder."""
    relative = Path(name)
    if not relative.parts or relative.is_absolute() or ".." in relative.parts:
        raise PlannerError(
            f"the file name {name!r} would lead out of {folder}",
            hint="Logical names are relative paths without '..'.",
        )
    return folder / relative
