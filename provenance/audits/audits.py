"""An audit: read every copy in a scope, record what was seen, and report it together with what jobs had found before.

The scope is everything, one run (what its jobs wrote and read), or what a query selects. Every look becomes a check,
and every finding an event in the life of the copy: bad copies are quarantined, missing ones noted, good ones
verified, and those that were given up and are good again reinstated.
"""

from __future__ import annotations

import datetime as dt
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.audit import Check, CheckVerdict, Expectation, audit
from integrity.findings import Coverage, Finding, FindingClass, Report
from provenance.audits.dependents import Dependents
from provenance.audits.verification import KnownContents
from provenance.copies.later_digests import add_first_reading, is_first_reading
from provenance.copies.observations import still_news
from provenance.copies.replicas import add_event
from provenance.errors import StoreError, WriteFailedError
from provenance.history.commits import CommitKind
from provenance.identity import new_run_id, source_of
from provenance.reading.views import fetch, report_sql
from provenance.segments.batch import Batch
from provenance.urls import local_path
from query.terminal_text import harmless
from query.vocabulary import Entity

if TYPE_CHECKING:
    from provenance.answers.runs import Run
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_COMMIT_CHECKS = 100_000
_COPIES = """
SELECT r.source, r.file, r.url, r.site, r.name, r.sha256, r.size_bytes, r.state, r.verified, r.digest_origin,
       r.checksums
FROM replica_rows AS r
WHERE r.state IN ('ok', 'quarantined', 'missing') AND r.here
  AND ($1::BIGINT[] IS NULL OR (r.source, r.file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[])))
ORDER BY r.url, r.source, r.file
"""
_FILES_OF_RUN = """
SELECT DISTINCT file_source, file FROM (
    SELECT file_source, file, run FROM reads UNION ALL SELECT file_source, file, run FROM writes
    UNION ALL SELECT source, file, run FROM uses WHERE source IS NOT NULL AND file IS NOT NULL
) WHERE run = $1
"""
_EARLIER = """
SELECT name, list(DISTINCT sha256) FROM files WHERE sha256 IS NOT NULL GROUP BY name HAVING count(DISTINCT sha256) > 1
"""


class AuditScopeError(StoreError):
    """A query that selects neither files nor copies of files."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy in the scope, with its state before the audit."""

    expectation: Expectation
    site: str | None
    state: str
    verified_before: bool
    digest_origin: str | None


def audit_store(
    store: Store, *, run: Run | None = None, query: str | None = None, author: str | None = None, workers: int = 2
) -> Report:
    """Audit everything, one run, or what a query selects. Raises QueryError, AuditScopeError, StoreError."""
    snapshot = store.snapshot()
    scope, keys = _scope(store, run, query, snapshot)
    copies = _copies(store, keys, snapshot)
    known = KnownContents(store, snapshot)
    recorder = _Recorder(store, snapshot, author)
    checks: list[Check] = []
    coverage = {"replicas": 0, "verified": 0, "never_verified": 0, "unprotected": 0}
    looks = audit((copy.expectation for copy in copies), known, workers=workers)
    good: set[tuple[int | None, int | None, str]] = set()
    for copy, check in zip(copies, looks, strict=True):
        recorder.add(copy, check)
        coverage["replicas"] += 1
        coverage["verified"] += check.compared
        coverage["never_verified"] += not check.compared and not copy.verified_before
        coverage["unprotected"] += not copy.expectation.is_protected
        if check.verdict is CheckVerdict.OK:
            good.add((copy.expectation.source, copy.expectation.file, copy.expectation.url))
        if check.finding is not None:
            checks.append(check)
    recorder.commit()
    findings = _findings(store, snapshot, checks, keys, run, good)
    return Report(scope, Coverage(**coverage), tuple(findings))


def _scope(
    store: Store, run: Run | None, query: str | None, snapshot: Snapshot
) -> tuple[Mapping[str, object], set[tuple[int, int]] | None]:
    """What the report says of the scope, and its files; None: all of them."""
    if run is not None:
        keys = {(row[0], row[1]) for row in fetch(store, _FILES_OF_RUN, [run.run], snapshot=snapshot)}
        return {"run": run.run_id, "workflow": run.name}, keys
    if query is None:
        return {"store": store.store_id}, None
    from provenance.answers.ask import answer

    found = answer(store, query, as_of=snapshot.number, keys=True)
    if found.entity not in (Entity.FILES, Entity.REPLICAS):
        raise AuditScopeError(
            f"an audit is of files or replicas, and this query selects {found.entity.value}",
            hint=f"for example: files where produced by ({query})" if found.entity is Entity.JOBS else None,
        )
    return {"query": found.text}, {(key[0], key[1]) for key, _ in found.keyed_rows()}


def _copies(store: Store, keys: set[tuple[int, int]] | None, snapshot: Snapshot) -> list[_Copy]:
    columns: list[object] = [None, None]
    if keys is not None:
        columns = [[source for source, _ in sorted(keys)], [file for _, file in sorted(keys)]]
    earlier: dict[object, frozenset[bytes]] = {
        name: frozenset(digests) for name, digests in fetch(store, _EARLIER, snapshot=snapshot)
    }
    copies = []
    for row in fetch(store, _COPIES, columns, snapshot=snapshot):
        source, file, url, site, name, sha256, size, state, verified, origin, checksums = row
        expectation = Expectation(
            name=name,
            url=url,
            path=local_path(str(url)),
            sha256=sha256,
            size=size,
            source=source,
            file=file,
            earlier_sha256s=earlier.get(name, frozenset()) - {sha256},
            checksums=tuple(checksums or ()),
        )
        copies.append(_Copy(expectation, site, str(state), verified is not None, origin))
    return copies


