"""Records on their way into one commit: each is checked as it comes, and kept as columns of rows, not as a record.

Which of them count is decided when the commit is made, against the newest state of the store, and again whenever
another writer was first: `Intake.rows` leaves out the rows of those that the store holds by then.

One thread reads and holds records to their types, another makes columns of many at once, in code of Arrow that leaves
the interpreter to the first. Importing this module imports pyarrow and msgspec, which only ingest needs.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from provenance.errors import StoreError
from provenance.ingest import record_files
from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import RECORD, RECORD_TYPE
from provenance.ingest.fact_columns import JobFact, fact_rows, facts_of, plain_fact_rows
from provenance.ingest.ingest import AlsoKnown, Attempt, Attempted, Rejected
from provenance.ingest.known_contents import told_apart
from provenance.ingest.look_columns import newest_sightings
from provenance.ingest.published import Copy, PublishedPlaces, add_copies, copies_of
from provenance.ingest.quarantine import quarantine
from provenance.ingest.quick_reader import typed
from provenance.ingest.record_block import Part, entry_at, read_block
from provenance.ingest.record_columns import rows_of
from provenance.ingest.record_reader import read_record
from provenance.ingest.rewritten import entry_of
from provenance.ingest.wire import source_of_run
from provenance.reading.views import Reading
from provenance.segments.batch import Batch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.ingest.wire import RecordEntry
    from provenance.store import Store

_BLOCK_RECORDS = 4096
"""Records become columns this many at a time, in calls of Arrow that are long beside what Python does between them."""
_BLOCK_BYTES = 16 << 20
_BLOCKS_UNDER_WAY = 2
_COMMIT_RECORDS = 65_536
"""As many as make segments of some megabytes each; memory holds two commits."""
_COMMIT_BYTES = 256 << 20

"""Room for 150 000 looks at files. What is longer is not the wrapper's, and memory is not for it to fill."""
_KNOWN = """
SELECT incoming.record, invocations.record_sha256 FROM invocations JOIN incoming USING (run, job, attempt)
"""

Source = Path | bytes


@dataclass(slots=True)
class _Block:
    """Documents to be read together."""

    sources: list[Source] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    are_typed: list[bool] = field(default_factory=list)
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Second:
    """Another record of the attempt that the record with this number is of."""

    of: int
    source: Source
    digest: bytes


