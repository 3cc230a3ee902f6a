"""Invocation records become rows: one commit for any number of records, whoever else ingests the same ones meanwhile.

A record counts once: by the digest of its bytes, and by its attempt (run, job, attempt), of which there is one record.
What is malformed, or a second record of an attempt, goes to the store's ``quarantine/`` with a reason and keeps none of
the others from counting. A job's own metadata that cannot be read goes there too, while its record counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.batch import Batch
from provenance.checked_json import MalformedError
from provenance.commits import Commit, CommitKind
from provenance.quarantine import quarantine
from provenance.record_rows import Published, add_published, add_record, add_sightings
from provenance.records import Record, read_record
from provenance.replicas import by_file, by_url
from provenance.reported import ReportedFact, parse_reported
from provenance.urls import copy_url
from provenance.views import fetch

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
    from provenance.store import Store

__all__ = ["IngestResult", "Published", "Rejected", "ingest"]

Attempt = tuple[int, int, int]
"""(run, job, attempt)."""
PublishedPlaces = Mapping[tuple[int, int, str], Published]
"""(job, attempt, lfn) -> where that output was staged out to."""
AlsoKnown = Callable[[Batch, Record], None]

_KNOWN = """
SELECT run, job, attempt, record_sha256 FROM invocations WHERE run IN (SELECT unnest($1::BIGINT[]))
"""
_ANY_STATE = frozenset({"ok", "quarantined", "missing", "removed", "replaced", "retired"})


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that does not count: where it came from (None: from memory), why, and where it was put."""

    path: Path | None
    reason: str
    quarantined: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of the records. ``commit`` is None if there was nothing new.

    ``attempts`` came in with this call; ``known`` were in the store already. ``warnings`` are about what jobs reported.
    """

    commit: Commit | None
    attempts: tuple[Attempt, ...]
    known: tuple[Attempt, ...]
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A checked record on its way in; ``facts`` is what its job reported."""

    record: Record
    facts: tuple[ReportedFact, ...]
    path: Path | None
    data: bytes


def ingest(
    store: Store,
    records: Iterable[Path | bytes],
    *,
    published: PublishedPlaces | None = None,
    also: AlsoKnown | None = None,
    author: str | None = None,
) -> IngestResult:
    """Bring invocation records, given as bytes or as paths, into the store.

    ``published`` says where outputs were staged out to; all records are then of one run. It counts also for records
    that the store holds already, so that a launcher which was killed between two commits can say it again. ``also``
    adds rows to the same commit for each record that is new: what only the caller knows of that attempt. Raises
    OSError for a path that cannot be read, StoreError as `Store.commit`.
    """
    ingestion = _Ingestion(store, published or {}, also)
    for record in records:
        ingestion.read(record)
    return ingestion.commit(author)


