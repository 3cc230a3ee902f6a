"""What another store says of its segments is compared with their bytes, and rows are counted commit by commit."""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.check.findings import Finding, Kind
from provenance.check.whole import check_store
from provenance.errors import DamagedStoreError
from provenance.exchange.pull import pull
from provenance.history.commits import CommitKind, Segment
from provenance.history.erased import Erased
from provenance.orphans import orphans
from provenance.publishing.publication import next_commit
from provenance.schema import JOB_EDGES, JOBS
from provenance.segments import segment_files as segments
from provenance.segments.arrow import arrow_schema
from provenance.segments.batch import Batch
from provenance.store import Store
from tests.provenance.exchange.republishing import republish

RUN = 0x1122334455667788


@pytest.fixture
def laptop(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "laptop")


@pytest.fixture
def cluster(tmp_path: Path) -> Store:
    """One commit with two jobs and three edges."""
    store = Store.open(tmp_path / "cluster")
    batch = Batch()
    for job in (1, 2):
        batch.add("jobs", run=RUN, job=job, id=f"job {job}", arguments=["a", "b"])
    for child in (1, 2, 3):
        batch.add("job_edges", run=RUN, parent=0, child=child)
    store.commit(CommitKind.PLAN, batch)
    return store


def with_segment(store: Store, change: Callable[[Segment], Segment], table: str = "jobs") -> Store:
    """The store, its first commit saying something else of its segment of a table."""
    (made,) = store.commits()
    changed = tuple(change(segment) if segment.table == table else segment for segment in made.segments)
    return republish(store, replace(made, segments=changed))


def with_bytes(store: Store, data: bytes, table: str = "jobs", **described: Any) -> Store:
    """The store with other bytes for its segment of a table, which its commit vouches for."""

    def changed(segment: Segment) -> Segment:
        path = store.root / segment.path
        path.unlink()
        path.write_bytes(data)
        digest, footer = hashlib.sha256(data).hexdigest(), int.from_bytes(data[-8:-4], "little")
        return replace(segment, sha256=digest, size=len(data), footer_size=footer, **described)

    return with_segment(store, changed, table)


def miscounts(store: Store) -> list[Finding]:
    """What a check finds in rows that refer to nothing, besides that."""
    return [finding for finding in check_store(store.storage).findings if finding.kind is not Kind.DANGLING]


def refused(laptop: Store, cluster: Store, message: str) -> None:
    with pytest.raises(DamagedStoreError, match=message) as caught:
        pull(laptop, cluster)
    assert str(cluster.root) in str(caught.value)
    assert Store.open(laptop.root).snapshot().number == 0
    assert orphans(laptop) == []


@pytest.mark.parametrize(
    ("column", "lie", "message"),
    [
        ("run", {"min": str(RUN + 1), "max": str(RUN + 9)}, f"run: min {RUN + 1}, as is said of it; found {RUN}"),
        ("job", {"max": "1"}, "job: max 1, as is said of it; found 2"),
        ("id", {"min": "job 2"}, "id: min job 2, as is said of it; found job 1"),
        ("id", {"nulls": 1}, "id: nulls 1, as is said of it; found 0"),
        ("arguments", {"values": 3}, "arguments: values 3, as is said of it; found 4"),
        ("arguments", {"max": "a"}, "arguments: max a, as is said of it; found b"),
        ("id", {"size": 1}, "id: size 1, as is said of it; found "),
        ("commit_number", {"max": "2"}, "commit_number: max 2, as is said of it; found 1"),
    ],
)
def test_bounds_and_counts_that_are_false_are_refused(
    laptop: Store, cluster: Store, column: str, lie: dict[str, str | int], message: str
) -> None:
    def told(segment: Segment) -> Segment:
        return replace(segment, columns={**segment.columns, column: {**segment.columns[column], **lie}})

    refused(laptop, with_segment(cluster, told), message)


@pytest.mark.parametrize("what", ["size", "footer_size", "rows"])
def test_sizes_that_are_false_are_refused(laptop: Store, cluster: Store, what: str) -> None:
    refused(laptop, with_segment(cluster, lambda segment: replace(segment, **{what: 3})), "expected .*3.* found")


def test_a_column_that_the_commit_does_not_name_is_refused(laptop: Store, cluster: Store) -> None:
    def without(segment: Segment) -> Segment:
        return replace(segment, columns={name: each for name, each in segment.columns.items() if name != "id"})

    refused(laptop, with_segment(cluster, without), "expected the columns of its commit, found id in one of them only")


def test_what_is_left_out_there_is_known_here(laptop: Store, cluster: Store) -> None:
    described: list[Segment] = []

    def bare(segment: Segment) -> Segment:
        described.append(segment)
        kept = {"commit_number": segment.columns["commit_number"]}
        columns = {name: {"nulls": each["nulls"]} if "nulls" in each else {} for name, each in segment.columns.items()}
        columns["arguments"] = {"values": 4}
        return replace(segment, columns={**columns, **kept, "id": {"of the future": 7}})

    pull(laptop, with_segment(cluster, bare))
    (here,) = laptop.snapshot().segments("jobs")
    assert here.columns == described[0].columns
    assert miscounts(laptop) == []


