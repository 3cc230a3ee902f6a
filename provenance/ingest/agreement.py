"""Whether records agree with themselves, by the column: what `provenance.ingest.record_reader` refuses and types do
not tell.

Nothing is refused here. What is not certainly right is doubtful, and for the careful reader.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from provenance.checked_json import TIME
from provenance.history.commits import time_text
from provenance.identity import MAX_OUTPUTS
from provenance.ingest.columns import child, counted, plain_files
from provenance.ingest.records import FINDING
from provenance.ingest.wire import source_of_run
from provenance.urls import is_copy_url

_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = rf"^[12][0-9]{{3}}-{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z$"
"""Times of years and days that everybody agrees on; of the others `datetime` knows which there are."""
_NO_DIGIT = "[^0-9a-f]"
_FINDING = f"^(?:{FINDING.pattern})$"


def doubtful(records: pa.RecordBatch) -> list[int]:
    """Which rows of `provenance.ingest.wire.WIRE_SCHEMA` need the careful reader: by position, ascending."""
    good = pc.equal(records["status"], "succeeded")
    found = {
        *_where(_contradict(records, good)),
        *_where(pc.invert(_are_runs(records["run_id"]))),
        *_where(_are_too_many(records)),
        *_where(_without_digest_or_time(records, ("reuse_key",), ("start", "end"))),
    }
    for name in ("inputs", "changed_inputs", "outputs"):
        lists = records[name]
        rows = pc.list_parent_indices(lists)
        looks = pa.RecordBatch.from_struct_array(pc.list_flatten(lists))
        unsure = (_doubtful_outputs if name == "outputs" else _doubtful_inputs)(looks, good.take(rows))
        found |= set(rows.filter(unsure).to_pylist())
    return sorted(found | _with_doubled_outputs(records))


def _where(mask: pa.Array) -> Iterable[int]:
    return counted(len(mask)).filter(mask).to_pylist() if pc.any(mask).as_py() else ()


def _contradict(records: pa.RecordBatch, good: pa.Array) -> pa.Array:
    well = pc.and_(pc.fill_null(pc.equal(records["exit_code"], 0), False), pc.is_null(records["signal"]))
    unchanged = pc.equal(pc.list_value_length(records["changed_inputs"]), 0)
    return pc.and_not(good, pc.and_(well, unchanged))


def _are_runs(ids: pa.Array) -> pa.Array:
    runs = ids.dictionary_encode()
    known = pa.array([source_of_run(run) is not None for run in runs.dictionary.to_pylist()], pa.bool_())
    return known.take(runs.indices)


def _are_too_many(records: pa.RecordBatch) -> pa.Array:
    inputs, changed, outputs = (pc.list_value_length(records[name]) for name in ("inputs", "changed_inputs", "outputs"))
    return pc.greater(pc.add(pc.add(inputs, changed), pc.add(outputs, outputs)), MAX_OUTPUTS)


def _with_doubled_outputs(records: pa.RecordBatch) -> set[int]:
    """Those that name an output twice."""
    several = records["outputs"].filter(pc.greater(pc.list_value_length(records["outputs"]), 1))
    if not len(several):
        return set()
    where = counted(len(records)).filter(pc.greater(pc.list_value_length(records["outputs"]), 1))
    rows = where.take(pc.list_parent_indices(several))
    names = pa.table({"row": rows, "name": child(pc.list_flatten(several), "name")})
    each = names.group_by("row", use_threads=False).aggregate([("name", "count"), ("name", "count_distinct")])
    return set(each["row"].filter(pc.not_equal(each["name_count"], each["name_count_distinct"])).to_pylist())


def _doubtful_inputs(looks: pa.RecordBatch, good: pa.Array) -> pa.Array:
    """Of inputs, and whether their attempts claim success."""
    ok, expected, actual = pc.equal(looks["verdict"], "ok"), looks["sha256"], looks["actual_sha256"]
    differs = pc.fill_null(pc.not_equal(expected, actual), False)
    unseen = pc.or_(pc.is_null(actual), pc.is_null(looks["actual_size"]))
    return _any(
        pc.and_(ok, pc.or_(unseen, differs)),
        _fails_a_success(looks, ok, good),
        _with_other_finding(looks),
        _with_other_url(looks["url"]),
        _without_digest_or_time(looks, ("sha256", "actual_sha256"), ("at",)),
    )


def _doubtful_outputs(looks: pa.RecordBatch, good: pa.Array) -> pa.Array:
    """Of outputs, and whether their attempts claim success."""
    ok, actual = pc.equal(looks["verdict"], "ok"), looks["sha256"]
    return _any(
        pc.and_(ok, pc.or_(pc.is_null(actual), pc.is_null(looks["size"]))),
        _fails_a_success(looks, ok, good),
        pc.and_(pc.is_null(looks["kind"]), pc.is_valid(actual)),
        _with_other_finding(looks),
        _without_digest_or_time(looks, ("sha256",), ("at",)),
    )


def _any(*masks: pa.Array) -> pa.Array:
    found, *others = masks
    for mask in others:
        found = pc.or_(found, mask)
    return found


def _fails_a_success(looks: pa.RecordBatch, ok: pa.Array, good: pa.Array) -> pa.Array:
    spared = pc.and_(pc.equal(looks["verdict"], "missing"), looks["optional"])
    return pc.and_not(good, pc.or_(ok, spared))


def _with_other_finding(looks: pa.RecordBatch) -> pa.Array:
    return pc.invert(pc.fill_null(pc.match_substring_regex(looks["finding"], _FINDING), True))


def _with_other_url(urls: pa.Array) -> pa.Array:
    """Those that are no URLs of copies."""
    plain = plain_files(urls)
    if pc.all(plain, min_count=0).as_py():
        return pc.invert(plain)
    fine = [known or is_copy_url(url) for known, url in zip(plain.to_pylist(), urls.to_pylist(), strict=True)]
    return pc.invert(pa.array(fine, pa.bool_()))


def _without_digest_or_time(rows: pa.RecordBatch, digests: Iterable[str], times: Iterable[str]) -> pa.Array:
    """Those in which one of the texts, whose length is known, is not what it should be: a digest in lower case, a
    time.
    """
    masks = [pc.fill_null(pc.match_substring_regex(rows[name], _NO_DIGIT), False) for name in digests]
    return _any(*masks, *(pc.invert(_are_times(rows[name])) for name in times))


def _are_times(texts: pa.Array) -> pa.Array:
    usual = pc.match_substring_regex(texts, _TIME)
    if pc.all(usual, min_count=0).as_py():
        return usual
    return pa.array(
        [known or _is_time(text) for known, text in zip(usual.to_pylist(), texts.to_pylist(), strict=True)], pa.bool_()
    )


def _is_time(text: str) -> bool:
    try:
        return TIME.fullmatch(text) is not None and time_text(dt.datetime.fromisoformat(text)) == text
    except (ValueError, OverflowError):
        return False
