"""What jobs reported of themselves, as rows of ``metadata``.

Most jobs write plain lines, ``key=value`` in ASCII: those are taken apart by the column. For everything else
`provenance.ingest.reported` has the rules, and `fact_rows` makes rows of what it found. Tests hold both to the same
rows.

Importing this module imports pyarrow and msgspec, which only ingest needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from provenance.identity import produced_file
from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import RECORD_TYPE, Columns, child, counted, repeated, table_of
from provenance.ingest.reported import parse_reported
from provenance.ingest.wire import RecordEntry, source_of_run
from provenance.metadata import Value, Written, form_columns, from_text
from provenance.metadata_rows import positions_and_values
from provenance.schema import Kind
from provenance.segments.arrow import column_type
from provenance.storable import storable

LONGEST_TEXT = 1 << 20
"""Characters: as many bytes are what the wrapper keeps of what a job wrote."""
_TIME = column_type(Kind.TIME)
_FORMS = ("integer_form", "float_form", "boolean_form", "time_form")
_FORM_TYPES = (pa.int64(), pa.float64(), pa.bool_(), _TIME)
_NO_FORMS = (None, None, None, None, None)
_NO_FORMS_AT_ALL: tuple[tuple[object, ...], ...] = ((), (), (), (), ())
_PLAIN = r"^[ -~\n]*$"
_JSON = r"^[ \n]*[\[{]"
_INTEGER = "^-?[0-9]{1,18}$"
_FLOAT = r"^-?[0-9]{1,15}\.[0-9]{1,15}(?:[eE]-?[0-9]{1,2})?$"
_WORD = "^[^-+.0-9tTfF]"
"""Begins like no number, no time and no boolean: it has but its text form."""


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


def facts_of(entry: RecordEntry, number: int) -> tuple[list[JobFact], list[str]]:
    """What a job said of itself and of the files that it made, and one sentence for each thing that cannot be read.

    ``number``: what `provenance.ingest.columns.RECORD` is for its record.
    """
    if entry.metadata is None or entry.metadata.text is None:
        return [], []
    if len(entry.metadata.text) > LONGEST_TEXT:
        return [], [f"longer than {LONGEST_TEXT} characters, of which the wrapper would have kept so many"]
    run = source_of_run(entry.run_id)
    assert run is not None  # or the record would have been refused
    found, author = parse_reported(entry.metadata.text), storable(entry.user)
    outputs: dict[str | None, int | None] = {None: None}
    for position, output in enumerate(entry.outputs):
        if output.actual_sha256 is not None:
            outputs[output.name] = produced_file(entry.job, entry.attempt, position)
    facts, problems = [], list(found.problems)
    for fact in found.facts:
        if fact.file in outputs:
            file = outputs[fact.file]
            facts.append(JobFact(number, run, entry.job, file, fact.key, fact.value, author, entry.end))
        else:
            problems.append(f"{fact.key!r}: {fact.file!r} is no output of this job")
    if entry.metadata.truncated:
        problems.append("it was too long: its end is missing")
    return facts, problems


def fact_rows(facts: Sequence[JobFact]) -> pa.Table:
    """The rows of ``metadata`` for facts; see `provenance.metadata_rows.add_metadata`."""
    said: list[JobFact] = []
    positions: list[int | None] = []
    values: list[Written | None] = []
    for fact in facts:
        for position, value in positions_and_values(fact.value):
            said.append(fact)
            positions.append(position)
            values.append(value)
    found = [_NO_FORMS if value is None else form_columns(value) for value in values]
    forms = zip(*found, strict=True) if found else _NO_FORMS_AT_ALL
    text, *others = [pa.array(form, kind) for form, kind in zip(forms, (pa.string(), *_FORM_TYPES), strict=True)]
    columns = {
        "entity": pa.array(["job" if fact.file is None else "file" for fact in said], pa.string()),
        "source": pa.array([fact.run for fact in said], pa.int64()),
        "number": pa.array([fact.job if fact.file is None else fact.file for fact in said], pa.int64()),
        "key": pa.array([fact.key for fact in said], pa.string()),
        "position": pa.array(positions, pa.int64()),
        "written": pa.array([None if value is None else value.text for value in values], pa.string()),
        "written_type": pa.array([None if value is None else value.type for value in values], pa.string()),
        "text_form": text,
        **dict(zip(_FORMS, others, strict=True)),
        "author": pa.array([fact.author for fact in said], pa.string()),
        "at": pa.array([fact.at for fact in said], pa.string()).cast(_TIME),
    }
    return _table(columns, pa.array([fact.record for fact in said], RECORD_TYPE))


def plain_fact_rows(records: CertainRecords) -> tuple[pa.Table, list[int]]:
    """The rows of ``metadata`` of those records whose jobs wrote plain lines only, each key once; and the positions of
    the others that have metadata.
    """
    texts = child(records.rows["metadata"], "text")
    are_plain = _are_plain(texts, child(records.rows["metadata"], "truncated"))
    where = counted(len(texts)).filter(are_plain)
    others = counted(len(texts)).filter(pc.and_not(pc.is_valid(texts), are_plain))
    lines = pc.split_pattern(texts.take(where), "\n")
    row, line = where.take(pc.list_parent_indices(lines)), pc.list_flatten(lines)
    says = pc.invert(pc.or_(pc.equal(pc.ascii_trim(line, " "), ""), pc.starts_with(line, "#")))
    row, parts = row.filter(says), pc.split_pattern(line.filter(says), "=", max_splits=1)
    is_pair = pc.equal(pc.list_value_length(parts), 2)
    odd = row.filter(pc.invert(is_pair))
    row, parts = row.filter(is_pair), parts.filter(is_pair)
    key, value = (pc.ascii_trim(pc.list_element(parts, part), " ") for part in (0, 1))
    odd = pa.concat_arrays([odd, row.filter(pc.equal(key, "")), _with_doubled_keys(row, key)])
    if len(odd):
        kept = pc.invert(pc.is_in(row, value_set=odd))
        row, key, value = row.filter(kept), key.filter(kept), value.filter(kept)
    return _plain_rows(records, row, key, value), sorted({*others.to_pylist(), *odd.to_pylist()})


def _are_plain(texts: pa.StringArray, are_truncated: pa.BooleanArray) -> pa.BooleanArray:
    """Whether texts are whole, in ASCII, not too long, and no JSON."""
    fits = pc.and_not(pc.less_equal(pc.binary_length(texts), LONGEST_TEXT), are_truncated)
    is_json = pc.match_substring_regex(texts, _JSON)
    return pc.fill_null(pc.and_(pc.and_not(fits, is_json), pc.match_substring_regex(texts, _PLAIN)), False)


def _with_doubled_keys(row: pa.Int64Array, key: pa.StringArray) -> pa.Int64Array:
    """The rows in which a key comes twice; of those the last counts."""
    keys = key.dictionary_encode()
    many = max(1, len(keys.dictionary))
    pairs = pc.add(pc.multiply(row, many), keys.indices.cast(pa.int64()))
    if pc.count_distinct(pairs).as_py() == len(pairs):
        return row.slice(0, 0)
    counts = pc.value_counts(pairs)
    return pc.divide(counts.field("values").filter(pc.greater(counts.field("counts"), 1)), many)


def _plain_rows(records: CertainRecords, row: pa.Int64Array, key: pa.StringArray, value: pa.StringArray) -> pa.Table:
    columns = {
        "entity": repeated("job", len(row)),
        "source": records.attempts["run"].take(row),
        "number": records.attempts["job"].take(row),
        "key": key,
        "written": value,
        "written_type": repeated("untyped", len(row)),
        "text_form": value,
        **_forms(value),
        "author": records.rows["user"].take(row),
        "at": records.rows["end"].cast(_TIME).take(row),
    }
    return _table(columns, records.numbers.take(row))


def _forms(values: pa.StringArray) -> Columns:
    """What `provenance.metadata.form_columns` says of values without types: the usual ones by the column, the rest one
    by one.
    """
    is_integer, is_float = (pc.match_substring_regex(values, pattern) for pattern in (_INTEGER, _FLOAT))
    is_usual = pc.or_(pc.or_(is_integer, is_float), pc.match_substring_regex(values, _WORD))
    integer = pc.if_else(is_integer, values, None).cast(pa.int64())
    floating = pc.coalesce(
        pc.cast(integer, pa.float64(), safe=False), pc.if_else(is_float, values, None).cast(pa.float64())
    )
    usual = [integer, floating, pa.nulls(len(values), pa.bool_()), pa.nulls(len(values), _TIME)]
    if not pc.all(is_usual, min_count=0).as_py():
        rest = values.filter(pc.invert(is_usual)).dictionary_encode()
        found = [form_columns(from_text(text))[1:] for text in rest.dictionary.to_pylist()]
        alone = [pa.array(form, kind) for form, kind in zip(zip(*found, strict=True), _FORM_TYPES, strict=True)]
        where = pc.subtract(pc.cumulative_sum(pc.invert(is_usual).cast(pa.int64())), 1)
        of_each = rest.indices.take(pc.if_else(is_usual, None, where))
        usual = [pc.if_else(is_usual, some, form.take(of_each)) for some, form in zip(usual, alone, strict=True)]
    return dict(zip(_FORMS, usual, strict=True))


def _table(columns: Columns, record: pa.Array) -> pa.Table:
    """Of what jobs said of themselves."""
    same = {"origin": repeated("runtime", len(record)), "withdrawn": repeated(False, len(record))}
    return table_of("metadata", {**columns, **same}, record)
