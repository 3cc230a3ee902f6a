"""From looks to a report: findings with where they came about, what they affect, and what brings the files back."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

from integrity.report import Effort, Report, Sample
from provenance.audits.dependents import Dependents
from provenance.audits.earlier import Found, findings
from provenance.audits.hindrance import OBSTACLES, hindered
from provenance.audits.history import Span, overhead, pipeline, spans
from provenance.audits.repairs import Contents, repair_plan
from provenance.audits.reproducing import command
from provenance.log.state import log_state

if TYPE_CHECKING:
    from integrity.findings import Finding
    from integrity.tally import Tally
    from provenance.audits.looks import Looking, Looks
    from provenance.audits.scope import Scope
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


def report(
    store: Store,
    snapshot: Snapshot,
    scope: Scope,
    how: Looking,
    looks: Looks,
    tally: Tally,
    *,
    sample: Sample | None = None,
    again: str,
) -> Report:
    """The report of looks that were made from ``snapshot`` and are recorded; ``again`` is the command that goes on.

    Where the store is damaged it says that, and what was seen.
    """
    try:
        if looks.obstacle is not None:
            raise looks.obstacle
        return _whole(store, snapshot, scope, how, looks, tally, sample, again)
    except OBSTACLES as error:
        return hindered(store, scope.said, how, error, again=again, looks=looks, tally=tally)


def _whole(
    store: Store,
    snapshot: Snapshot,
    scope: Scope,
    how: Looking,
    looks: Looks,
    tally: Tally,
    sample: Sample | None,
    again: str,
) -> Report:
    """The report that needs all of the store."""
    dependents = Dependents(store, snapshot)
    contents = Contents(store, snapshot, looks)
    found = list(findings(store, snapshot, scope, looks, how.stage, dependents))
    recorded = store.snapshot()
    where = spans(store, recorded, [one.place for one in found])
    files = [one.file for one in found if one.file is not None]
    contents.look_up(files)
    log, altered = log_state(store, snapshot, how.stage)
    return Report(
        scope=scope.said,
        coverage=tally.coverage(),
        findings=(*altered, *(_explained(one, where.get(one.place), contents) for one in found)),
        log=log,
        sample=sample,
        effort=Effort(how.pace.read_bytes, how.pace.seconds),
        repair=repair_plan(looks, contents, dependents),
        pipeline=pipeline(store, recorded, scope),
        overhead=overhead(store, recorded, scope),
        at=dt.datetime.now(dt.UTC),
        host=socket.gethostname(),
        reproduce=(again, command(store.storage, "log", "check")),
    )


def _explained(found: Found, span: Span | None, contents: Contents) -> Finding:
    """A finding with the looks that it came about between, and the good copies that are left."""
    finding = found.finding
    if span is not None:
        first_seen = finding.first_seen if span.first_bad is None else min(finding.first_seen, span.first_bad.at)
        finding = replace(finding, last_good=span.last_good, first_bad=span.first_bad, first_seen=first_seen)
    if found.file is None:
        return finding
    good = contents.urls(contents.of(found.file))
    return replace(finding, good_copies=tuple(url for url in good if url != finding.url))
