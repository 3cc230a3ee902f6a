"""Segments: what a commit says of one is true of its bytes, and every row comes back."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import DamagedStoreError, WriteFailedError
from provenance.field_ids import field_ids
from provenance.history.commits import Segment
from provenance.schema import BY_NAME, TABLES, Kind
from provenance.segments import arrow
from provenance.segments import segment_files as segments
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage

_VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.INTEGER: st.integers(-(1 << 63), (1 << 63) - 1),
    Kind.FLOAT: st.floats(),
    Kind.BOOLEAN: st.booleans(),
    Kind.TEXT: st.text(),
    Kind.BYTES: st.binary(),
    Kind.TIME: st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31), timezones=st.just(dt.UTC)),  # noqa: DTZ001
    Kind.TEXTS: st.lists(st.text(), max_size=3),
    Kind.INTEGERS: st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=3),
}


def _rows_of(table: str) -> st.SearchStrategy[list[dict[str, object]]]:
    own = BY_NAME[table].columns[:-1]
    row = st.fixed_dictionaries({column.name: st.none() | _VALUES[column.kind] for column in own})
    return st.lists(row, min_size=1, max_size=4)


anything = st.sampled_from([table.name for table in TABLES]).flatmap(
    lambda table: st.tuples(st.just(table), _rows_of(table))
)


@given(anything)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_comes_back_and_statistics_agree_with_plain_python(
    tmp_path: Path, made: tuple[str, list[dict[str, object]]]
) -> None:
    table, rows = made
    batch = Batch()
    for row in rows:
        batch.add(table, **row)
    (tmp_path / "segments").mkdir(exist_ok=True)
    (segment,) = segments.write_batch(
        LocalStorage(tmp_path), batch, 42, hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
    )

    read = pq.read_table(tmp_path / segment.path).to_pylist()
    assert sorted(map(_comparable, read)) == sorted(
        _comparable({**row, "commit_number": 42}) for row in batch.each(table)
    )
    for column in BY_NAME[table].columns[:-1]:
        _check_statistics(column.kind, [row[column.name] for row in batch.each(table)], segment, column.name)
    (tmp_path / segment.path).unlink()


def _comparable(row: dict[str, object]) -> str:
    return repr([(name, v.isoformat() if isinstance(v, dt.datetime) else v) for name, v in sorted(row.items())])


def _check_statistics(kind: Kind, values: list[object], segment: Segment, name: str) -> None:
    found = segment.columns[name]
    assert found.get("nulls", 0) == values.count(None)
    present = [value for value in values if value is not None]
    if kind in (Kind.TEXTS, Kind.INTEGERS):
        present = [element for value in present for element in value]  # type: ignore[attr-defined]
        assert found["values"] == len(present)
    if kind is Kind.FLOAT:
        assert ("nan" in found) == any(math.isnan(value) for value in present)  # type: ignore[arg-type]
        present = [value for value in present if not math.isnan(value)]  # type: ignore[arg-type]
    if "min" not in found:
        assert not present or any(isinstance(v, (str, bytes)) and len(v) > 128 for v in present)
        return
    key = (lambda text: text.encode()) if kind in (Kind.TEXT, Kind.TEXTS) else None
    low, high = min(present, key=key), max(present, key=key)  # type: ignore[type-var, arg-type]
    assert (_back(kind, str(found["min"])), _back(kind, str(found["max"]))) == (low, high)


def _back(kind: Kind, text: str) -> object:
    match kind:
        case Kind.INTEGER | Kind.INTEGERS:
            return int(text)
        case Kind.FLOAT:
            return float(text)
        case Kind.BOOLEAN:
            return {"0": False, "1": True}[text]
        case Kind.BYTES:
            return bytes.fromhex(text)
        case Kind.TIME:
            return dt.datetime.fromisoformat(text)
        case _:
            return text


def test_digest_size_and_footer_are_those_of_the_file(tmp_path: Path, full_batch: Callable[..., Batch]) -> None:
    (tmp_path / "segments").mkdir()
    written = segments.write_batch(LocalStorage(tmp_path), full_batch(1, 20), 3, "0123456789abcdef")
    assert [segment.table for segment in written] == [table.name for table in TABLES]
    for segment in written:
        data = (tmp_path / segment.path).read_bytes()
        assert segment.path == f"segments/{segment.table}/000000000003-0123456789abcdef.parquet"
        assert (segment.sha256, segment.size) == (hashlib.sha256(data).hexdigest(), len(data))
        assert segment.footer_size == pq.read_metadata(tmp_path / segment.path).serialized_size
        assert (segment.rows, segment.first_commit, segment.last_commit) == (20, 3, 3)
        assert not (tmp_path / segment.path).stat().st_mode & 0o222


def test_files_are_zstd_v2_sorted_and_carry_field_ids(tmp_path: Path, full_batch: Callable[..., Batch]) -> None:
    (tmp_path / "segments").mkdir()
    for segment in segments.write_batch(LocalStorage(tmp_path), full_batch(1, 20), 1, "0" * 16):
        table = BY_NAME[segment.table]
        metadata = pq.read_metadata(tmp_path / segment.path)
        chunk = metadata.row_group(0).column(0)
        assert (chunk.compression, metadata.format_version) == ("ZSTD", "2.6")
        schema = pq.read_schema(tmp_path / segment.path)
        ids = {field.name: int(field.metadata[b"PARQUET:field_id"]) for field in schema}
        assert ids == field_ids(table)
        for field in schema:
            if pa.types.is_list(field.type):
                assert int(field.type.value_field.metadata[b"PARQUET:field_id"]) == ids[field.name] + 1000
        rows = pq.read_table(tmp_path / segment.path).to_pylist()
        keys = [tuple((row[name] is None, row[name]) for name in table.sort_by) for row in rows]
        assert keys == sorted(keys, key=lambda key: [(null, 0 if null else value) for null, value in key])


def test_field_ids_are_what_they_always_were() -> None:
    """These numbers are in files that exist: a change here is a change of what old columns mean."""
    assert field_ids(BY_NAME["files"]) == {
        "commit_number": 1,
        "source": 2,
        "file": 3,
        "name": 4,
        "origin": 5,
        "kind": 6,
        "job": 7,
        "attempt": 8,
        "size_bytes": 9,
        "sha256": 10,
        "checksums": 11,
        "digest_origin": 12,
        "created": 13,
        "modified": 14,
        "owner": 15,
        "checksum_seconds": 16,
    }
    for table in TABLES:
        assert sorted(field_ids(table).values()) == list(range(1, len(table.columns) + 1))


def test_merging_keeps_rows_and_fills_columns_that_older_segments_lack(
    tmp_path: Path, full_batch: Callable[..., Batch]
) -> None:
    (tmp_path / "segments").mkdir()
    storage = LocalStorage(tmp_path)
    table = BY_NAME["job_edges"]
    new = next(s for s in segments.write_batch(storage, full_batch(1, 3), 2, "1" * 16) if s.table == table.name)
    rows = pq.read_table(tmp_path / new.path)
    old_path = tmp_path / "segments" / "job_edges" / "old.parquet"
    pq.write_table(rows.drop_columns(["child"]), old_path)
    data = old_path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    old = Segment("job_edges", "segments/job_edges/old.parquet", 3, len(data), 0, digest, {})

    merged = segments.merged(storage, table, [old, new])

    assert merged.schema.equals(arrow.arrow_schema(table))
    assert merged.column("child").null_count == 3
    assert sorted(merged.column("run").to_pylist()) == sorted(rows.column("run").to_pylist() * 2)


def test_a_segment_with_one_flipped_bit_is_never_merged(tmp_path: Path, full_batch: Callable[..., Batch]) -> None:
    (tmp_path / "segments").mkdir()
    segment = segments.write_batch(LocalStorage(tmp_path), full_batch(1, 3), 2, "1" * 16)[0]
    path = tmp_path / segment.path
    data = path.read_bytes()
    path.chmod(0o644)
    for position in range(0, len(data), 97):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(DamagedStoreError, match=f"{segment.path}: expected {len(data)} bytes with sha256"):
            segments.merged(LocalStorage(tmp_path), BY_NAME[segment.table], [segment])


def test_a_failed_write_leaves_nothing_and_says_what_failed(
    tmp_path: Path, full_batch: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "segments").mkdir()
    synced: list[int] = []

    def fail_at_the_eighth(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 8:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail_at_the_eighth)
    with pytest.raises(WriteFailedError, match=r"segments/.*Input/output error") as caught:
        segments.write_batch(LocalStorage(tmp_path), full_batch(1, 3), 1, "0" * 16)
    assert caught.value.exit_code == 2
    assert len(synced) == 8  # never tried again
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
