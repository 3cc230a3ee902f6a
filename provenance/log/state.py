"""What an audit says of the log: is every commit the one that it has. Who changed the store could hide damage."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from integrity.errors import KeyFileError
from integrity.findings import Finding, FindingClass
from integrity.report import LogState, LogStatus
from provenance.errors import ReadFailedError
from provenance.log.discrepancy import Gravity
from provenance.log.examination import examine
from provenance.log.keys import trusted_keys, warn

if TYPE_CHECKING:
    from provenance.log.discrepancy import Discrepancy
    from provenance.store import Store


def log_state(store: Store, stage: str) -> tuple[LogState, tuple[Finding, ...]]:
    """The state of the log: its size in commits and its root, if anything says what that should be; and a finding for
    each place that is not what was recorded, noticed at this ``stage``.

    Reads every commit, not the segments: `pirene log check` does. What cannot be read is no reason not to say what
    became of the files: it is logged as a warning, and nothing is known of the log.
    """
    try:
        trusted = trusted_keys()
    except KeyFileError as error:
        warn(f"signatures are not verified: {error}")
        trusted = ()
    try:
        examination = examine(store.storage, store.store_id, trusted)
    except ReadFailedError as error:
        warn(f"the log was not compared with the store: {error}")
        return LogState(LogStatus.UNKNOWN), ()
    if examination.is_altered:
        altered = tuple(_finding(one, stage) for one in examination.discrepancies if one.gravity is Gravity.ALTERED)
        return LogState(LogStatus.MISMATCH, examination.size, examination.root), altered
    if examination.logged is None:
        return LogState(), ()
    return LogState(LogStatus.CONSISTENT, examination.size, examination.root), ()


def _finding(altered: Discrepancy, stage: str) -> Finding:
    return Finding(
        kind=FindingClass.CATALOG_MISMATCH,
        name=altered.path,
        url="",
        stage=stage,
        first_seen=dt.datetime.now(dt.UTC),
        error=f"expected {altered.expected}, found {altered.found}: {altered.advice}",
    )
