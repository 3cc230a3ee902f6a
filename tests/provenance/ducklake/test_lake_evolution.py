"""The catalog of a store that is older than its newest columns: older snapshots have the older columns, by the real
extension, on SQLite and on PostgreSQL, before and after compaction, and every row is as the store has it. (Data on S3:
conformance/test_store_by_ducklake.py.)
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from provenance.ducklake.lake import absolute_data_path, project
from provenance.ducklake.lake_differences import differences
from provenance.ducklake.lake_postgres import Address, address, publish
from provenance.history.commits import CommitKind
from provenance.schema import BY_NAME, TABLES, Kind, Table
from provenance.segments.batch import Batch
from provenance.segments.relations import quoted
from provenance.store import Store

LATER = {
    name: tuple(column.name for column in BY_NAME[name].columns[-1 - count : -1])
    for name, count in {"files": 3, "jobs": 3, "metadata": 1}.items()
}
"""What `smaller_schema.py` does without; `checks` too."""
OLD = 2
"""Commits of the earlier version."""

Ask = Callable[[Sequence[tuple[str, Sequence[object]]]], list[tuple[list[str], list[tuple[Any, ...]]]]]


def written_earlier(location: str, first: int, last: int) -> None:
    """Commits by an earlier version, of these parts of the rows."""
    script = Path(__file__).parents[1] / "smaller_schema.py"
    subprocess.run([sys.executable, "-P", script, location, str(first), str(last)], check=True)


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A store of two commits by an earlier version."""
    root = tmp_path / "it's a store"
    written_earlier(str(root), 0, OLD - 1)
    return Store.open(root)


@pytest.fixture
def grown(old: Store, full_batch: Callable[..., Batch]) -> Store:
    """Two more commits, by this version."""
    for part in (2, 3):
        old.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
    return old


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def catalog(request: pytest.FixtureRequest, ducklake_answers: Callable[..., Any]) -> Callable[[Store], Ask]:
    """Brings the catalog of a store up to date; then asks it, from another folder, through the real extension."""

    def asker(attach: str) -> Ask:
        return lambda statements: ducklake_answers([attach], statements, Path("/"))

    def on_sqlite(store: Store) -> Ask:
        made = project(store)
        assert differences(store) == []
        data = f"DATA_PATH {quoted(absolute_data_path(store))}, OVERRIDE_DATA_PATH true"
        return asker(f"ATTACH {quoted(f'ducklake:sqlite:{made.path}')} AS lake ({data}, READ_ONLY)")

    def on_postgres(store: Store) -> Ask:
        target = Address(address(request.getfixturevalue("database"), "x").parameters, store.store_id)
        found = f"{publish(store, target).connection} user=ada"
        assert differences(store, target) == []
        return asker(f"ATTACH 'ducklake:postgres:{found}' AS lake (METADATA_SCHEMA '{target.schema}', READ_ONLY)")

    return on_sqlite if request.param == "SQLite" else on_postgres


def comparable(rows: Iterable[tuple[object, ...]]) -> list[str]:
    def value(one: object) -> object:
        return one.astimezone(dt.UTC).isoformat() if isinstance(one, dt.datetime) else one

    return sorted(repr([value(one) for one in row]) for row in rows)


def columns_at(table: Table, number: int, begin: int) -> list[str]:
    """The columns that the catalog shows at snapshot ``number``, if the later ones came with ``begin``."""
    later = LATER.get(table.name, ()) if number < begin else ()
    return [column.name for column in table.columns if column.name not in later]


def check_every_version(store: Store, ask: Ask, begin: int, tables: Iterable[Table] = TABLES) -> None:
    newest = store.snapshot()
    wanted = [(table, number) for table in tables for number in range(newest.number + 1)]
    found = ask([(f"SELECT * FROM {table.name} AT (VERSION => {number})", []) for table, number in wanted])
    for (table, number), (shown, rows) in zip(wanted, found, strict=True):
        assert shown == columns_at(table, number, begin), (table.name, number)
        names = ", ".join(f'"{name}"' for name in shown)
        expected = store.rows(f"SELECT {names} FROM {table.name}", tables=[table.name], snapshot=newest.at(number))
        assert comparable(rows) == comparable(expected), (table.name, number)


def test_before_the_newer_version_has_written_anything(old: Store, catalog: Callable[[Store], Ask]) -> None:
    check_every_version(old, catalog(old), begin=OLD + 1)


def test_grown_then_compacted_then_grown_again(
    grown: Store, catalog: Callable[[Store], Ask], full_batch: Callable[..., Batch]
) -> None:
    check_every_version(grown, catalog(grown), OLD + 1, [BY_NAME[name] for name in (*LATER, "uses", "checks")])
    assert grown.compact() is not None
    grown.commit(CommitKind.INGEST, full_batch(16, 17))
    check_every_version(grown, catalog(grown), begin=OLD + 1)


def test_conditions_find_what_they_find_in_the_store(grown: Store, catalog: Callable[[Store], Ask]) -> None:
    """Pruning never leaves out a file with an answer: nor one without the column."""
    statements = [
        filters(grown, BY_NAME[table], column, BY_NAME[table].column(column).kind)
        for table, columns in {**LATER, "uses": ("name", "sha256", "size_bytes", "commit_number")}.items()
        for column in columns
    ]
    for (sql, parameters), (_, rows) in zip(statements, catalog(grown)(statements), strict=True):
        expected = grown.rows(sql, parameters, tables=[*LATER, "uses"])
        assert sorted(rows) == sorted(expected), sql
        assert sum(count for _, count in rows) > 0, sql


