"""The DuckLake catalog: what the real extension reads through it is what the store holds."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from provenance.ducklake.lake import forget
from provenance.ducklake.lake_differences import differences
from provenance.exchange.pull import pull
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind, publish
from provenance.publishing.publication import new_nonce, next_commit
from provenance.schema import BY_NAME, TABLES, Kind, Table
from provenance.segments import segment_files as segments
from provenance.segments.batch import Batch
from provenance.store import Store

ROOT = Path(__file__).parents[3]
Statement = tuple[str, Sequence[object]]
Client = Callable[..., list[list[tuple[Any, ...]]]]


@pytest.fixture
def client(ducklake: Callable[..., list[list[tuple[Any, ...]]]]) -> Client:
    """Runs statements through the real DuckLake extension: (store or catalog, statements) -> their rows."""

    def run(root: Path, statements: Sequence[Statement], options: str | None = None) -> list[list[tuple[Any, ...]]]:
        shown = f"(DATA_PATH '{root}/segments/', OVERRIDE_DATA_PATH true)" if options is None else options
        return ducklake([f"ATTACH 'ducklake:sqlite:{root}/lake.sqlite' AS lake {shown}"], statements, root)

    return run


@pytest.fixture
def filled(store: Store, full_batch: Callable[..., Batch]) -> Store:
    """A store of four commits, with rows in every table and values in every column."""
    for part in range(4):
        store.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3), author="Ada 'L'")
    return store


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: sorted(connection.execute(f'SELECT * FROM "{table}"'), key=repr) for table in tables}


def comparable(rows: Sequence[tuple[object, ...]]) -> list[str]:
    def value(one: object) -> object:
        return one.astimezone(dt.UTC).isoformat() if isinstance(one, dt.datetime) else one

    return sorted(repr([value(one) for one in row]) for row in rows)


def ours(store: Store, sql: str, parameters: Sequence[object], tables: Sequence[str]) -> list[tuple[Any, ...]]:
    return store.rows(sql, parameters, tables=tables)


# What a client reads


def test_every_table_has_the_same_rows_at_every_version(filled: Store, client: Client) -> None:
    filled.compact()
    filled.commit(CommitKind.METADATA, full_row())
    filled.project()
    newest = filled.snapshot()
    assert newest.number == 6
    wanted = [(table.name, number) for table in TABLES for number in range(7)]
    found = client(filled.root, [(f"SELECT * FROM {table} AT (VERSION => {number})", []) for table, number in wanted])
    for (table, number), rows in zip(wanted, found, strict=True):
        expected = filled.rows(f"SELECT * FROM {table}", tables=[table], snapshot=newest.at(number))
        assert comparable(rows) == comparable(expected), (table, number)
    # The batches reach every column: what is compared above is not nulls.
    for table in TABLES:
        for column in table.columns:
            count = f'SELECT count("{column.name}") FROM {table.name}'
            assert filled.rows(count, tables=[table.name]) > [(9,)]


def full_row() -> Batch:
    batch = Batch()
    batch.add("metadata", entity="file", key="one more")
    return batch


def test_filters_on_every_column_agree(filled: Store, client: Client) -> None:
    filled.project()
    statements = [filters(filled, table, column.name, column.kind) for table in TABLES for column in table.columns]
    found = client(filled.root, statements)
    for (sql, parameters), rows in zip(statements, found, strict=True):
        expected = ours(filled, sql, parameters, [table.name for table in TABLES if f" {table.name} " in sql])
        assert sorted(rows) == sorted(expected), sql
        assert sum(count for _, count in rows) > 0, sql


def filters(store: Store, table: Table, column: str, kind: Kind) -> Statement:
    """Counts under conditions on one column, at, below and above its values."""
    values = [value for (value,) in store.rows(f'SELECT DISTINCT "{column}" FROM {table.name}', tables=[table.name])]
    present = sorted((value for value in values if value is not None and value == value), key=repr)
    low, middle, high = present[0], present[len(present) // 2], present[-1]
    conditions = [f'"{column}" IS NULL', f'"{column}" IS NOT NULL']
    parameters: list[object] = []
    for operator, probe in (("<=", low), ("=", middle), (">", middle), (">=", high)):
        conditions.append(f'"{column}" {operator} CAST(? AS {kind.value})')
        parameters.append(probe)
    if kind in (Kind.TEXTS, Kind.INTEGERS):
        conditions.append(f'list_contains("{column}", CAST(? AS {kind.value[:-2]}))')
        parameters.append(max(present, key=len)[0])
    parts = [
        f"SELECT {number}, count(*) FROM {table.name} WHERE {condition}" for number, condition in enumerate(conditions)
    ]
    return " UNION ALL ".join(parts), parameters


def test_snapshots_are_the_commits(filled: Store, client: Client) -> None:
    filled.compact()
    filled.project()
    (rows,) = client(
        filled.root, [("SELECT snapshot_id, snapshot_time, author, commit_message FROM lake.snapshots()", [])]
    )
    expected = [(commit.number, commit.time, commit.author, commit.kind.value) for commit in filled.commits()]
    assert [(number, time.astimezone(dt.UTC), author, kind) for number, time, author, kind in rows] == [
        (0, filled.created, None, None),
        *expected,
    ]


def test_files_are_pruned_by_statistics(filled: Store, client: Client) -> None:
    filled.project()
    sql = "EXPLAIN ANALYZE SELECT * FROM job_edges WHERE commit_number = 2"
    ((row,),) = client(filled.root, [(sql, [])])
    assert "Total Files Read: 1" in row[1]


def test_from_inside_the_store_no_option_is_needed(filled: Store, client: Client) -> None:
    filled.project()
    ((count,),) = client(filled.root, [("SELECT count(*) FROM files", [])], options="")
    assert count == (16,)


def test_an_empty_store_has_empty_tables(store: Store, client: Client) -> None:
    store.project()
    found = client(store.root, [(f"SELECT * FROM {table.name}", []) for table in TABLES])
    assert found == [[]] * len(TABLES)


def test_tables_columns_and_types_are_those_that_the_extension_makes(
    store: Store, client: Client, tmp_path: Path
) -> None:
    store.project()
    (tmp_path / "made").mkdir()
    client(tmp_path / "made", [("SELECT 1", [])], options="(DATA_PATH 'segments/')")

    def described(path: Path) -> dict[str, list[tuple[object, ...]]]:
        with sqlite3.connect(path) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                name: [
                    (column, "TEXT" if kind == "VARCHAR" else kind, bool(primary))
                    for _, column, kind, _, _, primary in connection.execute(f"PRAGMA table_info('{name}')")
                ]
                for (name,) in tables
            }

    assert described(store.root / "lake.sqlite") == described(tmp_path / "made" / "lake.sqlite")


def test_a_client_may_merge_and_insert_and_the_store_takes_its_catalog_back(filled: Store, client: Client) -> None:
    filled.project()
    expected = dump(filled.root / "lake.sqlite")
    before = filled.rows("SELECT * FROM job_edges", tables=["job_edges"])
    _, _, ((count,),) = client(
        filled.root,
        [
            ("CALL ducklake_merge_adjacent_files('lake')", []),
            ("INSERT INTO job_edges VALUES (1, 2, 3, 4)", []),
            ("SELECT count(*) FROM job_edges", []),
        ],
    )
    assert count == 17

    filled.project()

    assert dump(filled.root / "lake.sqlite") == expected
    assert filled.rows("SELECT * FROM job_edges", tables=["job_edges"]) == before


def test_rows_of_other_stores_are_there_since_they_were_pulled(
    filled: Store, tmp_path: Path, full_batch: Callable[..., Batch], client: Client
) -> None:
    """Their numbers of commits are those of the other store, which nothing but the store itself can translate."""
    other = Store.open(tmp_path / "other")
    for part in (5, 6):
        other.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
    filled.project()
    assert pull(filled, other).commit is not None
    other.commit(CommitKind.INGEST, full_batch(28, 31))
    assert pull(filled, other).commit is not None
    filled.compact()
    filled.project()
    assert differences(filled) == []
    newest = filled.snapshot()
    wanted = [(table, number) for table in TABLES for number in range(newest.number + 1)]
    texts = [f"SELECT * EXCLUDE (commit_number) FROM {table.name}" for table, _ in wanted]
    asked = [(f"{text} AT (VERSION => {number})", []) for text, (_, number) in zip(texts, wanted, strict=True)]
    for text, (table, number), rows in zip(texts, wanted, client(filled.root, asked), strict=True):
        expected = filled.rows(text, tables=[table.name], snapshot=newest.at(number))
        assert comparable(rows) == comparable(expected), (table.name, number)
    assert len(rows) == 28


def test_an_erasure_ends_the_snapshots_before_it(filled: Store, client: Client) -> None:
    """Projected step by step, and at once."""
    filled.compact()
    filled.project()
    erase(filled, "files", keep=lambda row: row["commit_number"] != 2)
    filled.project()
    assert differences(filled) == []
    filled.commit(CommitKind.METADATA, full_row())
    filled.project()
    assert differences(filled) == []
    asked = ["SELECT snapshot_id FROM lake.snapshots() ORDER BY 1", "SELECT count(*) FROM files AT (VERSION => 6)"]
    asked += ["SELECT count(*) FROM files", "SELECT count(*) FROM metadata", "SELECT count(*) FROM uses"]
    found = client(filled.root, [(sql, []) for sql in asked])
    assert found == [[(6,), (7,)], [(12,)], [(12,)], [(17,)], [(16,)]]

    erase(filled, "uses", keep=lambda row: False)
    filled.project()
    assert differences(filled) == []
    filled.commit(CommitKind.INGEST, full_uses())
    filled.project()
    assert differences(filled) == []
    assert client(filled.root, [("SELECT count(*) FROM uses", [])]) == [[(1,)]]


def full_uses() -> Batch:
    batch = Batch()
    batch.add("uses", run=1, job=1, attempt=1, name="one more")
    return batch


def erase(store: Store, table: str, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Erase rows as a commit of that kind does: segments in place of others, whose bytes go."""
    snapshot, nonce = store.snapshot(), new_nonce()
    old = snapshot.segments(table)
    rows = segments.merged(store.storage, BY_NAME[table], old)
    kept = rows.filter(pa.array([keep(row) for row in rows.to_pylist()], pa.bool_()))
    new = [segments.write(store.storage, BY_NAME[table], kept, f"{snapshot.number + 1:012d}-{nonce}")]
    made = next_commit(
        store, snapshot, CommitKind.ERASE, nonce, new if kept.num_rows else [], replaces=[one.path for one in old]
    )
    assert publish(store.storage, made)
    segments.remove(store.storage, old)


