from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.identity import source_of
from provenance.ingest.certain_records import CertainRecords
from provenance.ingest.columns import RECORD
from provenance.ingest.fact_columns import LONGEST_TEXT, JobFact, fact_rows, plain_fact_rows
from provenance.ingest.reported import parse_reported
from provenance.ingest.wire import WIRE_SCHEMA
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch

END = "2026-11-23T00:00:00.000000Z"
PARTS = st.sampled_from(
    [
        *("a", "b", "=", "=", "=", "\n", "\n", "\n", " ", "#", "{", "[", "]", '"', ",", ":", "-", "+", ".", "e", "E5", "0", "12"),
        *("007", "0x1f", "0o17", "true", "True", "FALSE", "yes", "t", "_", "~", "null", ".nan", "-.inf", "2026-01-02", "T10:20"),
        *("1e400", "1e308", "9" * 18, "9" * 19, "1." + "3" * 15, "0." + "0" * 20 + "1", "-0", "\r", "\t", "é", "\x1c", "\0"),
    ]
)  # fmt: skip
LINES = st.builds("{}={}\n".format, PARTS, st.lists(PARTS, max_size=2).map("".join))
TEXTS = st.lists(PARTS, max_size=12).map("".join) | st.lists(LINES, max_size=4).map("".join)


def _one_by_one(texts: Iterable[str], run: uuid.UUID) -> list[str]:
    """Rows made by other means; as text, for NaN is not equal to itself, and pyarrow has another object for UTC."""
    batch, at = Batch(), dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    for job, text in enumerate(texts, start=1):
        for fact in parse_reported(text).facts:
            add_metadata(batch, "job", source_of(run), job, fact.key, fact.value, origin="runtime", author="ada", at=at)
    return [repr(row) for row in batch.each("metadata")]


def _shown(rows: pa.Table) -> list[str]:
    shown = [repr(row) for row in rows.drop_columns([RECORD]).to_pylist()]
    return [row.replace("zoneinfo.ZoneInfo(key='UTC')", "datetime.timezone.utc") for row in shown]


def _alone(texts: Sequence[str], run: uuid.UUID, jobs: Iterable[int]) -> pa.Table:
    return fact_rows(
        [
            JobFact(job - 1, source_of(run), job, None, fact.key, fact.value, "ada", END)
            for job in jobs
            for fact in parse_reported(texts[job - 1]).facts
        ]
    )


def _records(texts: Sequence[str | None], run: uuid.UUID, *, truncated: bool = False) -> CertainRecords:
    rows: list[dict[str, Any]] = [
        {"run_id": str(run), "job": job, "attempt": 1, "user": "ada", "end": END}
        | {"metadata": None if text is None else {"text": text, "truncated": truncated}}
        for job, text in enumerate(texts, start=1)
    ]
    numbers = pa.array(range(len(texts)), pa.int32())
    digests = pa.array([bytes(32)] * len(texts), pa.binary())
    return CertainRecords(pa.RecordBatch.from_pylist(rows, schema=WIRE_SCHEMA), digests, numbers)


@given(text=TEXTS | st.sampled_from(['{"a": [], "b": [1, null, "x"], "c": 1.10}', "a=\udcff"]))
def test_facts_are_the_rows_that_one_by_one_they_have(run_id, text):
    assert _shown(_alone([text], run_id, [1])) == _one_by_one([text], run_id)


@given(texts=st.lists(TEXTS, max_size=6))
def test_facts_of_many_are_the_rows_that_one_by_one_they_have(run_id, texts):
    plain, others = plain_fact_rows(_records(texts, run_id))
    found = pa.concat_tables([plain, _alone(texts, run_id, [position + 1 for position in others])]).sort_by(RECORD)
    assert _shown(found) == _one_by_one(texts, run_id)
    assert not {row[RECORD] for row in plain.to_pylist()} & set(others)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("chi2=41.2317\nstars=6772\nfilter=u\n", 3),
        ("# from: here\n\n a b = c=d \nok=true\nwhen=2026-01-02\nx=\n", 4),
        ("", 0),
        ("n=-12\nm=1.5e-05\n{=1\n", 3),
    ],
)
def test_plain_lines_are_taken_apart_by_the_column(run_id, text, rows):
    plain, others = plain_fact_rows(_records([None, text], run_id))
    assert (len(plain), others) == (rows, [])
    assert _shown(plain) == _one_by_one(["", text], run_id)


@pytest.mark.parametrize("text", ["no pair\na=1", "=1", "a=1\na=2", '{"a": 1}', " [", "a=é", "a=1\r\n", "a=\t1"])
def test_what_else_jobs_write_is_left_to_others(run_id, text):
    plain, others = plain_fact_rows(_records(["a=1", text, "b=2"], run_id))
    assert (plain["key"].to_pylist(), others) == (["a", "b"], [1])


def test_what_is_too_long_is_left_to_others(run_id):
    plain, others = plain_fact_rows(
        _records(["a=".ljust(LONGEST_TEXT, "x"), "a=".ljust(LONGEST_TEXT + 1, "x")], run_id)
    )
    assert (len(plain), others) == (1, [1])


def test_what_was_cut_off_is_left_to_others(run_id):
    plain, others = plain_fact_rows(_records(["a=1", None], run_id, truncated=True))
    assert (len(plain), others) == (0, [0])
