"""A look at a copy as a row of `checks`, whoever took it: an audit, a scrub, or an engine in need of a good copy."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from provenance.identity import new_run_id, source_of

if TYPE_CHECKING:
    from integrity.audit import Check
    from provenance.segments.batch import Batch


class CheckRows:
    """Rows of one source, numbered as they come; all of them of looks at one ``stage``, from this machine."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._source = source_of(new_run_id())
        self._host = socket.gethostname()
        self._number = 0

    def add(
        self,
        batch: Batch,
        check: Check,
        *,
        site: str | None,
        digest_origin: str | None,
        attempt: tuple[int, int, int] | None = None,
    ) -> None:
        """Add the row of one look; ``attempt`` (run, job, attempt) is what it was taken for, if for one."""
        run, job, number = attempt or (None, None, None)
        expectation = check.expectation
        batch.add(
            "checks",
            source=self._source,
            number=self._number,
            run=run,
            job=job,
            attempt=number,
            file_source=expectation.source,
            file=expectation.file,
            name=expectation.name,
            url=expectation.url or None,  # a file that never was a replica has none
            site=site,
            stage=self._stage,
            expected_sha256=expectation.sha256,
            actual_sha256=check.actual_sha256,
            expected_size_bytes=expectation.size,
            actual_size_bytes=None if check.stat is None else check.stat.size,
            verdict=check.verdict.value,
            finding=None if check.finding is None else check.finding.value,
            digest_origin=digest_origin,
            protection="none",
            at=check.at,
            duration_seconds=check.seconds,
            host=self._host,
        )
        self._number += 1
