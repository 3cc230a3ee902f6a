"""What an audit or scrub saw, on its way into the store: every look is a check, every finding an event in the life of
the copy. Bad copies are quarantined, missing ones noted, good ones verified, those that were given up and are good
again reinstated.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from integrity.audit import Check, CheckVerdict
from provenance.audits.check_rows import CheckRows
from provenance.audits.scope import Copy
from provenance.copies.later_digests import add_first_reading, is_first_reading
from provenance.copies.observations import still_news
from provenance.copies.replicas import add_event
from provenance.errors import DamagedStoreError, ReadFailedError, WriteFailedError
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from query.terminal_text import harmless

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Stage = Literal["audit", "scrub"]
_COMMIT_CHECKS = 100_000
_COMMIT_SECONDS = 60.0  # of reading: what an interruption costs at most


class Recorder:
    """Takes what was seen into the store, in commits that are neither too large nor too long in coming."""

    def __init__(self, store: Store, snapshot: Snapshot, stage: Stage, author: str | None) -> None:
        """``snapshot`` is the state of the store that the looks go by."""
        self._store = store
        self._snapshot = snapshot
        self._stage = stage
        self._author = author
        self._checks = CheckRows(stage)
        self._batch = Batch()
        self._committed = time.monotonic()

    def add(self, copy: Copy, check: Check) -> None:
        """Add the rows of one look. Bytes of which nobody knows what they should be are no check."""
        if check.verdict is CheckVerdict.UNKNOWN:
            return
        self._checks.add(self._batch, check, site=copy.site, digest_origin=copy.digest_origin)
        if is_first_reading(check):
            add_first_reading(self._batch, check)
        self._add_event(copy, check)
        is_due = time.monotonic() - self._committed >= _COMMIT_SECONDS
        if is_due or self._batch.rows("checks") >= _COMMIT_CHECKS:
            self.commit()

    def _add_event(self, copy: Copy, check: Check) -> None:
        expectation = check.expectation
        event = _event(copy.state, check.verdict)
        if event is None or expectation.source is None or expectation.file is None:
            return
        add_event(
            self._batch,
            event,
            source=expectation.source,
            file=expectation.file,
            url=expectation.url,
            site=copy.site,
            at=check.at,
            stat=check.stat if check.verdict is CheckVerdict.OK else None,
            reason=f"{self._stage}: {check.finding.value}" if check.finding else None,
        )

    def commit(self) -> None:
        """Commit what was added since the last time.

        A store that takes nothing (a read-only archive, a full disk, commits that are damaged) is no reason not to say
        what was found: that it is not recorded is logged as a warning.
        """
        batch, self._batch = self._batch, Batch()
        self._committed = time.monotonic()
        try:
            self._store.commit(
                CommitKind.AUDIT, batch, author=self._author, rebase=self._still_news, base=self._snapshot
            )
        except (WriteFailedError, DamagedStoreError, ReadFailedError) as error:
            logging.getLogger(__name__).warning(
                "what this %s found is not recorded: %s", self._stage, harmless(str(error))
            )

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
