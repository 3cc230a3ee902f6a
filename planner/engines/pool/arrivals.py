"""What node steps have written down, as the engine reads it: outputs in their places, attempts that do not count."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrity.digest import Stat, hash_path
from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.hand_over import HandOver, ReadFrom
from planner.engines.pool.node_step.pool import instead_key
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.step_archive import run_post
from planner.planned import PlannedUse
from planner.regular_files import read_regular
from planner.run_folder import RunFolder
from planner.transfer import Arrival, TransferError
from provenance.ingest.records import Output, Record
from provenance.registration.placement import Placed

_JOB_ATTEMPT = re.compile(r"([0-9]+)-([0-9]+)(?:\.json)?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that does not count, although it has no record that says so. ``started``: a worker may have run it;
    ``retry``: it may be tried again. ``altered``: what did not reach the worker as it was sent: nothing started.
    """

    job: int
    attempt: int
    started: bool
    retry: bool
    reason: str
    altered: str | None = None


class PoolHandOver(HandOver):
    """The outputs of jobs whose POST steps have brought them to their places."""

    sends_copies = True

    def __init__(self, plan: EnginePlan, folder: RunFolder, pool: PoolFolder) -> None:
        super().__init__(plan, folder)
        self._pool = pool
        self._handed: Mapping[str, Any] = {}
        self._arrived: Mapping[str, Mapping[str, Any]] = {}
        pool.read_instead({})  # what an earlier engine found out may be otherwise by now

    def read_from(self, use: PlannedUse, copy: ReadFrom) -> Placed | None:
        """Also tell the PRE steps, which do not ask this engine; see `HandOver.read_from`."""
        placed = super().read_from(use, copy)
        self._pool.read_instead(
            {instead_key(producer, name): each.path for (producer, name), each in self._instead.items()}
        )
        return placed

    def accept(self, job: EngineJob, record: Record) -> None:
        """Take what the POST step says for granted where files are as it left them; see `HandOver.accept`."""
        handed = _document(self._pool.handed(job.number))
        if handed is None or handed["attempt"] != record.attempt:
            raise TransferError(f"its outputs of attempt {record.attempt} were not taken in")
        self._handed = handed
        self._arrived = {output["name"]: output for output in handed["outputs"]}
        super().accept(job, record)

    def _arrival(self, job: EngineJob, attempt: int, output: Output, place: Path) -> Arrival:
        """What is known of an output in its place: its stat as the step left it, or else its bytes as they are now."""
        assert output.sha256 is not None
        arrived = self._arrived.get(output.name)
        try:
            if arrived is not None and Stat.of(place) == Stat(**arrived["stat"]):
                at = dt.datetime.fromisoformat(self._handed["at"])
                return Arrival(Stat(**arrived["stat"]), output.sha256, at, self._handed["host"])
            hashed = hash_path(place)
        except OSError as error:
            raise TransferError(f"{place}: {error.strerror}") from error
        if hashed.sha256 != output.sha256:
            raise TransferError(f"{place}: expected {output.sha256.hex()}, found {hashed.sha256.hex()}")
        return Arrival(hashed.stat, hashed.sha256, dt.datetime.now(dt.UTC), os.uname().nodename)


def news(pool: PoolFolder) -> list[tuple[int, int, Path]]:
    """(job, attempt, file to remove when it has been read) of what steps have announced, in order."""
    return sorted(_numbered(pool.news))


def refusal(pool: PoolFolder, job: int, attempt: int) -> Refusal | None:
    """What the steps say against an attempt; None if nothing."""
    document = _document(pool.refused(job, attempt))
    return None if document is None else Refusal(**document)


def refusals(pool: PoolFolder) -> Iterator[Refusal]:
    """All that steps have said against attempts, in order."""
    folders = sorted(pool.refusals.iterdir()) if pool.refusals.is_dir() else []
    found = [(job, attempt) for folder in folders for job, attempt, _ in _numbered(folder)]
    for job, attempt in sorted(found):
        if (document := refusal(pool, job, attempt)) is not None:
            yield document


def finish_steps(pool: PoolFolder) -> None:
    """Do what POST steps could not any more: DAGMan was gone when its jobs' outputs had come back."""
    for path in sorted(pool.root.glob("nodes/*/*/out/record.json.sha256")):
        run_post(pool, int(path.parents[1].name))


def _numbered(folder: Path) -> Iterator[tuple[int, int, Path]]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if match := _JOB_ATTEMPT.fullmatch(path.name):
            yield int(match[1]), int(match[2]), path


def _document(path: Path) -> dict[str, Any] | None:
    """What a step wrote; None where there is none, or where a crash of the machine has cut it off."""
    try:
        document = json.loads(read_regular(path))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None
