"""Numbers of attempts: which there were, which comes next, and whether a job may have another.

A number is never used twice. An attempt that died without a record has left its work folder, which burns its number.
"""

from __future__ import annotations

from collections.abc import Iterable

from planner.engine_plan import EngineJob
from planner.run_folder import RunFolder, SpooledRecord


class Attempts:
    """Attempts of all jobs of a run, those of earlier engines included."""

    def __init__(self, folder: RunFolder) -> None:
        self._earlier = sorted(folder.spooled(), key=lambda record: (record.job, record.attempt))
        self._last_record = {record.job: record for record in self._earlier}
        self._highest = {record.job: record.attempt for record in self._earlier}
        for job, attempt in _work_folders(folder):
            self._highest[job] = max(self._highest.get(job, 0), attempt)
        self._started: dict[int, int] = {}

    def earlier_records(self) -> Iterable[SpooledRecord]:
        """Records that earlier engines left, by job and attempt."""
        return self._earlier

    def last_record(self, job: int) -> SpooledRecord | None:
        """The record of the last attempt of a job that left one before this engine came."""
        return self._last_record.get(job)

    def next(self, job: int) -> int:
        """The number of the attempt that starts now, from 1."""
        self._highest[job] = self._highest.get(job, 0) + 1
        self._started[job] = self._started.get(job, 0) + 1
        return self._highest[job]

    def began(self, job: int) -> None:
        """Somebody else gave an attempt its number and started it."""
        self._started[job] = self._started.get(job, 0) + 1

    def begin_anew(self) -> None:
        """Every job has all of its retries again."""
        self._started.clear()

    def may_retry(self, job: EngineJob) -> bool:
        """Whether a failed job may have another attempt. Taking a run up again gives every job all of its retries
        anew.
        """
        return self._started.get(job.number, 0) <= job.retries


def _work_folders(folder: RunFolder) -> Iterable[tuple[int, int]]:
    if not folder.work.is_dir():
        return
    for path in folder.work.iterdir():
        job, _, attempt = path.name.partition("-")
        if job.isdigit() and attempt.isdigit():
            yield int(job), int(attempt)
