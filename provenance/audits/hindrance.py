"""What an audit says that its store's own damage kept from going on: what is wrong with the store, what was seen before
that, and that nothing is known of the rest. It is a report like any other, in every format.
"""

from __future__ import annotations

import datetime as dt
import socket
from typing import TYPE_CHECKING

from integrity.errors import EvidenceError
from integrity.findings import Finding, FindingClass
from integrity.report import Coverage, Effort, LogState, LogStatus, Report
from provenance import location
from provenance.audits.looks import Looks
from provenance.audits.reproducing import command
from provenance.errors import DamagedStoreError, LogMisfitError, ReadFailedError
from provenance.log.state import log_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from integrity.tally import Tally
    from provenance.audits.looks import Looking
    from provenance.audits.recording import Stage
    from provenance.history.snapshot import Snapshot
    from provenance.storage.interface import Storage
    from provenance.store import Store

Obstacle = DamagedStoreError | ReadFailedError | EvidenceError
"""Damage of the store or of its log, or of what they lie on."""
OBSTACLES = (DamagedStoreError, ReadFailedError, EvidenceError)
_NOTHING = Looks()


def asked_for(store: Store, asked: str | None) -> Mapping[str, object]:
    """The scope of an audit that could not find out what it means."""
    return {"store": store.store_id, "location": store.storage.location} | ({} if asked is None else {"asked": asked})


def hindered(
    store: Store,
    said: Mapping[str, object],
    how: Looking,
    obstacle: Obstacle,
    *,
    again: str,
    looks: Looks = _NOTHING,
    tally: Tally | None = None,
) -> Report:
    """The report of an audit of the scope ``said`` that got no further than ``looks``, which ``tally`` has counted."""
    log, altered = log_state(store, _newest(store), how.stage)
    seen = [check.to_finding(stage=how.stage) for _, check in looks.bad]
    return Report(
        scope=said,
        coverage=Coverage(0, 0) if tally is None else tally.coverage(),
        findings=(*(altered or [_damage(store.storage, obstacle, how.stage)]), *filter(None, seen)),
        log=log,
        effort=Effort(how.pace.read_bytes, how.pace.seconds),
        at=dt.datetime.now(dt.UTC),
        host=socket.gethostname(),
        reproduce=(command(store.storage, "log", "check"), again),
        obstacle=str(obstacle),
    )


def unopened(storage: Storage, stage: Stage, obstacle: Obstacle) -> Report:
    """The report on a store of which not even its name is known."""
    return Report(
        scope={"store": None, "location": storage.location},
        coverage=Coverage(0, 0),
        findings=(_damage(storage, obstacle, stage, location.IDENTITY),),
        log=LogState(LogStatus.UNKNOWN),
        at=dt.datetime.now(dt.UTC),
        host=socket.gethostname(),
        reproduce=(command(storage, "log", "check"), command(storage, stage)),
        obstacle=str(obstacle),
    )


def _newest(store: Store) -> Snapshot | None:
    """What is live, as far as the commits tell."""
    try:
        return store.snapshot()
    except OBSTACLES:
        return None


def _damage(storage: Storage, obstacle: Obstacle, stage: Stage, name: str = "") -> Finding:
    """The finding for damage of which the log knows nothing."""
    match obstacle:
        case ReadFailedError():
            kind = FindingClass.UNREADABLE
        case EvidenceError() | LogMisfitError():
            kind = FindingClass.LOG_MISMATCH
        case DamagedStoreError():
            kind = FindingClass.CONTENT_MISMATCH
    now = dt.datetime.now(dt.UTC)
    said = f"{obstacle}: {obstacle.hint}" if obstacle.hint else str(obstacle)
    return Finding(kind=kind, name=name or storage.location, url="", stage=stage, first_seen=now, error=said)