def filters(store: Store, table: Table, column: str, kind: Kind) -> tuple[str, list[object]]:
    values = [value for (value,) in store.rows(f'SELECT DISTINCT "{column}" FROM {table.name}', tables=[table.name])]
    present = sorted((value for value in values if value is not None and value == value), key=repr)
    conditions = [f'"{column}" IS NULL', f'"{column}" IS NOT NULL']
    parameters: list[object] = []
    for operator, probe in (("<=", present[0]), ("=", present[-1]), (">", present[0]), (">=", present[-1])):
        conditions.append(f'"{column}" {operator} CAST(? AS {kind.value})')
        parameters.append(probe)
    parts = [f"SELECT {n}, count(*) FROM {table.name} WHERE {condition}" for n, condition in enumerate(conditions)]
    return " UNION ALL ".join(parts), parameters


@pytest.mark.parametrize("catalog", ["SQLite"], indirect=True)
def test_a_compaction_by_the_newer_version_brings_its_columns(old: Store, catalog: Callable[[Store], Ask]) -> None:
    assert old.compact() is not None
    check_every_version(old, catalog(old), begin=OLD + 1)


def test_step_by_step_and_at_once_give_the_same_catalog(old: Store, full_batch: Callable[..., Batch]) -> None:
    old.project()
    for part in (2, 3):
        old.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
        old.project()
        assert differences(old) == []
    old.compact()
    old.project()
    assert differences(old) == []


def test_a_table_whose_first_rows_are_of_the_earlier_version(tmp_path: Path, full_batch: Callable[..., Batch]) -> None:
    """The present version has projected the empty store with all its columns; then an earlier one writes to it."""
    store = Store.open(tmp_path / "shared")
    store.project()
    written_earlier(str(store.root), 0, 0)
    store.project()
    assert differences(store) == []
    store.commit(CommitKind.INGEST, full_batch(4, 7))
    store.project()
    assert differences(store) == []


def test_changes_of_columns_are_said_as_the_extension_says_them(
    grown: Store, database: str, postgresql: Any, ducklake: Callable[..., Any], tmp_path: Path
) -> None:
    """Beside a lake of its own with ALTER TABLE in the same places."""
    target = address(database, "ours")
    publish(grown, target)
    name = target.parameters["dbname"]
    attach = f"ATTACH 'ducklake:postgres:dbname={name} host={postgresql.folder} user=ada' AS lake"
    made = [
        "CREATE TABLE files (x INTEGER)",
        "INSERT INTO files VALUES (1)",
        "BEGIN",
        *(f"ALTER TABLE files ADD COLUMN {name} INTEGER" for name in LATER["files"]),
        "INSERT INTO files VALUES (1, 2, 3, 4)",
        "COMMIT",
    ]
    options = f"DATA_PATH '{tmp_path}/', METADATA_SCHEMA 'theirs', DATA_INLINING_ROW_LIMIT 0"
    ducklake([f"{attach} ({options})"], [(sql, []) for sql in made], tmp_path)

    def said(schema: str) -> list[list[list[str]]]:
        queries = (
            # By how much the version of the schema grows with the snapshot that adds columns, and for which table.
            "SELECT schema_version - lag(schema_version) OVER (ORDER BY schema_version), table_name "
            "FROM {0}.ducklake_schema_versions JOIN {0}.ducklake_table USING (table_id) "
            "WHERE table_name = 'files' ORDER BY schema_version",
            "SELECT string_agg(change, ',' ORDER BY change) FROM (SELECT split_part(part, ':', 1) AS change "
            "FROM {0}.ducklake_snapshot_changes, unnest(string_to_array(changes_made, ',')) AS part "
            "WHERE snapshot_id = (SELECT max(begin_snapshot) FROM {0}.ducklake_column) GROUP BY 1) AS changes",
            "SELECT DISTINCT initial_default, default_value, nulls_allowed, parent_column, default_value_type, "
            "default_value_dialect, one.end_snapshot FROM {0}.ducklake_column AS one "
            "JOIN {0}.ducklake_table AS lake_table USING (table_id) "
            "WHERE table_name = 'files' AND one.begin_snapshot > lake_table.begin_snapshot",
        )
        return [postgresql.psql(query.format(schema), name) for query in queries]

    ours = said("ours")
    assert ours == said("theirs")
    assert all(ours)


def test_a_client_may_merge_files_of_both_versions(grown: Store, ducklake: Callable[..., Any]) -> None:
    grown.project()
    catalog = quoted(f"ducklake:sqlite:{grown.root}/lake.sqlite")
    options = f"(DATA_PATH {quoted(f'{grown.root}/segments/')}, OVERRIDE_DATA_PATH true)"
    statements = [("CALL ducklake_merge_adjacent_files('lake')", [])]
    statements += [(f"SELECT * FROM {table.name}", []) for table in TABLES]
    _, *found = ducklake([f"ATTACH {catalog} AS lake {options}"], statements, grown.root)
    for table, rows in zip(TABLES, found, strict=True):
        expected = grown.rows(f"SELECT * FROM {table.name}", tables=[table.name])
        assert comparable(rows) == comparable(expected), table.name
    assert differences(grown) != []
    grown.project()
    assert differences(grown) == []
