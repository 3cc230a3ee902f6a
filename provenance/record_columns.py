"""Checked records as rows, column by column: attempts, states, looks at files, files, what was seen of their copies.

Ordinals follow from a record alone (provenance/identity.py), so that whoever ingests it names the same things alike.
Every table of the result has the columns of the store's table but ``commit_number``, and ``record`` after them: which
of the entries a row is of, so that rows can be left out later. Rows come in the order of the entries; those of entries
in the order of attempts are in the order of their tables, save ``replicas``.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from provenance.arrow import column_type, row_schema
from provenance.identity import produced_file
from provenance.metadata import Value, Written, form_columns, positions_and_values
from provenance.schema import BY_NAME, Kind
from provenance.storable import storable
from provenance.urls import copy_url
from provenance.wire import InputEntry, Looked, OutputEntry, RecordEntry, looks_of, source_of_run

RECORD = "record"
"""The column that says which entry a row is of: its position plus ``first``."""

_TIME = column_type(Kind.TIME)
_NO_FORMS = (None, None, None, None, None)
_NO_COLUMNS: tuple[tuple[Any, ...], ...] = ((), (), (), (), ())
Columns = dict[str, pa.Array]


def rows_of(entries: Sequence[RecordEntry], digests: Sequence[bytes], first: int = 0) -> dict[str, pa.Table]:
    """The rows of entries, whose records have these digests, by table; a table without rows may be missing.

    Entries are such as `provenance.wire` makes: what they hold is not checked again.
    """
    attempts = _Attempts(entries, first)
    looks = _Looks(entries, attempts)
    return {
        "invocations": _table("invocations", _invocations(entries, digests, attempts), attempts.record),
        "job_states": _job_states(entries, attempts),
        "files": looks.files(),
        "uses": looks.uses(),
        "replicas": looks.sightings(entries),
        "checks": looks.checks(),
    }


class _Attempts:
    """(run, job, attempt) of entries as lists, their positions, and the ordinal of the first file that each makes."""

    def __init__(self, entries: Sequence[RecordEntry], first: int) -> None:
        self.runs = [source_of_run(entry.run_id) for entry in entries]
        self.jobs = [entry.job for entry in entries]
        self.attempts = [entry.attempt for entry in entries]
        self.record = _array(range(first, first + len(entries)), pa.int32())
        self.first_files = [produced_file(entry.job, entry.attempt, 0) for entry in entries]

    def columns(self) -> Columns:
        """The three as columns."""
        return {
            "run": _array(self.runs, pa.int64()),
            "job": _array(self.jobs, pa.int64()),
            "attempt": _array(self.attempts, pa.int64()),
        }


def _invocations(entries: Sequence[RecordEntry], digests: Sequence[bytes], attempts: _Attempts) -> Columns:
    usages = [entry.usage for entry in entries]
    return attempts.columns() | {
        "host": _texts([entry.hostname for entry in entries]),
        "user_name": _texts([entry.user for entry in entries]),
        "python": _texts([None if entry.wrapper is None else entry.wrapper.python for entry in entries]),
        "started": _times([entry.start for entry in entries]),
        "ended": _times([entry.end for entry in entries]),
        "duration_seconds": _array([entry.duration for entry in entries], pa.float64()),
        "exit_code": _array([entry.exit_code for entry in entries], pa.int64()),
        "signal": _array([entry.signal for entry in entries], pa.int64()),
        "status": _texts([entry.status for entry in entries]),
        "failure": _texts([entry.failure for entry in entries]),
        "cpu_seconds": _array(
            [None if u is None or u.utime is None or u.stime is None else u.utime + u.stime for u in usages],
            pa.float64(),
        ),
        "max_rss_bytes": _array([None if usage is None else usage.maxrss for usage in usages], pa.int64()),
        "read_bytes": _array([None if usage is None else usage.inblock for usage in usages], pa.int64()),
        "written_bytes": _array([None if usage is None else usage.outblock for usage in usages], pa.int64()),
        "stdout_tail": _texts(["" if entry.stdout is None else entry.stdout.text or "" for entry in entries]),
        "stderr_tail": _texts(["" if entry.stderr is None else entry.stderr.text or "" for entry in entries]),
        "command": _text_lists([entry.argument_vector for entry in entries]),
        "work_dir": _texts([entry.cwd for entry in entries]),
        "reuse_key": _digests([_key_of_what_ran(entry) for entry in entries]),
        "record_sha256": _array(digests, pa.binary()),
    }


def _key_of_what_ran(entry: RecordEntry) -> str | None:
    """The key that the attempt was described with; none if an optional input that it counts on had gone by then."""
    gone = any(seen.verdict == "missing" and seen.expected_sha256 is not None for seen in entry.inputs)
    return None if gone else entry.reuse_key


def _job_states(entries: Sequence[RecordEntry], attempts: _Attempts) -> pa.Table:
    """Two states an attempt, one after the other."""
    twice = _array([row for row in range(len(entries)) for _ in range(2)], pa.int32())
    columns = {name: column.take(twice) for name, column in attempts.columns().items()}
    columns |= {
        "state": _array(["started", "ended"] * len(entries), pa.string()),
        "at": _times([time for entry in entries for time in (entry.start, entry.end)]),
        "reason": _texts([reason for entry in entries for reason in (None, entry.failure)]),
    }
    return _table("job_states", columns, attempts.record.take(twice))


class _Looks:
    """Every look at a file: at inputs, at inputs that changed, at outputs, in this order for each entry.

    Each is a check. Its number is its place among those of its attempt, which leaves room for the stage-outs.
    """

    def __init__(self, entries: Sequence[RecordEntry], attempts: _Attempts) -> None:
        self._looks: list[Looked] = []
        self._rows: list[int] = []
        self._numbers: list[int] = []
        self._sources: list[int | None] = []
        self._files: list[int | None] = []
        self._stages: list[str] = []
        for row, (entry, source, first) in enumerate(zip(entries, attempts.runs, attempts.first_files, strict=True)):
            self._add(entry, row, source, first)
        self._columns = self._shared(entries, attempts)
        self._is_output = pc.equal(self._columns["stage"], "output")
        self._record = attempts.record.take(self._row)

    def _add(self, entry: RecordEntry, row: int, source: int | None, first: int) -> None:
        for seen in entry.inputs:
            self._sources.append(seen.source)
            self._files.append(seen.file)
            self._stages.append("pre-exec")
        for seen in entry.changed_inputs:
            self._sources.append(seen.source)
            self._files.append(seen.file)
            self._stages.append("post-exec")
        for position, output in enumerate(entry.outputs):
            made = output.actual_sha256 is not None
            self._sources.append(source if made else None)
            self._files.append(first + position if made else None)
            self._stages.append("output")
        looks = looks_of(entry)
        self._looks += looks
        self._rows += [row] * len(looks)
        self._numbers += range(first, first + len(looks))

    def _shared(self, entries: Sequence[RecordEntry], attempts: _Attempts) -> Columns:
        looks = self._looks
        self._row = _array(self._rows, pa.int32())
        columns = {name: column.take(self._row) for name, column in attempts.columns().items()}
        return columns | {
            "source": columns["run"],
            "number": _array(self._numbers, pa.int64()),
            "file_source": _array(self._sources, pa.int64()),
            "file": _array(self._files, pa.int64()),
            "name": _texts([seen.name for seen in looks]),
            "url": _urls([seen.url for seen in looks]),
            "stage": _texts(self._stages),
            "expected_sha256": _digests([seen.expected_sha256 for seen in looks]),
            "actual_sha256": _digests([seen.actual_sha256 for seen in looks]),
            "expected_size_bytes": _array([seen.expected_size_bytes for seen in looks], pa.int64()),
            "actual_size_bytes": _array([seen.actual_size_bytes for seen in looks], pa.int64()),
            "verdict": _texts([seen.verdict for seen in looks]),
            "finding": _texts([seen.finding for seen in looks]),
            "digest_origin": _texts([seen.digest_origin for seen in looks]),
            "protection": _texts([seen.protection or "none" for seen in looks]),
            "at": _times([seen.at for seen in looks]),
            "duration_seconds": _array([seen.seconds for seen in looks], pa.float64()),
            "host": _texts([entry.hostname for entry in entries]).take(self._row),
        }

    def checks(self) -> pa.Table:
        """All looks."""
        return _table("checks", self._columns, self._record)

    def uses(self) -> pa.Table:
        """What was read, as it was when it was verified, and what was written."""
        seen, outputs = self._columns, self._is_output
        was_read = pc.and_(pc.equal(seen["stage"], "pre-exec"), pc.not_equal(seen["verdict"], "missing"))
        kept = pc.or_(was_read, pc.and_(outputs, pc.is_valid(seen["actual_sha256"])))
        columns = {name: seen[name] for name in ("run", "job", "attempt", "file", "name")} | {
            "source": seen["file_source"],
            "role": _texts([look.role for look in self._looks]),
            "direction": pc.if_else(outputs, "write", "read"),
            "size_bytes": seen["actual_size_bytes"],
            "sha256": seen["actual_sha256"],
        }
        return _table("uses", columns, self._record).filter(kept)

    def files(self) -> pa.Table:
        """Outputs that were made."""
        kept = pc.and_(self._is_output, pc.is_valid(self._columns["actual_sha256"]))
        seen = {name: column.filter(kept) for name, column in self._columns.items()}
        made = [look for look in self._looks if isinstance(look, OutputEntry) and look.actual_sha256 is not None]
        columns = {name: seen[name] for name in ("source", "file", "name", "job", "attempt")} | {
            "origin": _repeated("produced", len(made)),
            "kind": _texts([output.kind for output in made]),
            "size_bytes": seen["actual_size_bytes"],
            "sha256": seen["actual_sha256"],
            "digest_origin": _repeated("produced", len(made)),
            "created": seen["at"],
            "modified": _array([_modified_microseconds(output) for output in made], pa.int64()).view(_TIME),
            "owner": _texts([output.owner for output in made]),
            "checksum_seconds": seen["duration_seconds"],
        }
        return _table("files", columns, self._record.filter(kept))

    def sightings(self, entries: Sequence[RecordEntry]) -> pa.Table:
        """What was seen of the copies that attempts read: of each look its event; `newest` drops all good ones but
        the last.
        """
        events = [_event(seen) for seen in self._looks]
        positions = [position for position, event in enumerate(events) if event is not None]
        where = _array(positions, pa.int32())
        inputs = [seen for position in positions if isinstance(seen := self._looks[position], InputEntry)]
        columns = {name: self._columns[name].take(where) for name in ("file", "url", "at")}
        columns["source"] = self._columns["file_source"].take(where)
        columns["event"] = _texts([events[position] for position in positions])
        columns["reason"] = _texts(
            [_reason(entries[self._rows[position]], self._looks[position]) for position in positions]
        )
        stats = [seen if seen.verdict == "ok" and _has_stat(seen) else None for seen in inputs]
        columns |= {
            "size_bytes": _array([None if s is None else s.actual_size_bytes for s in stats], pa.int64()),
            "modified_ns": _array([None if s is None else s.mtime_ns for s in stats], pa.int64()),
            "changed_ns": _array([None if s is None else s.ctime_ns for s in stats], pa.int64()),
            "inode": _array([None if s is None else s.inode for s in stats], pa.uint64()).view(pa.int64()),
            "device": _array([None if s is None else s.device for s in stats], pa.uint64()).view(pa.int64()),
        }
        return _table("replicas", columns, self._record.take(where))


class JobFact(Struct, frozen=True, gc=False):
    """A fact that a job reported, about itself or about its output with this ordinal (``file`` None: itself)."""

    record: int
    run: int
    job: int
    file: int | None
    key: str
    value: Value
    author: str | None
    at: str


def fact_rows(facts: Sequence[JobFact]) -> pa.Table:
    """The rows of ``metadata`` for facts; see `provenance.metadata.add_metadata`."""
    said: list[JobFact] = []
    positions: list[int | None] = []
    values: list[Written | None] = []
    for fact in facts:
        for position, value in positions_and_values(fact.value):
            said.append(fact)
            positions.append(position)
            values.append(value)
    found = [_NO_FORMS if value is None else form_columns(value) for value in values]
    text, integer, floating, boolean, time = zip(*found, strict=True) if found else _NO_COLUMNS
    columns = {
        "entity": _texts(["job" if fact.file is None else "file" for fact in said]),
        "source": _array([fact.run for fact in said], pa.int64()),
        "number": _array([fact.job if fact.file is None else fact.file for fact in said], pa.int64()),
        "key": _texts([fact.key for fact in said]),
        "position": _array(positions, pa.int64()),
        "written": _texts([None if value is None else value.text for value in values]),
        "written_type": _texts([None if value is None else value.type for value in values]),
        "text_form": _texts(text),
        "integer_form": _array(integer, pa.int64()),
        "float_form": _array(floating, pa.float64()),
        "boolean_form": _array(boolean, pa.bool_()),
        "time_form": _array(time, _TIME),
        "origin": _repeated("runtime", len(said)),
        "author": _texts([fact.author for fact in said]),
        "at": _times([fact.at for fact in said]),
        "withdrawn": pa.repeat(pa.scalar(False), len(said)),
    }
    return _table("metadata", columns, _array([fact.record for fact in said], pa.int32()))


def newest_sightings(events: pa.Table) -> pa.Table:
    """Of all times that a copy was seen to be good only the last; everything else as it is. Keeps no order."""
    good = pc.equal(events["event"], "verified")
    looks = events.filter(good)
    names = looks.column_names
    in_time = looks.take(pc.sort_indices(looks, sort_keys=[("at", "ascending")]))
    keys = ["source", "file", "url"]
    last = pc.ScalarAggregateOptions(skip_nulls=False, min_count=0)
    others = [name for name in names if name not in keys]
    grouped = in_time.group_by(keys, use_threads=False).aggregate([(name, "last", last) for name in others])
    kept = grouped.rename_columns([name.removesuffix("_last") for name in grouped.column_names]).select(names)
    return pa.concat_tables([events.filter(pc.invert(good)), kept.cast(events.schema)])


def _event(seen: Looked) -> str | None:
    """What a look says of the copy that was looked at; None: nothing."""
    if not isinstance(seen, InputEntry) or seen.url is None or seen.source is None or seen.file is None:
        return None
    if seen.verdict == "ok":
        return "verified" if seen.expected_sha256 is not None else None  # else nothing was verified
    if seen.verdict == "mismatch":
        return "quarantined"
    return "missing" if seen.verdict == "missing" and not seen.optional else None


def _reason(entry: RecordEntry, seen: Looked) -> str | None:
    if seen.verdict == "ok":
        return None
    return f"{seen.finding or seen.verdict} seen by job {entry.id}, attempt {entry.attempt}"


def _modified_microseconds(output: OutputEntry) -> int | None:
    return None if output.mtime_ns is None or not _has_stat(output) else output.mtime_ns // 1000


def _has_stat(seen: Looked) -> bool:
    numbers = (seen.actual_size_bytes, seen.mtime_ns, seen.ctime_ns, seen.inode, seen.device)
    return None not in numbers


def _table(name: str, columns: Mapping[str, pa.Array], record: pa.Array) -> pa.Table:
    """A table of the store with the columns that are given, the others null."""
    schema = row_schema(BY_NAME[name])
    arrays = [columns[field.name] if field.name in columns else pa.nulls(len(record), field.type) for field in schema]
    return pa.Table.from_arrays([*arrays, record], schema=schema.append(pa.field(RECORD, pa.int32())))


def _array(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


def _texts(texts: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array([storable(text) for text in texts], pa.string())


def _text_lists(lists: Sequence[Sequence[str]]) -> pa.Array:
    try:
        return pa.array(lists, column_type(Kind.TEXTS))
    except UnicodeEncodeError:
        return pa.array([[storable(text) for text in texts] for texts in lists], column_type(Kind.TEXTS))


def _repeated(text: str, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), times)


def _times(texts: Sequence[str]) -> pa.Array:
    return _texts(texts).cast(_TIME)


def _urls(urls: Sequence[str | None]) -> pa.Array:
    return _texts([None if url is None else copy_url(url) for url in urls])


def _digests(texts: Sequence[str | None]) -> pa.Array:
    """Digests in hex, 64 digits each, as bytes."""
    data = binascii.unhexlify("".join([text for text in texts if text is not None]))
    whole = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(data) // 32, [None, pa.py_buffer(data)])
    found = whole.cast(pa.binary())
    if len(found) == len(texts):
        return found
    there = pa.array([text is not None for text in texts], pa.bool_())
    positions = pc.if_else(there, pc.subtract(pc.cumulative_sum(there.cast(pa.int32())), 1), None)
    return found.take(positions)