class _Ingestion:
    """One call of `ingest`: what was read, and what of it is new to the newest state of the store."""

    def __init__(self, store: Store, places: PublishedPlaces, also: AlsoKnown | None) -> None:
        self._store = store
        self._places = places
        self._also = also
        self._incoming: dict[Attempt, _Incoming] = {}
        self._known: dict[Attempt, bytes] = {}
        self._rejected: list[Rejected] = []
        self._warnings: list[str] = []

    def read(self, source: Path | bytes) -> None:
        """Check one record; it ends up among the incoming or among the rejected."""
        path, data = (None, source) if isinstance(source, bytes) else (source, source.read_bytes())
        try:
            record = read_record(data)
        except MalformedError as error:
            self._reject(path, data, str(error))
            return
        earlier = self._incoming.get(record.attempt_key)
        if earlier is None:
            self._incoming[record.attempt_key] = _Incoming(record, self._facts(record, path), path, data)
        elif earlier.record.digest != record.digest:
            self._reject(path, data, _second(record, earlier.record.digest))

    def commit(self, author: str | None) -> IngestResult:
        """Commit what the store does not hold, however often others come first."""
        snapshot = self._store.snapshot()
        commit = self._store.commit(
            CommitKind.INGEST,
            self._rows(snapshot),
            author=author,
            rebase=lambda newest, _: self._rows(newest),
            base=snapshot,
        )
        new = tuple(incoming.record.attempt_key for incoming in self._new())
        known = []
        for key, incoming in self._incoming.items():
            digest = self._known.get(key)
            if digest == incoming.record.digest:
                known.append(key)
            elif digest is not None:
                self._reject(incoming.path, incoming.data, _second(incoming.record, digest))
        return IngestResult(commit, new, tuple(known), tuple(self._rejected), tuple(self._warnings))

    def _new(self) -> list[_Incoming]:
        return [incoming for key, incoming in self._incoming.items() if key not in self._known]

    def _rows(self, snapshot: Snapshot) -> Batch:
        """The rows that the store does not hold as of ``snapshot``."""
        runs = sorted({record.run for record in self._records()})
        found = fetch(self._store, _KNOWN, [runs], snapshot=snapshot) if runs else []
        self._known = {(run, job, attempt): sha256 for run, job, attempt, sha256 in found}
        batch = Batch()
        for incoming in self._new():
            add_record(batch, incoming.record, incoming.facts)
            if self._also is not None:
                self._also(batch, incoming.record)
        add_sightings(batch, [incoming.record for incoming in self._new()])
        self._add_places(batch, snapshot)
        return batch

    def _add_places(self, batch: Batch, snapshot: Snapshot) -> None:
        """Copies of outputs that were staged out; what was at such a URL before is replaced."""
        wanted = [
            (record, position, place)
            for record in self._records()
            if self._known.get(record.attempt_key, record.digest) == record.digest
            for position, output in enumerate(record.outputs)
            if (place := self._places.get((record.job, record.attempt, output.name))) and output.sha256 is not None
        ]
        there = by_file(self._store, [r.file_of(p) for r, p, _ in wanted], states=_ANY_STATE, snapshot=snapshot)
        live = by_url(self._store, [copy_url(place.url) for _, _, place in wanted], snapshot=snapshot)
        holders = {url: (replica.source, replica.file, replica.site) for url, replica in live.items() if replica.here}
        for record, position, place in wanted:
            url, file = copy_url(place.url), record.file_of(position)
            if url not in {replica.url for replica in there.get(file, ())}:
                add_published(batch, record, position, place, holders.get(url))
                holders[url] = (*file, place.site)

    def _records(self) -> list[Record]:
        return [incoming.record for incoming in self._incoming.values()]

    def _facts(self, record: Record, path: Path | None) -> tuple[ReportedFact, ...]:
        """What the job said of itself; what could not be read of it is kept in quarantine and named in a warning."""
        if record.reported is None:
            return ()
        found = parse_reported(record.reported.text)
        outputs = {None, *(output.name for output in record.outputs if output.sha256 is not None)}
        problems = list(found.problems)
        problems += [f"{f.key!r}: {f.file!r} is no output of this job" for f in found.facts if f.file not in outputs]
        if record.reported.truncated:
            problems.append("it was too long: its end is missing")
        if problems:
            text = record.reported.text.encode("utf-8", "backslashreplace")
            kept = quarantine(self._store, text, "metadata", "\n".join(problems), path)
            job = f"metadata of job {record.id}, attempt {record.attempt}"
            self._warnings += [f"{job}: {problem} (kept in {kept})" for problem in problems]
        return tuple(fact for fact in found.facts if fact.file in outputs)

    def _reject(self, path: Path | None, data: bytes, reason: str) -> None:
        self._rejected.append(Rejected(path, reason, quarantine(self._store, data, "record", reason, path)))


def _second(record: Record, earlier: bytes) -> str:
    return (
        f"run {record.run_id}, job {record.job}, attempt {record.attempt}: there is another record of this attempt,"
        f" sha256 {earlier.hex()}"
    )
