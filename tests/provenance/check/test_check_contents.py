"""Segments that have the bytes that were committed, while the commit says other things of them than their rows do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.check.findings import Finding, Kind
from provenance.history.commits import CommitKind, commit_name
from provenance.segments.batch import Batch
from provenance.store import Store

FindingsOf = Callable[[Store], list[Finding]]


def in_commit(store: Store, number: int, table: str) -> dict[str, Any]:
    segments = json.loads((store.root / commit_name(number)).read_bytes())["segments"]
    return next(segment for segment in segments if segment["table"] == table)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("rows", 3, "rows 3"),
        ("footer_size", 7, "bytes of metadata 7"),
        ("columns.job.min", "0", "job: min 0"),
        ("columns.job.max", "9", "job: max 9"),
        ("columns.job.size", 1, "job: size 1"),
        ("columns.job.nulls", 1, "job: nulls 1"),
        ("columns.arguments.values", 4, "arguments: values 4"),
        ("columns.id.nan", 1, "id: nan 1"),
        ("columns.id.median", "x", "id: median x"),
    ],
)
def test_every_number_of_a_commit_is_counted_again(
    lived_in: Store,
    findings_of: FindingsOf,
    rewrite_commit: Callable[..., None],
    key: str,
    value: object,
    expected: str,
) -> None:
    def lie(document: dict[str, Any]) -> None:
        inner: Any = next(segment for segment in document["segments"] if segment["table"] == "jobs")
        *parents, last = key.split(".")
        for parent in parents:
            inner = inner[parent]
        inner[last] = value

    rewrite_commit(lived_in, 2, lie)
    path = in_commit(lived_in, 2, "jobs")["path"]
    found = [finding for finding in findings_of(lived_in) if finding.path == path]
    assert [(finding.kind, finding.expected) for finding in found] == [(Kind.MISCOUNT, expected)]


def test_bounds_may_be_left_out_and_what_was_not_counted_is_nothing(
    lived_in: Store, findings_of: FindingsOf, rewrite_commit: Callable[..., None]
) -> None:
    def leave_out(document: dict[str, Any]) -> None:
        for segment in document["segments"]:
            for column in segment["columns"].values():
                column.pop("size")
            for bound in ("min", "max"):
                segment["columns"].get("run", {}).pop(bound, None)

    rewrite_commit(lived_in, 2, leave_out)
    assert findings_of(lived_in) == []
    rewrite_commit(
        lived_in,
        2,
        lambda document: [
            segment["columns"]["run"].pop("nulls", 0) for segment in document["segments"] if "run" in segment["columns"]
        ],
    )
    assert findings_of(lived_in) == []


def test_files_that_are_no_segments_are_named(
    lived_in: Store, findings_of: FindingsOf, rewrite_commit: Callable[..., None]
) -> None:
    """Each with the digest that its commit gives: no Parquet, a column too many, a column of another type."""
    path = in_commit(lived_in, 2, "jobs")["path"]
    rows = pq.read_table(lived_in.root / path)
    more, other = lived_in.root / "more", lived_in.root / "other"
    pq.write_table(rows.append_column("more", pa.array([1] * rows.num_rows)), more)
    position = rows.schema.get_field_index("job")
    pq.write_table(rows.set_column(position, "job", rows.column("job").cast(pa.int32())), other)
    cases = {b"PAR1 no": "Parquet", more.read_bytes(): "the columns of its commit", other.read_bytes(): "job: int64, 3"}
    more.unlink()
    other.unlink()
    for data, expected in cases.items():
        replace(lived_in.root / path, data)

        def tell(document: dict[str, Any], data: bytes = data) -> None:
            segment = next(segment for segment in document["segments"] if segment["table"] == "jobs")
            segment |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

        rewrite_commit(lived_in, 2, tell)
        first, *others = findings_of(lived_in)
        assert (first.kind, first.path, first.expected) == (Kind.MALFORMED, path, expected)
        assert {(one.kind, one.path) for one in others} == {
            (Kind.UNCHECKED, "jobs"),
            (Kind.MALFORMED, "lake.sqlite"),  # it tells what the commit said before
        }


def replace(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_table_of_a_newer_version_cannot_be_checked(
    store: Store, findings_of: FindingsOf, rewrite_commit: Callable[..., None]
) -> None:
    batch = Batch()
    batch.add("queries", name="q", version=1)
    assert store.commit(CommitKind.METADATA, batch) is not None
    path = in_commit(store, 1, "queries")["path"]
    (store.root / "segments" / "spells").mkdir()
    newer = path.replace("/queries/", "/spells/")
    (store.root / path).rename(store.root / newer)
    rewrite_commit(store, 1, lambda document: document["segments"][0].update(table="spells", path=newer))
    (finding,) = findings_of(store)
    assert (finding.kind, finding.path, finding.found) == (Kind.UNCHECKED, newer, "spells")
