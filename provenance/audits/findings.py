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
    from provenance.reading.views import Row
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


@dataclass(frozen=True, slots=True)
class _Failed:
    """A look of a job that failed; ``run`` None: it was not for one."""

    finding: Finding
    place: CopyKey
    run: int | None

    def is_in(self, scope: Scope) -> bool:
        """Whether an audit of this scope has to say it; those of one run were selected as such."""
        return scope.run is not None or scope.files is None or self.place[:2] in scope.files or self.run is None


def findings(
    store: Store, snapshot: Snapshot, scope: Scope, looks: Looks, stage: Stage, dependents: Dependents
) -> Iterator[Found]:
    """What was found now, as it came; then what jobs found, oldest first. Each copy once."""
    failed = [_failed(row) for row in fetch(store, report_sql("failed_checks"), [scope.run], snapshot=snapshot)]
    first_seen: dict[CopyKey, dt.datetime] = {}
    for one in failed:
        first_seen.setdefault(one.place, one.finding.first_seen)
    reported = set()
    for copy, check in looks.bad:
        reported.add(copy.key)
        finding = check.to_finding(stage=stage, first_seen=first_seen.get(copy.key))
        if finding is not None:
            yield _affecting(finding, dependents, copy.key)
    for one in failed:
        if one.place not in reported and one.place not in looks.good and one.is_in(scope):
            reported.add(one.place)
            yield _affecting(replace(one.finding, first_seen=first_seen[one.place]), dependents, one.place)


def _failed(row: Row) -> _Failed:
    source, file, url, name, stage, kind, expected, actual, expected_size, actual_size, at, run = row
    finding = Finding(
        kind=FindingClass(kind),
        name=str(name),
        url=str(url or ""),
        stage=str(stage),
        first_seen=at,
        expected_sha256=expected,
        actual_sha256=actual,
        expected_size=expected_size,
        actual_size=actual_size,
    )
    return _Failed(finding, (source, file, finding.url), run)


def _affecting(finding: Finding, dependents: Dependents, place: CopyKey) -> Found:
    affected = dependents.of(place[0], place[1])
    whole = replace(finding, affected_files=affected.files, affected_jobs=affected.jobs, read_by=affected.readers)
    return Found(whole, place)
