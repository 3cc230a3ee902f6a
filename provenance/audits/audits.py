"""An audit: read every copy in a scope, record what was seen, report it together with what jobs had found before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.tally import Tally
from provenance.audits.looks import Looking, look_at
from provenance.audits.reporting import report
from provenance.audits.reproducing import command
from provenance.audits.scope import copies, scope_of

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.answers.runs import Run
    from provenance.audits.looks import Advance
    from provenance.store import Store


def audit_store(
    store: Store,
    *,
    run: Run | None = None,
    query: str | None = None,
    author: str | None = None,
    workers: int = 2,
    advance: Advance = lambda _: None,
) -> Report:
    """Audit everything, one run, or what a query selects. Raises QueryError, AuditScopeError, StoreError."""
    snapshot = store.snapshot()
    scope = scope_of(store, run, query, snapshot)
    how = Looking("audit", author=author, workers=workers, advance=advance)
    tally = Tally()
    looks = look_at(store, snapshot, copies(store, scope, snapshot), how, tally)
    again = command(store, "audit", scope.argument)
    return report(store, snapshot, scope, how, looks, tally, again=again)
