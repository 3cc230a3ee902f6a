"""Records on their way into one commit: each is checked as it comes, and kept as columns of rows, not as a record.

Which of them count is decided when the commit is made, against the newest state of the store, and again whenever
another writer was first: `Intake.rows` leaves out the rows of those that the store holds by then.

Importing this module imports pyarrow and msgspec, which only ingest needs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from provenance.batch import Batch
from provenance.checked_json import MalformedError
from provenance.errors import StoreError
from provenance.identity import produced_file
from provenance.ingest import AlsoKnown, Attempt, Attempted, Rejected
from provenance.published import Copy, PublishedPlaces, add_copies, copies_of
from provenance.quarantine import quarantine
from provenance.quick_reader import decode
from provenance.record_columns import RECORD, JobFact, fact_rows, newest_sightings, rows_of
from provenance.records import read_record
from provenance.reported import parse_reported
from provenance.views import Reading
from provenance.wire import RecordEntry, entry_of, source_of_run

if TYPE_CHECKING:
    from provenance.snapshot import Snapshot
    from provenance.store import Store

_BLOCK_RECORDS = 2048
"""Entries are turned into columns this many at a time: few enough to stay in the processor's caches."""
_BLOCK_BYTES = 16 << 20
_COMMIT_RECORDS = 65_536
"""As many as make segments of some megabytes each; memory holds two commits."""
_COMMIT_BYTES = 256 << 20
_AT_ONCE_BYTES = 1 << 16

_KNOWN = """
SELECT incoming.record, invocations.record_sha256 FROM invocations JOIN incoming USING (run, job, attempt)
"""

Source = Path | bytes


