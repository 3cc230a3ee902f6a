"""Sums of metadata: whole numbers are added exactly, whatever their order, and rounded once, to be shown."""

from __future__ import annotations

import datetime as dt

import pytest

from provenance.answers.ask import answer
from provenance.history.commits import CommitKind
from provenance.metadata import from_text
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
