"""What an audit says of what it goes by: are commits those that the log has, and segments those of the commits? Who
changed the store could hide damage.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

from integrity.findings import Finding, FindingClass
from integrity.report import LogState, LogStatus
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.log.discrepancy import Gravity
from provenance.log.examination import examine
from provenance.log.files import FOLDER
from provenance.log.keys import trusted_or_none, warn
from provenance.storage.recorded import difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provenance.history.commits import Segment
    from provenance.history.snapshot import Snapshot
    from provenance.log.discrepancy import Discrepancy
    from provenance.storage.interface import Storage
    from provenance.store import Store

_RESTORE = "keep a copy of it, restore the file from a backup, and trust no answer of this store until then"


def log_state(store: Store, snapshot: Snapshot | None, stage: str) -> tuple[LogState, tuple[Finding, ...]]:
    """The state of the log: its size in commits and its root, if anything says what that should be; and a finding for
    each place that is not what was recorded, noticed at this ``stage``.

    Reads every commit, and every segment of ``snapshot``, which an audit takes its facts from (None: commits do not say
    which those are); superseded segments and wide tables are left to `pirene log check`. What cannot be read is no
    reason not to say what became of the files: it is logged as a warning, and nothing is known of the log.
    """
    trusted = trusted_or_none()
    try:
        examination = examine(store.storage, store.store_id, trusted)
        altered = [_finding(one, stage) for one in examination.discrepancies if one.gravity is Gravity.ALTERED]
        if snapshot is not None:
            altered += _altered_segments(store, snapshot, stage)
    except ReadFailedError as error:
        warn(f"the log was not compared with the store: {error}")
        return LogState(LogStatus.UNKNOWN), ()
    unverified = tuple(_unverified(examination.discrepancies))
    if examination.logged is None and not altered and not unverified:
        return LogState(), ()
    status = LogStatus.MISMATCH if altered else LogStatus.UNVERIFIED if unverified else LogStatus.CONSISTENT
    return LogState(status, examination.size, examination.root, unverified), tuple(altered)


def _unverified(discrepancies: Iterable[Discrepancy]) -> Iterator[str]:
    """What nobody vouches for, in one sentence for all files that lack the same: a store may have many of them."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for one in discrepancies:
        if one.gravity is Gravity.UNVERIFIED:
            lacking.setdefault((one.expected, one.found), []).append(one.path)
    for (expected, found), paths in lacking.items():
        where = paths[0] if len(paths) == 1 else f"{len(paths)} files, such as {paths[0]}"
        yield f"{where}: expected {expected}, found {found}"


def _altered_segments(store: Store, snapshot: Snapshot, stage: str) -> Iterator[Finding]:
    live = list(snapshot.live())
    found = store.storage.together(partial(_found, store.storage), live)
    differing = [(segment, what) for segment, what in zip(live, found, strict=True) if what is not None]
    if not differing:
        return
    still_live = {one.path for one in store.snapshot().live()}  # an erasure may have taken some meanwhile
    for segment, what in differing:
        if segment.path in still_live:
            expected = f"{segment.size} bytes with sha256 {segment.sha256}"
            yield _noticed(segment.path, stage, f"expected {expected}, found {what}: {_RESTORE}")


def _found(storage: Storage, segment: Segment) -> str | None:
    """What is there in place of a segment; None: it is that."""
    try:
        return difference(storage.read(segment.path, segment.size), segment)
    except FileNotFoundError:
        return "nothing"
    except NOT_THERE as error:
        return error.strerror or str(error)


def _finding(altered: Discrepancy, stage: str) -> Finding:
    return _noticed(altered.path, stage, f"expected {altered.expected}, found {altered.found}: {altered.advice}")


def _noticed(path: str, stage: str, what: str) -> Finding:
    """Damage of what the log is made of is damage of the log; anything else is no longer what the log says."""
    is_of_log = path.startswith(f"{FOLDER}/")
    return Finding(
        kind=FindingClass.LOG_MISMATCH if is_of_log else FindingClass.CATALOG_MISMATCH,
        name=path,
        url="",
        stage=stage,
        first_seen=dt.datetime.now(dt.UTC),
        error=what,
    )
