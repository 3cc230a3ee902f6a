"""From looks to a report: findings with where they came about, what they affect, and what brings the files back."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from integrity.report import Effort, Report, Sample
from provenance.audits.dependents import Dependents
from provenance.audits.findings import Found, findings
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


@dataclass(frozen=True, slots=True)
class Looked:
    """What a report goes by: ``looks`` at the copies in ``scope``, made from ``snapshot``, which ``tally`` has counted
    and which are recorded. ``again`` is the command that goes on.
    """

    store: Store
    snapshot: Snapshot
    scope: Scope
    how: Looking
    looks: Looks
    tally: Tally
    again: str
    sample: Sample | None = None


def report(looked: Looked) -> Report:
    """The report of looks. Where the store is damaged it says that, and what was seen."""
    try:
        if looked.looks.obstacle is not None:
            raise looked.looks.obstacle
        return _whole(looked)
    except OBSTACLES as error:
        return hindered(
            looked.store,
            looked.scope.said,
            looked.how,
            error,
            again=looked.again,
            looks=looked.looks,
            tally=looked.tally,
        )


def _whole(looked: Looked) -> Report:
    """The report that needs all of the store."""
    store, snapshot, looks = looked.store, looked.snapshot, looked.looks
    dependents = Dependents(store, snapshot)
    contents = Contents(store, snapshot, looks)
    found = list(findings(store, snapshot, looked.scope, looks, looked.how.stage, dependents))
    recorded = store.snapshot()
    where = spans(store, recorded, [one.place for one in found])
    contents.look_up(one.file for one in found if one.file is not None)
    log, altered = log_state(store, snapshot, looked.how.stage)
    return Report(
        scope=looked.scope.said,
        coverage=looked.tally.coverage(),
        findings=(*altered, *(_explained(one, where.get(one.place), contents) for one in found)),
        log=log,
        sample=looked.sample,
        effort=Effort(looked.how.pace.read_bytes, looked.how.pace.seconds),
        repair=repair_plan(looks, contents, dependents),
        pipeline=pipeline(store, recorded, looked.scope),
        overhead=overhead(store, recorded, looked.scope),
        at=dt.datetime.now(dt.UTC),
        host=socket.gethostname(),
        reproduce=(looked.again, command(store.storage, "log", "check")),
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
