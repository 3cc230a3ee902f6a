"""Copies of outputs that were staged out, as rows: what came to be at a URL, what was there before, what was seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.digest import Stat
from provenance.copies.replicas import add_event, by_file, by_url
from provenance.identity import produced_file
from provenance.ingest.records import LONGEST_ID_SHOWN
from provenance.segments.batch import Batch
from provenance.urls import copy_url

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.ingest.wire import RecordEntry
    from provenance.store import Store

_ANY_STATE = frozenset({"ok", "quarantined", "missing", "removed", "replaced", "retired"})
_TICK = dt.timedelta(microseconds=1)
_LAST = dt.datetime.max.replace(tzinfo=dt.UTC) - _TICK
"""A tick later there is still a time, to be quarantined at."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where an output was staged out to. ``stat``: of the bytes that were hashed (None: nobody looked at them since
    they came there). ``sha256``: of the copy, read back (None: it is the very file that was hashed). ``at``, ``host``:
    when and on which machine it came there (None: when and where the attempt ended).
    """

    url: str
    site: str
    stat: Stat | None
    sha256: bytes | None
    at: dt.datetime | None = None
    host: str | None = None


PublishedPlaces = Mapping[tuple[int, int, str], Published]
"""(job, attempt, lfn) -> where that output was staged out to."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One output of one attempt at one place. ``number``: of its check, after all those that the wrapper made."""

    place: Published
    run: int
    job: int
    job_id: str
    attempt: int
    file: int
    number: int
    name: str
    sha256: bytes
    size_bytes: int | None
    at: dt.datetime
    host: str | None

    @property
    def url(self) -> str:
        """Where it is, as the store keeps it."""
        return copy_url(self.place.url)


def copies_of(entry: RecordEntry, run: int, places: PublishedPlaces) -> list[Copy]:
    """The copies of an attempt's outputs."""
    looks = len(entry.inputs) + len(entry.changed_inputs) + len(entry.outputs)
    return [
        Copy(
            place=place,
            run=run,
            job=entry.job,
            job_id=entry.id[:LONGEST_ID_SHOWN],
            attempt=entry.attempt,
            file=produced_file(entry.job, entry.attempt, position),
            number=produced_file(entry.job, entry.attempt, looks + position),
            name=output.name,
            sha256=bytes.fromhex(output.actual_sha256),
            size_bytes=output.actual_size_bytes,
            at=min(place.at or dt.datetime.fromisoformat(entry.end), _LAST),
            host=place.host or entry.hostname,
        )
        for position, output in enumerate(entry.outputs)
        if output.actual_sha256 is not None
        and (place := places.get((entry.job, entry.attempt, output.name))) is not None
    ]


def add_copies(batch: Batch, store: Store, copies: Iterable[Copy], snapshot: Snapshot) -> None:
    """Add those copies that the store does not have; what was at such a URL before is replaced."""
    wanted = list(copies)
    there = by_file(store, [(copy.run, copy.file) for copy in wanted], states=_ANY_STATE, snapshot=snapshot)
    live = by_url(store, [copy.url for copy in wanted], snapshot=snapshot)
    holders = {url: (replica.source, replica.file, replica.site) for url, replica in live.items() if replica.here}
    for copy in wanted:
        if copy.url in {replica.url for replica in there.get((copy.run, copy.file), ())}:
            continue
        if copy.url in holders:
            _add_replaced(batch, copy, *holders[copy.url])
        _add_copy(batch, copy)
        holders[copy.url] = (copy.run, copy.file, copy.place.site)


def _add_replaced(batch: Batch, copy: Copy, source: int, file: int, site: str | None) -> None:
    reason = f"job {copy.job_id} wrote {copy.name} there"
    add_event(batch, "replaced", source=source, file=file, url=copy.url, site=site, at=copy.at, reason=reason)


def _add_copy(batch: Batch, copy: Copy) -> None:
    place = copy.place
    good = place.sha256 in (None, copy.sha256)
    _event(batch, "registered", copy, copy.at, stat=place.stat if good else None)
    if place.sha256 is None:
        return
    batch.add(
        "checks",
        source=copy.run,
        number=copy.number,
        run=copy.run,
        job=copy.job,
        attempt=copy.attempt,
        file_source=copy.run,
        file=copy.file,
        name=copy.name,
        url=copy.url,
        site=place.site,
        stage="stage-out",
        expected_sha256=copy.sha256,
        actual_sha256=place.sha256,
        expected_size_bytes=copy.size_bytes,
        actual_size_bytes=None if place.stat is None else place.stat.size,
        verdict="ok" if good else "mismatch",
        finding=None if good else "content-mismatch",
        digest_origin="produced",
        protection="none",
        at=copy.at,
        host=copy.host,
    )
    if not good:
        _event(batch, "quarantined", copy, copy.at + _TICK, reason="stage-out")


def _event(
    batch: Batch, event: str, copy: Copy, at: dt.datetime, *, stat: Stat | None = None, reason: str | None = None
) -> None:
    source, file, site = copy.run, copy.file, copy.place.site
    add_event(batch, event, source=source, file=file, url=copy.url, site=site, at=at, stat=stat, reason=reason)
