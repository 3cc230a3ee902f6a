"""Findings of an audit, with what jobs had found before it and nothing has taken back since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from integrity.findings import Finding, FindingClass
from provenance.audits.dependents import Dependents
from provenance.audits.looks import Looks
from provenance.audits.recording import Stage
from provenance.audits.scope import CopyKey, Scope
from provenance.identity import FileId
from provenance.reading.views import fetch, report_sql

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and the (source, file, URL) that it is about."""

    finding: Finding
    place: CopyKey

    @property
    def file(self) -> FileId | None:
        """The file; None: it is none that is known."""
        source, file, _ = self.place
        return None if source is None or file is None else (source, file)


def findings(
    store: Store, snapshot: Snapshot, scope: Scope, looks: Looks, stage: Stage, dependents: Dependents
) -> Iterator[Found]:
    """What was found now, as it came; then what jobs found, oldest first. Each copy once."""
    failed = fetch(store, report_sql("failed_checks"), [scope.run], snapshot=snapshot)
    first_seen: dict[tuple[object, object, object], dt.datetime] = {}
    for row in failed:
        at = row[10]
        assert isinstance(at, dt.datetime)
        first_seen.setdefault((row[0], row[1], row[2]), at)
    reported = set()
    for copy, check in looks.bad:
        reported.add(copy.key)
        finding = check.to_finding(stage=stage, first_seen=first_seen.get(copy.key))
        if finding is not None:
            yield Found(_affecting(finding, dependents, copy.key), copy.key)
    for row in failed:
        source, file, url, name, stage_then, finding_class, expected, actual, expected_size, actual_size, _, job_run = (
            row
        )
        place = (source, file, url)
        in_scope = scope.run is not None or scope.files is None or (source, file) in scope.files or job_run is None
        if place in reported or place in looks.good or not in_scope:
            continue
        reported.add(place)
        earlier = Finding(
            kind=FindingClass(finding_class),
            name=str(name),
            url=str(url or ""),
            stage=str(stage_then),
            first_seen=first_seen[place],
            expected_sha256=expected,
            actual_sha256=actual,
            expected_size=expected_size,
            actual_size=actual_size,
        )
        yield Found(_affecting(earlier, dependents, place), (source, file, earlier.url))


def _affecting(finding: Finding, dependents: Dependents, place: CopyKey) -> Finding:
    affected = dependents.of(place[0], place[1])
    return replace(finding, affected_files=affected.files, affected_jobs=affected.jobs, read_by=affected.readers)