class Intake:
    """Records for one commit. Not thread-safe: one thread reads, and afterwards one asks for rows. ``executor`` has one
    thread, which makes columns of what was read meanwhile.

    ``rejected`` are those that do not count, ``warnings`` are about what jobs reported.
    """

    def __init__(self, store: Store, places: PublishedPlaces, also: AlsoKnown | None, executor: Executor) -> None:
        self.rejected: list[Rejected] = []
        self.warnings: list[str] = []
        self._store = store
        self._places = places
        self._also = also
        self._executor = executor
        self._count = self._bytes = 0
        self._block = _Block()
        self._under_way: deque[Future[None]] = deque()
        # What follows is of the thread that makes columns, until all blocks are done.
        self._numbers: dict[Attempt, int] = {}
        self._digests: list[bytes] = []
        self._sources: list[Source] = []
        self._seconds: list[_Second] = []
        self._attempted: list[Attempted] = []
        self._copies: list[tuple[int, Copy]] = []
        self._tables: dict[str, list[pa.Table]] = {}
        self._known: dict[int, bytes] = {}

    @property
    def is_full(self) -> bool:
        """Whether the commit is to be made before more is read."""
        return self._count >= _COMMIT_RECORDS or self._bytes >= _COMMIT_BYTES

    def read(self, source: Source) -> None:
        """Take one record in. Raises OSError if it cannot be read, and WriteFailedError if one that was read before
        should be in quarantine and cannot be put there.
        """
        data = _data(source)
        most = record_files.MOST_BYTES
        if len(data) > most:
            reason = f"longer than {most} bytes, as no record is: what was kept of it are the first so many"
            self._reject(source, data[:most], reason)
            return
        block = self._block
        block.sources.append(source)
        block.documents.append(data)
        block.digests.append(hashlib.sha256(data).digest())
        block.are_typed.append(typed(data) is not None)  # not kept: the collector of garbage costs what decoding costs
        block.size_bytes += len(data)
        self._count += 1
        self._bytes += len(data)
        if len(block.documents) >= _BLOCK_RECORDS or block.size_bytes >= _BLOCK_BYTES:
            self._under_way.append(self._executor.submit(self._take, block))
            self._block = _Block()
            if len(self._under_way) > _BLOCKS_UNDER_WAY:
                self._under_way.popleft().result()

    def rows(self, snapshot: Snapshot) -> Batch:
        """The rows of those records that the store does not hold as of ``snapshot``, in a batch of their own."""
        self._finish()
        self._known = self._held(snapshot)
        batch = Batch()
        for table, parts in self._tables.items():
            rows = self._new_ones(pa.concat_tables(parts))
            if table == "replicas":
                rows = newest_sightings(rows)
            elif table == "checks":
                made = self._tables.get("files")
                rows = told_apart(self._store, rows, pa.concat_tables(made) if made else None, snapshot)
            batch.add_block(table, rows.drop_columns([RECORD]))
        if self._also is not None:
            for number, attempted in enumerate(self._attempted):
                if number not in self._known:
                    self._also(batch, attempted)
        ours = [copy for number, copy in self._copies if self._counting(number) == self._digests[number]]
        if ours:
            add_copies(batch, self._store, ours, snapshot)
        return batch

    def settle(self) -> tuple[int, int]:
        """After the commit: how many records it brought, and how many were known. Others of the same attempts than
        those that count are rejected, whether the store held those before or got them now.
        """
        known = sum(second.digest == self._known.get(second.of) for second in self._seconds)
        for number, held in self._known.items():
            if held == self._digests[number]:
                known += 1
            else:
                self._reject_second(self._sources[number], self._digests[number], held)
        for second in self._seconds:
            if second.digest != self._counting(second.of):
                self._reject_second(second.source, second.digest, self._counting(second.of))
        return len(self._digests) - len(self._known), known

    def _counting(self, number: int) -> bytes:
        """The digest of the record that counts for the attempt of one of ours."""
        return self._known.get(number, self._digests[number])

    def _finish(self) -> None:
        """See that all that was read is columns."""
        while self._under_way:
            self._under_way.popleft().result()
        block, self._block = self._block, _Block()
        if block.documents:
            self._take(block)

    def _take(self, block: _Block) -> None:
        """Make columns of a block, and note what is asked of each of its records."""
        read = read_block(block.documents, block.are_typed)
        for position, reason in read.malformed.items():
            self._reject(block.sources[position], block.documents[position], reason)
        numbers = self._number(block, read.attempts())
        records = [_certain(part, block.digests, numbers) for part in read.parts]
        for each in records:
            self._keep(rows_of(each))
        facts, others = plain_fact_rows(records[0])
        self._keep({"metadata": facts})
        unusual = frozenset(records[0].numbers.take(pa.array(others, pa.int64())).to_pylist())
        said: list[JobFact] = []
        for position, number in numbers.items():
            has_unusual_facts = number in unusual or position in read.careful
            if has_unusual_facts or self._also is not None or self._places:
                entry = entry_at(read, block.documents, position)
                if has_unusual_facts:
                    said += self._facts_of(entry, number)
                self._note(entry, number)
        if said:
            self._keep({"metadata": fact_rows(said)})

    def _number(self, block: _Block, attempts: Mapping[int, Attempt]) -> dict[int, int]:
        """Number the first record of each attempt: by its position in the block, in this order."""
        found: dict[int, int] = {}
        for position in sorted(attempts):
            digest, number = block.digests[position], len(self._digests)
            earlier = self._numbers.setdefault(attempts[position], number)
            if earlier == number:
                self._digests.append(digest)
                self._sources.append(block.sources[position])
                found[position] = number
            elif self._digests[earlier] != digest:
                self._seconds.append(_Second(earlier, block.sources[position], digest))
        return found

    def _keep(self, tables: Mapping[str, pa.Table]) -> None:
        for name, rows in tables.items():
            if len(rows):
                self._tables.setdefault(name, []).append(rows)

    def _note(self, entry: RecordEntry, number: int) -> None:
        """What only the caller knows of an attempt is asked by these."""
        run = source_of_run(entry.run_id)
        assert run is not None  # or the record would have been refused
        if self._also is not None:
            made = tuple(output.name for output in entry.outputs if output.actual_sha256 is not None)
            self._attempted.append(Attempted(run, entry.job, entry.attempt, made))
        if self._places:
            self._copies += [(number, copy) for copy in copies_of(entry, run, self._places)]

    def _new_ones(self, rows: pa.Table) -> pa.Table:
        if not self._known:
            return rows
        held = pa.array(list(self._known), RECORD_TYPE)
        return rows.filter(pc.invert(pc.is_in(rows[RECORD], value_set=held)))

    def _held(self, snapshot: Snapshot) -> dict[int, bytes]:
        """Of which attempts the store holds a record: the number of ours, and its digest."""
        likely = snapshot.holding("invocations", "run", {run for run, _, _ in self._numbers})
        if not self._numbers or not likely.segments("invocations"):
            return {}
        runs, jobs, attempts = zip(*self._numbers, strict=True)
        incoming = pa.table({"run": runs, "job": jobs, "attempt": attempts, RECORD: range(len(runs))})
        with Reading(self._store, likely) as reading:
            reading.define(_KNOWN).register("incoming", incoming)
            return dict(reading.rows(_KNOWN))

    def _facts_of(self, entry: RecordEntry, number: int) -> Sequence[JobFact]:
        """What the job said of itself; what could not be read of it is kept in quarantine and named in a warning."""
        facts, problems = facts_of(entry, number)
        if problems:
            assert entry.metadata is not None and entry.metadata.text is not None
            text = entry.metadata.text.encode("utf-8", "backslashreplace")
            origin = _path(self._sources[number])
            kept = quarantine(self._store, text, "metadata", "\n".join(problems), origin)
            job = f"metadata of job {entry.id}, attempt {entry.attempt}"
            self.warnings += [f"{job}: {problem} (kept in {kept})" for problem in problems]
        return facts

    def _reject_second(self, source: Source, digest: bytes, counts: bytes) -> None:
        """Reject the record that was read from there, whose bytes were not kept, for another one."""
        data = _data(source)
        if hashlib.sha256(data).digest() != digest:
            raise StoreError(f"{_path(source)}: it changed while it was taken in", hint="a record never changes")
        entry = typed(data) or entry_of(read_record(data))
        attempt = f"run {entry.run_id}, job {entry.job}, attempt {entry.attempt}"
        reason = f"{attempt}: there is another record of this attempt, sha256 {counts.hex()}"
        self._reject(source, data, reason)

    def _reject(self, source: Source, data: bytes, reason: str) -> None:
        path = _path(source)
        self.rejected.append(Rejected(path, reason, quarantine(self._store, data, "record", reason, path)))


def _data(source: Source) -> bytes:
    return source if isinstance(source, bytes) else record_files.record_bytes(source)


def _path(source: Source) -> Path | None:
    return None if isinstance(source, bytes) else source


def _certain(part: Part, digests: Sequence[bytes], numbers: Mapping[int, int]) -> CertainRecords:
    """Those records of a part that have numbers."""
    ours = [numbers.get(position) for position in part.positions]
    records = CertainRecords(
        part.rows,
        pa.array([digests[position] for position in part.positions], pa.binary()),
        pa.array(ours, RECORD_TYPE),
        has_kept_urls=part.has_kept_urls,
    )
    return records.chosen(pc.is_valid(records.numbers)) if records.numbers.null_count else records