class Intake:
    """Records for one commit. Not thread-safe: one thread reads, and afterwards one asks for rows.

    ``rejected`` are those that do not count, ``warnings`` are about what jobs reported.
    """

    def __init__(self, store: Store, places: PublishedPlaces, also: AlsoKnown | None) -> None:
        self.rejected: list[Rejected] = []
        self.warnings: list[str] = []
        self._store = store
        self._places = places
        self._also = also
        self._bytes = self._block_bytes = 0
        self._attempts: dict[Attempt, bytes] = {}
        self._sources: list[Source] = []
        self._attempted: list[Attempted] = []
        self._copies: list[tuple[int, Copy]] = []
        self._entries: list[RecordEntry] = []
        self._facts: list[JobFact] = []
        self._blocks: dict[str, list[pa.Table]] = {}
        self._known: dict[int, bytes] = {}

    @property
    def is_full(self) -> bool:
        """Whether the commit is to be made before more is read."""
        return len(self._attempts) >= _COMMIT_RECORDS or self._bytes >= _COMMIT_BYTES

    def read(self, source: Source) -> None:
        """Check one record; it is kept as rows, or rejected. Raises OSError if it cannot be read."""
        data = source if isinstance(source, bytes) else _contents(source)
        entry = decode(data)
        if entry is None:
            try:
                entry = entry_of(read_record(data))
            except MalformedError as error:
                self._reject(source, data, str(error))
                return
        run = source_of_run(entry.run_id)
        assert run is not None  # or the record would have been refused
        digest = hashlib.sha256(data).digest()
        earlier = self._attempts.setdefault((run, entry.job, entry.attempt), digest)
        if earlier is digest:
            self._take(entry, run, source, len(data))
        elif earlier != digest:
            self._reject(source, data, _second(entry, earlier))

    def rows(self, snapshot: Snapshot) -> Batch:
        """The rows of those records that the store does not hold as of ``snapshot``, in a batch of their own."""
        self._make_block()
        self._known = self._held(snapshot)
        batch = Batch()
        for table, blocks in self._blocks.items():
            rows = self._new_ones(pa.concat_tables(blocks))
            if table == "replicas":
                rows = newest_sightings(rows)
            batch.add_block(table, rows.drop_columns([RECORD]))
        if self._also is not None:
            for record, attempted in enumerate(self._attempted):
                if record not in self._known:
                    self._also(batch, attempted)
        digests = list(self._attempts.values())
        ours = [copy for record, copy in self._copies if self._known.get(record, digests[record]) == digests[record]]
        if ours:
            add_copies(batch, self._store, ours, snapshot)
        return batch

    def settle(self) -> tuple[int, int]:
        """After the commit: how many records it brought, and how many were known. Others of the same attempts than
        those that the store holds are rejected.
        """
        known = 0
        for record, digest in enumerate(self._attempts.values()):
            held = self._known.get(record)
            if held == digest:
                known += 1
            elif held is not None:
                self._reject_second(self._sources[record], digest, held)
        return len(self._attempts) - len(self._known), known

    def _take(self, entry: RecordEntry, run: int, source: Source, size: int) -> None:
        record = len(self._sources)
        self._sources.append(source)
        self._entries.append(entry)
        if entry.metadata is not None and entry.metadata.text is not None:
            self._facts += self._facts_of(entry, run, record, source)
        if self._also is not None:
            made = tuple(output.name for output in entry.outputs if output.actual_sha256 is not None)
            self._attempted.append(Attempted(run, entry.job, entry.attempt, made))
        if self._places:
            self._copies += [(record, copy) for copy in copies_of(entry, run, self._places)]
        self._bytes += size
        self._block_bytes += size
        if len(self._entries) >= _BLOCK_RECORDS or self._block_bytes >= _BLOCK_BYTES:
            self._make_block()

    def _make_block(self) -> None:
        """Turn the entries so far into columns."""
        if not self._entries:
            return
        first = len(self._sources) - len(self._entries)
        digests = list(self._attempts.values())[first:]
        blocks = rows_of(self._entries, digests, first)
        if self._facts:
            blocks["metadata"] = fact_rows(self._facts)
        for table, rows in blocks.items():
            if len(rows):
                self._blocks.setdefault(table, []).append(rows)
        self._entries, self._facts, self._block_bytes = [], [], 0

    def _new_ones(self, rows: pa.Table) -> pa.Table:
        if not self._known:
            return rows
        held = pa.array(list(self._known), pa.int32())
        return rows.filter(pc.invert(pc.is_in(rows[RECORD], value_set=held)))

    def _held(self, snapshot: Snapshot) -> dict[int, bytes]:
        """Of which attempts the store holds a record: which of ours, and its digest."""
        runs, jobs, attempts = zip(*self._attempts, strict=True) if self._attempts else ((), (), ())
        if not runs:
            return {}
        likely = snapshot.holding("invocations", "run", runs)
        if not likely.segments("invocations"):
            return {}
        incoming = pa.table({"run": runs, "job": jobs, "attempt": attempts, RECORD: range(len(runs))})
        with Reading(self._store, likely) as reading:
            reading.define(_KNOWN).register("incoming", incoming)
            return dict(reading.rows(_KNOWN))

    def _facts_of(self, entry: RecordEntry, run: int, record: int, source: Source) -> Iterator[JobFact]:
        """What the job said of itself; what could not be read of it is kept in quarantine and named in a warning."""
        assert entry.metadata is not None and entry.metadata.text is not None
        found = parse_reported(entry.metadata.text)
        outputs: dict[str | None, int | None] = {None: None}
        for position, output in enumerate(entry.outputs):
            if output.actual_sha256 is not None:
                outputs[output.name] = produced_file(entry.job, entry.attempt, position)
        problems = list(found.problems)
        for fact in found.facts:
            if fact.file in outputs:
                file = outputs[fact.file]
                yield JobFact(record, run, entry.job, file, fact.key, fact.value, entry.user, entry.end)
            else:
                problems.append(f"{fact.key!r}: {fact.file!r} is no output of this job")
        if entry.metadata.truncated:
            problems.append("it was too long: its end is missing")
        if problems:
            text = entry.metadata.text.encode("utf-8", "backslashreplace")
            kept = quarantine(self._store, text, "metadata", "\n".join(problems), _path(source))
            job = f"metadata of job {entry.id}, attempt {entry.attempt}"
            self.warnings += [f"{job}: {problem} (kept in {kept})" for problem in problems]

    def _reject_second(self, source: Source, digest: bytes, held: bytes) -> None:
        """Reject the record that was read from there, whose bytes were not kept."""
        data = source if isinstance(source, bytes) else _contents(source)
        if hashlib.sha256(data).digest() != digest:
            raise StoreError(f"{_path(source)}: it changed while it was taken in", hint="a record never changes")
        self._reject(source, data, _second(decode(data) or entry_of(read_record(data)), held))

    def _reject(self, source: Source, data: bytes, reason: str) -> None:
        path = _path(source)
        self.rejected.append(Rejected(path, reason, quarantine(self._store, data, "record", reason, path)))


def _path(source: Source) -> Path | None:
    return None if isinstance(source, bytes) else source


def _contents(path: Path) -> bytes:
    """The bytes of a file, which is small: without what Python does for files that are not."""
    parts = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while part := os.read(descriptor, _AT_ONCE_BYTES):
                parts.append(part)
        finally:
            os.close(descriptor)
    except OSError as error:
        error.filename = error.filename or os.fspath(path)  # of a read that fails the system does not say where
        raise
    return b"".join(parts)


def _second(entry: RecordEntry, earlier: bytes) -> str:
    return (
        f"run {entry.run_id}, job {entry.job}, attempt {entry.attempt}: there is another record of this attempt,"
        f" sha256 {earlier.hex()}"
    )
