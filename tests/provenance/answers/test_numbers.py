"""Numbers of metadata at their edges: sums of whole numbers are exact before they are shown, NaN equals nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from provenance.answers.ask import answer
from provenance.history.commits import CommitKind
from provenance.metadata import from_json, from_text
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch
from provenance.store import Store

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["9007199254740993", "1", "-9007199254740992"], 2.0),  # 2**53 + 1, which no double is
        (["9223372036854775807", "1"], None),
        (["9223372036854775807", "1", "-1"], float(2**63 - 1)),
        (["9223372036854775807", "0.5"], float(2**63)),
        (["0.5", "0.25"], 0.75),
    ],
)
def test_sums_of_metadata(values: list[str], expected: float | None, store: Store) -> None:
    for number, text in enumerate(values):
        batch = Batch()
        batch.add("files", source=1, file=number, name=f"f{number}", origin="raw", created=AT)
        add_metadata(batch, "file", 1, number, "n", from_text(text), origin="set", author="me", at=AT)
        store.commit(CommitKind.METADATA, batch)
    ((found,),) = answer(store, "files summarize sum(n)").rows()
    ((calculated,),) = answer(store, "files summarize sum(n + 0)").rows()
    assert (found, calculated) == (expected, expected)


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
