"""What is found when a catalog is compared with the commits; on SQLite, and on PostgreSQL where it may go otherwise."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from provenance.ducklake.lake import rebuild
from provenance.ducklake.lake_differences import Wrong, differences
from provenance.ducklake.lake_postgres import Address, address, publish
from provenance.errors import LakeError
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch
from provenance.store import Store

DAMAGE = [
    ("DELETE FROM ducklake_data_file WHERE data_file_id = 0", [(Wrong.MISSING, "ducklake_data_file: 1 row, ")]),
    (
        "DELETE FROM ducklake_file_column_stats WHERE data_file_id = 0",
        [(Wrong.MISSING, r"ducklake_file_column_stats: \d+ rows, such as \(0, 1, 1, ")],
    ),
    (
        "UPDATE ducklake_data_file SET end_snapshot = NULL WHERE data_file_id = 0",
        [
            (Wrong.MISSING, r"ducklake_data_file: 1 row, \(0, 1, 1, 3, "),
            (Wrong.FOREIGN, r"ducklake_data_file: 1 row, \(0, 1, 1, None, "),
        ],
    ),
    (
        "UPDATE ducklake_metadata SET value = '/elsewhere/' WHERE key = 'data_path'",
        [(Wrong.MISSING, "ducklake_metadata: 1 row, "), (Wrong.FOREIGN, "ducklake_metadata: 1 row, .*elsewhere")],
    ),
    (
        "INSERT INTO ducklake_tag VALUES (1, 1, NULL, 'comment', 'theirs')",
        [(Wrong.FOREIGN, r"ducklake_tag: 1 row, \(1, 1, None, 'comment', 'theirs'\)")],
    ),
    ("CREATE TABLE ducklake_inlined_data_1_0 (x BIGINT)", [(Wrong.FOREIGN, "table ducklake_inlined_data_1_0")]),
]


@pytest.fixture
def filled(store: Store, full_batch: Callable[..., Batch]) -> Store:
    """Two commits and a compaction."""
    for part in range(2):
        store.commit(CommitKind.INGEST, full_batch(part * 2, part * 2 + 1))
    store.compact()
    return store


def execute(store: Store, sql: str) -> None:
    with closing(sqlite3.connect(store.root / "lake.sqlite")) as connection:
        connection.execute(sql)
        connection.commit()


@pytest.mark.parametrize(("damage", "expected"), DAMAGE)
def test_on_sqlite(filled: Store, damage: str, expected: list[tuple[Wrong, str]]) -> None:
    filled.project()
    assert differences(filled) == []
    execute(filled, damage)
    found = differences(filled)
    assert [one.wrong for one in found] == [wrong for wrong, _ in expected]
    for one, (_, pattern) in zip(found, expected, strict=True):
        assert re.match(pattern, one.what), one
        assert one.catalog == str(filled.root / "lake.sqlite")
    rebuild(filled)
    assert differences(filled) == []


@pytest.mark.parametrize(("damage", "expected"), DAMAGE)
def test_on_postgresql(
    filled: Store, database: str, postgresql: Any, damage: str, expected: list[tuple[Wrong, str]]
) -> None:
    target = address(database, f"store of {filled.store_id}")
    publish(filled, target)
    assert differences(filled, target) == []
    postgresql.psql(f'SET search_path TO "{target.schema}"; {damage}', target.parameters["dbname"])
    found = differences(filled, target)
    assert [one.wrong for one in found] == [wrong for wrong, _ in expected]
    for one, (_, pattern) in zip(found, expected, strict=True):
        assert re.match(pattern, one.what), one
        assert target.schema in one.catalog


def test_commits_that_are_not_in_it_yet(filled: Store) -> None:
    filled.project()
    filled.commit(CommitKind.METADATA, one_row())
    (stale,) = differences(filled)
    assert (stale.wrong, stale.what) == (Wrong.STALE, "it has commits up to 3, the store has 4")


def one_row() -> Batch:
    batch = Batch()
    batch.add("metadata", entity="file", key="one more")
    return batch


def test_snapshots_of_which_the_store_has_no_commits(filled: Store) -> None:
    filled.project()
    execute(filled, "INSERT INTO ducklake_snapshot VALUES (4, 'no time at all', 0, 14, 50)")
    execute(filled, "INSERT INTO ducklake_snapshot_changes VALUES (4, 'x', NULL, NULL, NULL)")
    found = differences(filled)
    assert [one.wrong for one in found] == [Wrong.FOREIGN, Wrong.FOREIGN]
    assert "no time at all" in found[0].what


@pytest.mark.parametrize("content", [None, b"", b"no database" * 1000])
def test_no_catalog(filled: Store, content: bytes | None) -> None:
    if content is not None:
        (filled.root / "lake.sqlite").write_bytes(content)
    (found,) = differences(filled)
    assert found.wrong is Wrong.ABSENT
    filled.project()
    assert differences(filled) == []


def test_no_catalog_on_postgresql(filled: Store, database: str, tmp_path: Any) -> None:
    target = address(database, f"no {filled.store_id}")
    (found,) = differences(filled, target)
    assert found.wrong is Wrong.ABSENT
    other = Store.open(tmp_path / "other")
    publish(other, Address(target.parameters, "of another"))
    with pytest.raises(LakeError, match=f"the catalog of another store, {other.store_id}"):
        differences(filled, Address(target.parameters, "of another"))


def test_it_is_not_called_damaged_while_somebody_writes_it(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.project()
    with closing(sqlite3.connect(filled.root / "lake.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("provenance.ducklake.lake.PATIENCE_SECONDS", 0.05)
        with pytest.raises(LakeError, match="database is locked"):
            differences(filled)
    assert differences(filled) == []
