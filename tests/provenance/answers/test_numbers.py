"""Numbers of metadata at their edges: what is computed of whole numbers is exact, NaN equals nothing."""

from __future__ import annotations

import datetime as dt
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.answers.ask import answer
from provenance.answers.output import write_rows
from provenance.history.commits import CommitKind
from provenance.metadata import from_json, from_text
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch
from provenance.store import Store

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["9007199254740993", "1", "-9007199254740992"], 2),  # 2**53 + 1, which no double is
        (["9007199254740992", "1"], 9007199254740993),
        (["9223372036854775807", "1"], None),
        (["9223372036854775807", "1", "-1"], 2**63 - 1),
        (["9223372036854775807", "0.5"], float(2**63)),
        (["0.5", "0.25"], 0.75),
    ],
)
def test_sums_of_metadata(values: list[str], expected: float | None, store: Store) -> None:
    say(store, values)
    ((found,),) = answer(store, "files summarize sum(n)").rows()
    ((calculated,),) = answer(store, "files summarize sum(n + 0)").rows()
    assert [(each, type(each)) for each in (found, calculated)] == [(expected, type(expected))] * 2


def say(store: Store, values: list[str]) -> None:
    """Files with these values of `n`."""
    for number, text in enumerate(values):
        batch = Batch()
        batch.add("files", source=1, file=number, name=f"f{number}", origin="raw", created=AT)
        add_metadata(batch, "file", 1, number, "n", from_text(text), origin="set", author="me", at=AT)
        store.commit(CommitKind.METADATA, batch)


BIG = 1 << 60  # doubles are 256 apart there


@pytest.mark.parametrize(
    ("values", "least", "greatest"),
    [
        ([BIG + 1, BIG + 3], BIG + 1, BIG + 3),
        ([BIG + 1, float(BIG)], float(BIG), BIG + 1),
        ([BIG - 1, float(BIG), 0.5, ".nan"], 0.5, float(BIG)),
        ([-BIG - 1, float(-BIG)], -BIG - 1, float(-BIG)),
        ([3, 2.5], 2.5, 3),
        ([".nan", 7], 7, 7),
        ([".nan"], None, None),
    ],
)
@pytest.mark.parametrize("operand", ["n", "n + 0"])
def test_least_and_greatest_are_exact(
    values: list[float | str], least: float | None, greatest: float | None, operand: str, store: Store
) -> None:
    say(store, [value if isinstance(value, str) else repr(value) for value in values])
    asked = f"files summarize min({operand}) as a, max({operand}) as b"
    assert list(answer(store, asked).rows()) == [(least, greatest)]
    if isinstance(greatest, int):
        after = f"{asked} where b = {greatest} and b > {greatest - 1} and not b > {greatest} show b + 0"
        assert list(answer(store, after).rows()) == [(greatest,)]


def test_calculated_integers_are_shown_exactly_and_go_through_every_format(store: Store) -> None:
    say(store, [str(BIG + 1), "0.5"])
    found = answer(store, "files show n + 0 as m order by name")
    rows = list(found.rows())
    assert rows == [(BIG + 1,), (0.5,)]
    written = {form: io.BytesIO() for form in ("json", "csv", "parquet")}
    for form, stream in written.items():
        write_rows(found.columns, rows, form, stream)
    assert json.loads(written["json"].getvalue()) == [{"m": BIG + 1}, {"m": 0.5}]
    assert written["csv"].getvalue().decode().split() == ["m", str(BIG + 1), "0.5"]
    assert pq.read_table(pa.BufferReader(written["parquet"].getvalue()))["m"].to_pylist() == [float(BIG), 0.5]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a != b", ["nan and 1", "nan and nan", "1 and nan", "1 and 2"]),
        ("a = b", ["1 and 1"]),
        ("not (a != b)", ["1 and 1", "missing and nan", "nan and missing"]),
        ("a / 1 != b", ["1 and nan", "1 and 2"]),  # what is calculated of NaN is missing
        ("a < b or a > b", ["1 and 2"]),
    ],
)
def test_what_is_missing_is_neither_equal_nor_unequal_to_nan(condition: str, expected: list[str], store: Store) -> None:
    said = {"missing": None, "nan": float("nan"), "1": 1.0, "2": 2.0}
    batch = Batch()
    pairs = ["nan and 1", "nan and nan", "1 and nan", "1 and 1", "1 and 2", "missing and nan", "nan and missing"]
    for number, name in enumerate(pairs):
        batch.add("files", source=1, file=number, name=name, origin="raw", created=AT)
        for key, word in zip("ab", name.split(" and "), strict=True):
            if (value := said[word]) is not None:
                add_metadata(batch, "file", 1, number, key, from_json(value), origin="set", author="me", at=AT)
    store.commit(CommitKind.METADATA, batch)
    found = [name for (name,) in answer(store, f"files where {condition} show name").rows()]
    assert sorted(found) == sorted(expected)