# How it is kept up to date


def test_step_by_step_and_at_once_give_the_same_catalog(
    store: Store, full_batch: Callable[..., Batch], tmp_path: Path
) -> None:
    path = store.root / "lake.sqlite"
    store.project()
    for part in range(4):
        store.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
        if part % 2:
            store.compact()
        store.project()
        store.project()
    step_by_step = dump(path)
    path.unlink()
    store.project()
    assert dump(path) == step_by_step
    assert len(step_by_step["ducklake_snapshot"]) == 7


def test_what_a_catalog_leaves_behind_is_forgotten_with_it_and_without_it(filled: Store) -> None:
    beside = [filled.root / f"lake.sqlite{suffix}" for suffix in ("-journal", "-wal", "-shm")]
    filled.project()
    for there in (True, False):
        for path in beside:
            path.write_bytes(b"pages")
        assert forget(filled) is there
        assert [path for path in (filled.root / "lake.sqlite", *beside) if path.exists()] == []


@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "dropped", "behind", "foreign", "other snapshot"])
def test_what_cannot_be_extended_is_built_anew(filled: Store, tmp_path: Path, damage: str) -> None:
    path = filled.root / "lake.sqlite"
    filled.project()
    expected = dump(path)
    data = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"not a database at all" * 1000)
            path.with_name("lake.sqlite-journal").write_bytes(b"left behind")
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "dropped":
            execute(path, "DROP TABLE ducklake_snapshot_changes")
        case "behind":
            execute(path, "DELETE FROM ducklake_snapshot_changes WHERE snapshot_id > 2")
        case "foreign":
            other = Store.open(tmp_path / "other")
            other.project()
            path.write_bytes((other.root / "lake.sqlite").read_bytes())
        case "other snapshot":
            execute(path, "INSERT INTO ducklake_snapshot_changes VALUES (5, 'x', null, null, null)")
    filled.project()
    assert dump(path) == expected
    assert {p.name for p in filled.root.iterdir()} == {"commits", "lake.sqlite", "log", "segments", "store.json"}


def execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


def test_racing_projections_end_in_the_same_catalog(filled: Store) -> None:
    script = "import sys; from provenance.store import Store; Store.open(sys.argv[1]).project()"
    racers = [subprocess.Popen([sys.executable, "-c", script, str(filled.root)], cwd=ROOT) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    path = filled.root / "lake.sqlite"
    raced = dump(path)
    path.unlink()
    filled.project()
    assert dump(path) == raced


def test_a_catalog_that_somebody_else_is_writing_is_left_to_them(
    filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    filled.project()
    path = filled.root / "lake.sqlite"
    filled.commit(CommitKind.METADATA, full_row())
    monkeypatch.setattr("provenance.ducklake.lake.PATIENCE_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    filled.project()
    other.execute("ROLLBACK")
    other.close()
    assert re.search("not brought up to date: .*lake.sqlite: database is locked", caplog.text)
    assert len(dump(path)["ducklake_snapshot"]) == 5
    filled.project()
    assert len(dump(path)["ducklake_snapshot"]) == 6


def test_a_store_that_cannot_be_written_has_its_catalog_in_the_users_cache(
    filled: Store, ducklake: Callable[..., list[list[tuple[Any, ...]]]], tmp_path: Path
) -> None:
    for path in [filled.root, *filled.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    script = "import sys; from provenance.ducklake.lake import project; from provenance.store import Store\n" + (
        "print(project(Store.open(sys.argv[1])).path)"
    )
    # Root may write anywhere, unless it gave that right away.
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [*bound, sys.executable, "-c", script, str(filled.root)]
    for _ in range(2):
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **cache}, check=True, capture_output=True, text=True
        )
        path = Path(done.stdout.strip())
        assert path == tmp_path / "cache" / "pirene" / filled.store_id / "lake.sqlite"
    statement = ("SELECT count(*) FROM files AT (VERSION => 2)", [])
    assert ducklake([f"ATTACH 'ducklake:sqlite:{path}' AS lake (READ_ONLY)"], [statement], Path("/")) == [[(8,)]]
    for folder in [filled.root, *filled.root.rglob("*")]:
        folder.chmod(0o755)
    assert not (filled.root / "lake.sqlite").exists()


def test_without_a_home_there_is_no_place_for_a_cache(
    filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("provenance.ducklake.lake.os.access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(
        Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home directory."))
    )
    filled.project()
    assert "no place for the DuckLake catalog: XDG_CACHE_HOME is not set, and Could not determine home" in caplog.text


def test_no_projection_is_no_error(
    filled: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    filled.project()
    assert "lake.sqlite: [Errno 30] Read-only file system" in caplog.text


def test_damaged_statistics_of_a_commit_keep_only_the_catalog_from_being_written(
    filled: Store, caplog: pytest.LogCaptureFixture
) -> None:
    path = filled.root / "commits" / "000000000002.json"
    data = path.read_bytes()
    path.chmod(0o644)
    damaged = re.sub(rb'("checksum_seconds":\{"max":")', rb"\1m", data, count=1)
    assert damaged != data
    document = json.loads(damaged)
    del document["seal"]
    path.write_bytes(sealed(document))
    Store.open(filled.root).project()
    assert "not brought up to date: the statistics of a commit cannot be read" in caplog.text
