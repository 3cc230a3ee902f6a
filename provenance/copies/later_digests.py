"""What comes to be known of a file's content after it came to be: its sha256 when it is read for the first time,
foreign checksums that somebody declares afterwards. Rows of `files` never change: these stand beside them, and
provenance/reading/views.py shows both as one.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from integrity.audit import Check, CheckVerdict
from provenance.copies.observations import still_news
from provenance.copies.replicas import add_event
from provenance.errors import WriteFailedError
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from query.terminal_text import harmless

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store


def add_digest(
    batch: Batch,
    file_id: tuple[int, int],
    at: dt.datetime,
    *,
    sha256: bytes | None = None,
    size_bytes: int | None = None,
    checksums: Sequence[str] = (),
    seconds: float | None = None,
) -> None:
    """Add what is known of a file from now on: a sha256 whose bytes were as declared, and checksums."""
    source, file = file_id
    batch.add(
        "file_digests",
        source=source,
        file=file,
        sha256=sha256,
        size_bytes=size_bytes,
        checksums=list(checksums) or None,
        digest_origin=None if sha256 is None else "declared",
        at=at,
        checksum_seconds=seconds,
    )


def is_first_reading(check: Check) -> bool:
    """Whether this look is the first that read a file of which only foreign checksums were known, and they agreed."""
    expectation = check.expectation
    is_known = expectation.source is not None and expectation.file is not None
    return check.verdict is CheckVerdict.OK and is_known and expectation.sha256 is None


def add_first_reading(batch: Batch, check: Check) -> None:
    """Add the sha256 that the first reading of a file gave; it must be one (`is_first_reading`)."""
    expectation = check.expectation
    assert expectation.source is not None and expectation.file is not None and check.stat is not None
    add_digest(
        batch,
        (expectation.source, expectation.file),
        check.at,
        sha256=check.actual_sha256,
        size_bytes=check.stat.size,
        seconds=check.seconds,
    )


def record_first_readings(
    store: Store, checks: Iterable[tuple[Check, str | None]], author: str | None, base: Snapshot
) -> None:
    """Record first readings (`is_first_reading`), each with the site of the copy, in one commit. ``base`` is what the
    looks were made from.

    A store that takes nothing is no reason not to say what was found: that it is not recorded is logged as a warning.
    """
    batch = Batch()
    for check, site in checks:
        add_first_reading(batch, check)
        expectation = check.expectation
        assert expectation.source is not None and expectation.file is not None
        add_event(
            batch,
            "verified",
            source=expectation.source,
            file=expectation.file,
            url=expectation.url,
            site=site,
            at=check.at,
            stat=check.stat,
        )
    try:
        store.commit(
            CommitKind.AUDIT,
            batch,
            author=author,
            rebase=lambda newest, batch: still_news(store, batch, base=base, newest=newest),
            base=base,
        )
    except WriteFailedError as error:
        logging.getLogger(__name__).warning("what was read is not recorded: %s", harmless(str(error)))
