"""Copies of inputs as an engine looks for them when one turned out to be bad.

What the store calls good is read; what is seen there becomes a check and, where it is bad, an event in the life of that
copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from integrity.audit import Check, CheckVerdict, Expectation, check
from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.describe import InputFile
from provenance.audits.check_rows import CheckRows
from provenance.audits.verification import KnownContents
from provenance.copies.replicas import Replica, add_event
from provenance.copies.same_content import contents_by_name, good_copies
from provenance.segments.batch import Batch
from provenance.store import Store

_EVENTS = {CheckVerdict.MISMATCH: "quarantined", CheckVerdict.MISSING: "missing"}


class StoredCopies:
    """What the store knows of copies, for one run; ``rows`` gives the batch that looks are noted in."""

    def __init__(self, plan: EnginePlan, store: Store, rows: Callable[[], Batch]) -> None:
        self._plan = plan
        self._store = store
        self._rows = rows
        self._checks = CheckRows("stage-in")

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
        of = (self._plan.run, job.number, attempt)
        self._checks.add(self._rows(), seen, site=job.site, digest_origin=file.digest_origin, attempt=of)
        event = _EVENTS.get(seen.verdict)
        if event is not None and owner is not None and file.url is not None:
            reason = f"{seen.finding} seen for job {job.id}, attempt {attempt}"
            source, number = owner
            add_event(
                self._rows(), event, source=source, file=number, url=file.url, site=job.site, at=seen.at, reason=reason
            )
        return seen