class _Recorder:
    """Takes what an audit saw into the store, in commits that are not too large."""

    def __init__(self, store: Store, snapshot: Snapshot, author: str | None) -> None:
        """``snapshot`` is the state of the store that the audit goes by."""
        self._store = store
        self._snapshot = snapshot
        self._author = author
        self._source = source_of(new_run_id())
        self._host = socket.gethostname()
        self._batch = Batch()
        self._number = 0

    def add(self, copy: _Copy, check: Check) -> None:
        """Add the rows of one look. Bytes of which nobody knows what they should be are no check."""
        if check.verdict is CheckVerdict.UNKNOWN:
            return
        expectation = check.expectation
        self._batch.add(
            "checks",
            source=self._source,
            number=self._number,
            file_source=expectation.source,
            file=expectation.file,
            name=expectation.name,
            url=expectation.url,
            site=copy.site,
            stage="audit",
            expected_sha256=expectation.sha256,
            actual_sha256=check.actual_sha256,
            expected_size_bytes=expectation.size,
            actual_size_bytes=None if check.stat is None else check.stat.size,
            verdict=check.verdict.value,
            finding=None if check.finding is None else check.finding.value,
            digest_origin=copy.digest_origin,
            protection="none",
            at=check.at,
            duration_seconds=check.seconds,
            host=self._host,
        )
        self._number += 1
        if is_first_reading(check):
            add_first_reading(self._batch, check)
        event = _event(copy.state, check.verdict)
        if event is not None and expectation.source is not None and expectation.file is not None:
            add_event(
                self._batch,
                event,
                source=expectation.source,
                file=expectation.file,
                url=expectation.url,
                site=copy.site,
                at=check.at,
                stat=check.stat if check.verdict is CheckVerdict.OK else None,
                reason=f"audit: {check.finding.value}" if check.finding else None,
            )
        if self._batch.rows("checks") >= _COMMIT_CHECKS:
            self.commit()

    def commit(self) -> None:
        """Commit what was added since the last time.

        A store that takes nothing (a read-only archive, a full disk) is no reason not to say what was found: that it is
        not recorded is logged as a warning.
        """
        batch, self._batch = self._batch, Batch()
        try:
            self._store.commit(
                CommitKind.AUDIT, batch, author=self._author, rebase=self._still_news, base=self._snapshot
            )
        except WriteFailedError as error:
            logging.getLogger(__name__).warning("what this audit found is not recorded: %s", harmless(str(error)))

    def _still_news(self, newest: Snapshot, batch: Batch) -> Batch:
        return still_news(self._store, batch, base=self._snapshot, newest=newest)


def _event(state: str, verdict: CheckVerdict) -> str | None:
    """What a look makes of a copy that was in ``state``."""
    match verdict:
        case CheckVerdict.OK:
            return "verified" if state == "ok" else "reinstated"
        case CheckVerdict.MISMATCH:
            return "quarantined" if state != "quarantined" else None
        case CheckVerdict.MISSING:
            return "missing" if state != "missing" else None
        case CheckVerdict.UNREADABLE | CheckVerdict.UNKNOWN:
            return None


def _findings(
    store: Store,
    snapshot: Snapshot,
    checks: Sequence[Check],
    keys: set[tuple[int, int]] | None,
    run: Run | None,
    good: set[tuple[int | None, int | None, str]],
) -> Iterator[Finding]:
    """What this audit found, then what jobs had found before it and nothing has taken back since."""
    failed = fetch(store, report_sql("failed_checks"), [None if run is None else run.run], snapshot=snapshot)
    first_seen: dict[tuple[object, object, object], dt.datetime] = {}
    for row in failed:
        at = row[10]
        assert isinstance(at, dt.datetime)
        first_seen.setdefault((row[0], row[1], row[2]), at)
    dependents = Dependents(store, snapshot)
    reported = set()
    for check in checks:
        expectation = check.expectation
        place = (expectation.source, expectation.file, expectation.url)
        reported.add(place)
        files, jobs = dependents.of(expectation.source, expectation.file)
        finding = check.to_finding(first_seen=first_seen.get(place), affected_files=files, affected_jobs=jobs)
        if finding is not None:
            yield finding
    for row in failed:
        source, file, url, name, stage, finding_class, expected, actual, expected_size, actual_size, _, job_run = row
        place = (source, file, url)
        in_scope = run is not None or keys is None or (source, file) in keys or job_run is None
        if place in reported or place in good or not in_scope:
            continue
        reported.add(place)
        files, jobs = dependents.of(source, file)
        yield Finding(
            kind=FindingClass(finding_class),
            name=str(name),
            url=str(url or ""),
            stage=str(stage),
            first_seen=first_seen[place],
            expected_sha256=expected,
            actual_sha256=actual,
            expected_size=expected_size,
            actual_size=actual_size,
            affected_files=files,
            affected_jobs=jobs,
        )
