"""Copies of inputs as an engine looks for them when one turned out to be bad.

What the store calls good is read; what is seen there becomes a check and, where it is bad, an event in the life of that
copy.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from integrity.audit import Check, CheckVerdict, Expectation, check
from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.describe import InputFile
from provenance.audits.verification import KnownContents
from provenance.copies.replicas import Replica, add_event
from provenance.copies.same_content import contents_by_name, good_copies
from provenance.identity import new_run_id, source_of
from provenance.segments.batch import Batch
from provenance.store import Store

_STAGE = "stage-in"
_EVENTS = {CheckVerdict.MISMATCH: "quarantined", CheckVerdict.MISSING: "missing"}


class StoredCopies:
    """What the store knows of copies, for one run; ``rows`` gives the batch that looks are noted in."""

    def __init__(self, plan: EnginePlan, store: Store, rows: Callable[[], Batch]) -> None:
        self._plan = plan
        self._store = store
        self._rows = rows
        self._source = source_of(new_run_id())
        self._number = 0

    def good(self, sha256: bytes, first: tuple[int, int] | None) -> Sequence[Replica]:
        """Copies that the store calls good; see `good_copies`."""
        return good_copies(self._store, sha256, first)

    def check(self, file: InputFile, owner: tuple[int, int] | None, job: EngineJob, attempt: int) -> Check:
        """Read a copy and note what was seen, for an attempt; see `planner.engines.recovery.Copies`."""
        snapshot = self._store.snapshot()
        expectation = Expectation(
            name=file.name,
            url=file.url or "",
            path=Path(file.path),
            sha256=file.sha256,
            size=file.size_bytes,
            source=file.source,
            file=file.file,
            earlier_sha256s=contents_by_name(self._store, file.name, snapshot) - {file.sha256},
        )
        seen = check(expectation, KnownContents(self._store, snapshot))
        self._add_check(seen, file, job, attempt)
        event = _EVENTS.get(seen.verdict)
        if event is not None and owner is not None and file.url is not None:
            reason = f"{seen.finding} seen for job {job.id}, attempt {attempt}"
            source, number = owner
            add_event(
                self._rows(), event, source=source, file=number, url=file.url, site=job.site, at=seen.at, reason=reason
            )
        return seen

    def _add_check(self, seen: Check, file: InputFile, job: EngineJob, attempt: int) -> None:
        self._number += 1
        self._rows().add(
            "checks",
            source=self._source,
            number=self._number,
            run=self._plan.run,
            job=job.number,
            attempt=attempt,
            file_source=file.source,
            file=file.file,
            name=file.name,
            url=file.url,
            site=job.site,
            stage=_STAGE,
            expected_sha256=file.sha256,
            actual_sha256=seen.actual_sha256,
            expected_size_bytes=file.size_bytes,
            actual_size_bytes=None if seen.stat is None else seen.stat.size,
            verdict=seen.verdict.value,
            finding=None if seen.finding is None else seen.finding.value,
            digest_origin=file.digest_origin,
            protection="none",
            at=seen.at,
            duration_seconds=seen.seconds,
            host=socket.gethostname(),
        )
