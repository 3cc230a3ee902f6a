"""An audit: read every copy in a scope, record what was seen, report it together with what jobs had found before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integrity.tally import Tally
from provenance.audits.hindrance import OBSTACLES, asked_for, hindered
from provenance.audits.looks import Looking, look_at
from provenance.audits.reporting import Looked, report
from provenance.audits.reproducing import command
from provenance.audits.scope import copies, scope_of

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.audits.looks import Advance
    from provenance.store import Store


def audit_store(
    store: Store,
    *,
    asked: str | None = None,
    author: str | None = None,
    workers: int = 2,
    advance: Advance = lambda _: None,
) -> Report:
    """Audit everything, or what ``asked`` means: a query, or else a run. Damage of the store itself is told by the
    report, which then says what was not looked at.

    Raises QueryError, AuditScopeError, NoSuchRunError, UnsupportedStoreError.
    """
    how = Looking("audit", author=author, workers=workers, advance=advance)
    try:
        snapshot = store.snapshot()
        scope = scope_of(store, asked, snapshot)
        there = copies(store, scope, snapshot)
    except OBSTACLES as error:
        return hindered(store, asked_for(store, asked), how, error, again=command(store.storage, "audit", asked))
    tally = Tally()
    looks = look_at(store, snapshot, there, how, tally)
    again = command(store.storage, "audit", scope.argument)
    return report(Looked(store, snapshot, scope, how, looks, tally, again))
