"""What attempts saw of files, as rows: every look is a check; some are uses, files, and news of copies as well.

Importing this module imports pyarrow, which only writers need.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import bytes_of_hex, child, counted, plain_files, repeated, starts_of, table_of
from provenance.ingest.records import LONGEST_ID_SHOWN
from provenance.ingest.wire import WIRE_SCHEMA
from provenance.schema import Kind
from provenance.segments.arrow import column_type
from provenance.urls import copy_url

_TIME = column_type(Kind.TIME)
_UNREAD = frozenset(("path", "error", "stage", "target"))
_KEYS = [field for field in WIRE_SCHEMA.field("inputs").type.value_type if field.name not in _UNREAD]
_OF_OUTPUTS = {"actual_sha256": "sha256", "actual_size": "size"}
"""Keys that outputs have by another name. What only inputs have is null for them."""
_ONLY_OF_INPUTS = ("sha256", "size", "digest_origin", "url", "source", "file", "protection")
_STATS = ("actual_size", "mtime_ns", "ctime_ns", "inode", "device")
_STAGES = {"inputs": "pre-exec", "changed_inputs": "post-exec", "outputs": "output"}


class Looks:
    """Every look at a file: at inputs, at inputs that changed, at outputs, in this order for each record.

    The number of a check is its place among those of its attempt, which leaves room for the stage-outs.
    """

    def __init__(self, records: CertainRecords) -> None:
        self._rows = records.rows
        self._looks = looks = _in_order(records.rows)
        row = looks["row"]
        self._record = records.numbers.take(row)
        self._is_output = pc.equal(looks["stage"], "output")
        self._made = pc.and_(self._is_output, pc.is_valid(looks["actual_sha256"]))
        attempts = {name: column.take(row) for name, column in records.attempts.items()}
        first = records.first_files.take(row)
        produced = pc.if_else(self._made, pc.add(first, looks["position"]), None)
        self._columns = attempts | {
            "source": attempts["run"],
            "number": pc.add(first, looks["place"]),
            "file_source": pc.if_else(self._made, attempts["run"], looks["source"]),
            "file": pc.if_else(self._is_output, produced, looks["file"]),
            "name": looks["name"],
            "url": looks["url"] if records.has_kept_urls else _kept_urls(looks["url"]),
            "stage": looks["stage"],
            "expected_sha256": bytes_of_hex(looks["sha256"]),
            "actual_sha256": bytes_of_hex(looks["actual_sha256"]),
            "expected_size_bytes": looks["size"],
            "actual_size_bytes": looks["actual_size"],
            "verdict": looks["verdict"],
            "finding": looks["finding"],
            "digest_origin": looks["digest_origin"],
            "protection": pc.fill_null(looks["protection"], "none"),
            "at": looks["at"].cast(_TIME),
            "duration_seconds": looks["seconds"],
            "host": records.rows["hostname"].take(row),
        }

    def checks(self) -> pa.Table:
        """All looks."""
        return table_of("checks", self._columns, self._record)

    def uses(self) -> pa.Table:
        """What was read, as it was when it was verified, and what was written."""
        seen = self._columns
        was_read = pc.and_(pc.equal(seen["stage"], "pre-exec"), pc.not_equal(seen["verdict"], "missing"))
        columns = {name: seen[name] for name in ("run", "job", "attempt", "file", "name")} | {
            "source": seen["file_source"],
            "role": self._looks["role"],
            "direction": pc.if_else(self._is_output, "write", "read"),
            "size_bytes": seen["actual_size_bytes"],
            "sha256": seen["actual_sha256"],
        }
        return table_of("uses", columns, self._record).filter(pc.or_(was_read, self._made))

    def files(self) -> pa.Table:
        """Outputs that were made."""
        seen = {name: column.filter(self._made) for name, column in self._columns.items()}
        made = self._looks.filter(self._made)
        columns = {name: seen[name] for name in ("source", "file", "name", "job", "attempt")} | {
            "origin": repeated("produced", len(made)),
            "kind": made["kind"],
            "size_bytes": seen["actual_size_bytes"],
            "sha256": seen["actual_sha256"],
            "digest_origin": repeated("produced", len(made)),
            "created": seen["at"],
            "modified": pc.if_else(_have_stats(made), _microseconds(made["mtime_ns"]), None).view(_TIME),
            "owner": made["owner"],
            "checksum_seconds": seen["duration_seconds"],
        }
        return table_of("files", columns, self._record.filter(self._made))

    def sightings(self) -> pa.Table:
        """What was seen of the copies that attempts read: of each look its event; `newest_sightings` drops all good
        ones but the last.
        """
        events = _events(self._looks)
        kept = pc.is_valid(events)
        looks, seen = self._looks.filter(kept), {name: self._columns[name].filter(kept) for name in ("url", "at")}
        with_stats = pc.and_(pc.equal(looks["verdict"], "ok"), _have_stats(looks))
        size, modified, changed, inode, device = (pc.if_else(with_stats, looks[name], None) for name in _STATS)
        columns = seen | {
            "source": looks["source"],
            "file": looks["file"],
            "event": events.filter(kept),
            "reason": self._reasons(looks),
            "size_bytes": size,
            "modified_ns": modified,
            "changed_ns": changed,
            "inode": inode.view(pa.int64()),
            "device": device.view(pa.int64()),
        }
        return table_of("replicas", columns, self._record.filter(kept))

    def _reasons(self, looks: pa.RecordBatch) -> pa.Array:
        """Why copies were not good; null where they were."""
        bad = pc.not_equal(looks["verdict"], "ok")
        if not pc.any(bad).as_py():
            return pa.nulls(len(looks), pa.string())
        jobs = pc.utf8_slice_codeunits(self._rows["id"], 0, LONGEST_ID_SHOWN).take(looks["row"])
        attempts = self._rows["attempt"].take(looks["row"]).cast(pa.string())
        what = pc.coalesce(looks["finding"], looks["verdict"])
        reasons = pc.binary_join_element_wise(what, " seen by job ", jobs, ", attempt ", attempts, "")
        return pc.if_else(bad, reasons, None)


def newest_sightings(events: pa.Table) -> pa.Table:
    """Of all times that a copy was seen to be good only the last; everything else as it is. Keeps no order."""
    good = pc.equal(events["event"], "verified")
    looks = events.filter(good)
    if len(looks.group_by(["source", "file"], use_threads=False).aggregate([])) == len(looks):
        return events  # each was seen once
    names = looks.column_names
    in_time = looks.take(pc.sort_indices(looks, sort_keys=[("at", "ascending")]))
    keys = ["source", "file", "url"]
    last = pc.ScalarAggregateOptions(skip_nulls=False, min_count=0)
    others = [name for name in names if name not in keys]
    grouped = in_time.group_by(keys, use_threads=False).aggregate([(name, "last", last) for name in others])
    kept = grouped.rename_columns([name.removesuffix("_last") for name in grouped.column_names]).select(names)
    return pa.concat_tables([events.filter(pc.invert(good)), kept.cast(events.schema)])


def _in_order(records: pa.RecordBatch) -> pa.RecordBatch:
    """All looks with the keys of inputs, and with ``row``, ``stage``, ``position`` in their list and ``place`` among
    all of their record.
    """
    parts = []
    before = pa.repeat(pa.scalar(0, pa.int64()), len(records))
    for key in _STAGES:
        part = _flat(records, key, before)
        before = pc.add(before, pc.list_value_length(records[key]))
        parts.append(part)
    looks = pa.concat_batches(parts)
    where = pc.add(starts_of(before).take(looks["row"]), looks["place"])
    return looks.take(pc.sort_indices(where))


def _flat(records: pa.RecordBatch, key: str, before: pa.Array) -> pa.RecordBatch:
    """The looks of one key, of which as many as ``before`` says come before them."""
    lists = records[key]
    looks, row = pc.list_flatten(lists), pc.list_parent_indices(lists).cast(pa.int64())
    columns = {field.name: _key_of(looks, field, is_output=key == "outputs") for field in _KEYS}
    position = pc.subtract(counted(len(looks)), starts_of(pc.list_value_length(lists)).take(row))
    columns |= {
        "row": row,
        "stage": repeated(_STAGES[key], len(looks)),
        "position": position,
        "place": pc.add(before.take(row), position),
    }
    return pa.RecordBatch.from_pydict(columns)


def _key_of(looks: pa.StructArray, field: pa.Field, *, is_output: bool) -> pa.Array:
    if not is_output:
        return child(looks, field.name)
    if field.name in _OF_OUTPUTS:
        return child(looks, _OF_OUTPUTS[field.name])
    if field.name in _ONLY_OF_INPUTS or looks.type.get_field_index(field.name) < 0:
        return pa.nulls(len(looks), field.type)
    return child(looks, field.name)


def _events(looks: pa.RecordBatch) -> pa.Array:
    """What looks say of the copies that were looked at; null: nothing."""
    is_copy = pc.and_(pc.and_(pc.is_valid(looks["url"]), pc.is_valid(looks["source"])), pc.is_valid(looks["file"]))
    verdict = looks["verdict"]
    cases = pc.make_struct(
        pc.and_(pc.equal(verdict, "ok"), pc.is_valid(looks["sha256"])),  # else nothing was verified
        pc.equal(verdict, "mismatch"),
        pc.and_(pc.equal(verdict, "missing"), pc.invert(looks["optional"])),
    )
    return pc.if_else(is_copy, pc.case_when(cases, "verified", "quarantined", "missing"), None)


def _have_stats(looks: pa.RecordBatch) -> pa.Array:
    there = pc.is_valid(looks[_STATS[0]])
    for name in _STATS[1:]:
        there = pc.and_(there, pc.is_valid(looks[name]))
    return there


def _microseconds(nanoseconds: pa.Array) -> pa.Array:
    """The last whole microsecond, also before 1970, where a division cuts off towards zero."""
    towards_zero = pc.divide(nanoseconds, 1000)
    is_later = pc.greater(pc.multiply(towards_zero, 1000), nanoseconds)
    return pc.subtract(towards_zero, is_later.cast(pa.int64()))


def _kept_urls(urls: pa.StringArray) -> pa.Array:
    """URLs in the form in which the store keeps them; most are."""
    plain = plain_files(urls)
    if pc.all(plain, min_count=0).as_py():
        return urls
    written = zip(plain.to_pylist(), urls.to_pylist(), strict=True)
    return pa.array([url if known or url is None else copy_url(url) for known, url in written], pa.string())