def test_bounds_in_a_file_that_are_false_are_refused(laptop: Store, cluster: Store) -> None:
    (segment,) = cluster.snapshot().segments("jobs")
    data = (cluster.root / segment.path).read_bytes()
    footer = len(data) - 8 - segment.footer_size
    true, false = struct.pack("<q", RUN), struct.pack("<q", RUN + 1)
    assert data[footer:].count(true) >= 2
    changed = data[:footer] + data[footer:].replace(true, false)
    refused(laptop, with_bytes(cluster, changed), f"run: min of row group 0 {RUN + 1}, as is said of it; found {RUN}")
    assert (Kind.MALFORMED, str(RUN)) in {(finding.kind, finding.found) for finding in miscounts(cluster)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda rows: b"PAR1, and nothing else", "no segment of jobs", id="no-parquet"),
        pytest.param(lambda rows: _not_text(rows), "no segment of jobs: .*UTF8", id="no-text"),
        pytest.param(lambda rows: _without_numbers(rows), "found null|no segment", id="no-commit"),
    ],
)
def test_bytes_that_are_no_segment_are_refused(
    laptop: Store, cluster: Store, change: Callable[[pa.Table], bytes], message: str
) -> None:
    (segment,) = cluster.snapshot().segments("jobs")
    rows = pq.read_table(cluster.root / segment.path)
    columns = {name: {"size": 1} for name in segment.columns}
    data = change(rows)
    columns["commit_number"] = {"min": "1", "max": "1"}  # type: ignore[dict-item]
    with pytest.raises(DamagedStoreError, match=message):
        pull(laptop, with_bytes(cluster, data, columns=_as_counted(data) or columns))


def _not_text(rows: pa.Table) -> bytes:
    wrong = pa.array([b"\xff\xfe", b"\xff"], pa.binary()).view(pa.string())
    place = rows.schema.get_field_index("id")
    return _encoded(rows.set_column(place, rows.schema.field("id"), wrong))


def _without_numbers(rows: pa.Table) -> bytes:
    place = rows.schema.get_field_index("commit_number")
    field = rows.schema.field("commit_number").with_nullable(True)
    return _encoded(rows.set_column(place, field, pa.array([1, None], pa.int64())))


def _encoded(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, store_schema=False)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _as_counted(data: bytes) -> dict[str, Any] | None:
    """What an honest commit would say of a file; None: it cannot be counted."""
    from provenance.segments.described import counted

    try:
        return dict(counted(JOBS, pq.ParquetFile(pa.BufferReader(data))).columns)
    except pa.ArrowException:
        return None


# How many rows


@pytest.mark.parametrize(("left", "comes"), [(3, False), (2, True), (1, False), (0, False)])
def test_as_many_rows_are_missing_as_an_erasure_says(laptop: Store, cluster: Store, left: int, comes: bool) -> None:
    """The commit says that one of three rows went."""
    (old,) = cluster.snapshot().segments("job_edges")
    kept = pq.read_table(cluster.root / old.path, schema=arrow_schema(JOB_EDGES)).slice(0, left)
    nonce = "0123456789abcdef"
    new = (segments.write(cluster.storage, JOB_EDGES, kept, f"000000000002-{nonce}"),) if left else ()
    erased = Erased("asked to", {(cluster.store_id, "job_edges", 1): 1}, 0, (old.path,), ())
    made = next_commit(cluster, cluster.snapshot(), CommitKind.ERASE, nonce, new, replaces=(old.path,), erased=erased)
    cluster = republish(cluster, made)
    if comes:
        assert pull(laptop, cluster).commits == 2
        assert miscounts(laptop) == []
    else:
        refused_rows = f"commit 1 of store {cluster.store_id} brought 3 rows of job_edges, found {left}"
        with pytest.raises(DamagedStoreError, match=refused_rows):
            pull(laptop, cluster)
        assert laptop.snapshot().number == 0


def test_rows_of_one_commit_do_not_make_up_for_those_of_another(laptop: Store, cluster: Store) -> None:
    """Each of two commits brought an edge; the segment that they were merged into has two of the second."""
    for child in (4, 5):
        batch = Batch()
        batch.add("job_edges", run=RUN, parent=0, child=child)
        cluster.commit(CommitKind.PLAN, batch)
    cluster.compact()
    (merged,) = cluster.snapshot().segments("job_edges")
    rows = pq.read_table(cluster.root / merged.path, schema=arrow_schema(JOB_EDGES))
    numbers = rows.schema.get_field_index("commit_number")
    moved = rows.set_column(numbers, rows.schema.field(numbers), pa.array([1, 1, 1, 3, 3], pa.int64()))
    wrong = segments.write(cluster.storage, JOB_EDGES, moved, "000000000004-0123456789abcdef")
    newest = list(cluster.commits())[-1]
    cluster = republish(cluster, replace(newest, segments=(wrong,)))
    with pytest.raises(DamagedStoreError, match=r"commit 2 of store .* brought 1 rows of job_edges, found 0"):
        pull(laptop, cluster)
    assert newest.time < dt.datetime.now(dt.UTC)
