"""The DuckLake catalog on PostgreSQL, by a real server: made once, added to, refused where something else is."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provenance.ducklake.lake_differences import Wrong, differences
from provenance.ducklake.lake_postgres import Address, address, publish
from provenance.errors import LakeError
from provenance.history.commits import CommitKind
from provenance.schema import TABLES
from provenance.segments.batch import Batch
from provenance.store import Store

ROOT = Path(__file__).parents[3]
DUMP = """
SELECT jsonb_agg(to_jsonb(rows) ORDER BY to_jsonb(rows)::text) FROM {}.{} AS rows
"""


@pytest.fixture
def target(database: str) -> Address:
    return address(database, f'Ada\'s "100%s" :x {uuid.uuid4()}')


@pytest.fixture(scope="module")
def made(full_batch: Callable[..., Batch], tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store.open(tmp_path_factory.mktemp("made") / ".pirene")
    for part in range(4):
        store.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3), author="Ada 'L'\0")
    store.compact()
    return store.root


@pytest.fixture
def filled(made: Path, tmp_path: Path) -> Store:
    """A store of four commits and a compaction, with rows in every table."""
    return Store.open(shutil.copytree(made, tmp_path / "filled"))


def quoted(schema: str) -> str:
    return '"' + schema.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def dump(postgresql: Any, target: Address) -> dict[str, str]:
    """All that is in the schema, table by table."""
    schema, database = quoted(target.schema), target.parameters["dbname"]
    listed = f"SELECT table_name FROM information_schema.tables WHERE table_schema = {literal(target.schema)}"
    names = [name for (name,) in postgresql.psql(listed, database)]
    return {name: postgresql.psql(DUMP.format(schema, name), database)[0][0] for name in sorted(names)}


def one_row() -> Batch:
    batch = Batch()
    batch.add("metadata", entity="file", key="one more")
    return batch


def test_it_is_made_once_and_then_added_to(filled: Store, target: Address, postgresql: Any) -> None:
    assert publish(filled, target).before is None
    assert differences(filled, target) == []
    first = dump(postgresql, target)
    again = publish(filled, target)
    assert (again.before, again.newest) == (5, 5)
    assert dump(postgresql, target) == first
    filled.commit(CommitKind.METADATA, one_row())
    assert [one.wrong for one in differences(filled, target)] == [Wrong.STALE]
    more = publish(filled, target)
    assert (more.before, more.newest) == (5, 6)
    assert differences(filled, target) == []


def test_step_by_step_and_at_once_give_the_same_catalog(
    store: Store, full_batch: Callable[..., Batch], target: Address, postgresql: Any
) -> None:
    publish(store, target)
    for part in range(4):
        store.commit(CommitKind.INGEST, full_batch(part * 4, part * 4 + 3))
        if part % 2:
            store.compact()
        assert publish(store, target).before is not None
    at_once = Address(target.parameters, target.schema + "at once")
    publish(store, at_once)
    assert dump(postgresql, target) == dump(postgresql, at_once)


def test_statistics_say_in_sql_what_the_store_says(filled: Store, target: Address, postgresql: Any) -> None:
    publish(filled, target)
    database, schema = target.parameters["dbname"], quoted(target.schema)
    counted = f"""
        SELECT table_name, sum(file.record_count), max(stats.record_count), count(DISTINCT snapshot.snapshot_id)
        FROM {schema}.ducklake_table AS lake_table
        JOIN {schema}.ducklake_data_file AS file USING (table_id)
        JOIN {schema}.ducklake_table_stats AS stats USING (table_id)
        CROSS JOIN {schema}.ducklake_snapshot AS snapshot
        WHERE file.end_snapshot IS NULL GROUP BY table_name ORDER BY table_name
    """
    assert postgresql.psql(counted, database) == sorted([[table.name, "96", "16", "6"] for table in TABLES], key=str)
    bounds = f"""
        SELECT min(min_value::bigint), max(max_value::bigint), sum(value_count), sum(null_count)
        FROM {schema}.ducklake_file_column_stats AS stats
        JOIN {schema}.ducklake_column AS lake_column USING (table_id, column_id)
        JOIN {schema}.ducklake_table USING (table_id)
        WHERE table_name = 'files' AND column_name = 'size_bytes'
    """
    sql = "SELECT min(size_bytes), max(size_bytes), 2 * count(size_bytes), 2 * count(*) - 2 * count(size_bytes) FROM files"
    ((low, high, values, nulls),) = filled.rows(sql, tables=["files"])
    assert postgresql.psql(bounds, database) == [[str(low), str(high), str(values), str(nulls)]]
    times = f"SELECT extract(epoch FROM snapshot_time) FROM {schema}.ducklake_snapshot WHERE snapshot_id = 3"
    (third,) = (commit for commit in filled.commits() if commit.number == 3)
    assert postgresql.psql(times, database) == [[f"{third.time.timestamp():.6f}"]]


def test_tables_columns_and_types_are_those_that_the_extension_makes(
    store: Store, target: Address, postgresql: Any, ducklake: Callable[..., Any], tmp_path: Path
) -> None:
    publish(store, target)
    place = f"ducklake:postgres:dbname={target.parameters['dbname']} host={postgresql.folder} user=ada"
    ducklake(
        [f"ATTACH '{place}' AS lake (DATA_PATH '{tmp_path}/', METADATA_SCHEMA 'theirs')"], [("SELECT 1", [])], tmp_path
    )

    def described(schema: str) -> list[list[str]]:
        sql = f"""
            SELECT table_name, column_name, data_type FROM information_schema.columns
            WHERE table_schema = {literal(schema)} ORDER BY table_name, ordinal_position
        """
        return postgresql.psql(sql, target.parameters["dbname"])  # type: ignore[no-any-return]

    assert described(target.schema) == described("theirs") != []


def test_several_stores_share_a_database(
    filled: Store, target: Address, tmp_path: Path, postgresql: Any, full_batch: Callable[..., Batch]
) -> None:
    other, other_target = Store.open(tmp_path / "other"), Address(target.parameters, target.schema + "other")
    publish(filled, target)
    publish(other, other_target)
    before = dump(postgresql, target)
    other.commit(CommitKind.INGEST, full_batch(0, 1))
    publish(other, other_target)
    assert dump(postgresql, target) == before
    assert differences(other, other_target) == []


def test_text_is_compared_by_bytes_whatever_order_the_database_has(
    store: Store, target: Address, ducklake: Callable[..., Any], postgresql: Any
) -> None:
    """A client may let the server compare bounds. In English Z comes after a, and é before z."""
    for names in (("B", "Z", "a"), ("b", "z", "é")):
        batch = Batch()
        for ordinal, name in enumerate(names, start=1):
            batch.add("files", source=1, file=ordinal, name=name)
        store.commit(CommitKind.REGISTER, batch)
    place = f"{publish(store, target).connection} user=ada"
    assert postgresql.psql("SELECT 'Z' < 'a', 'z' < 'é'", target.parameters["dbname"]) == [["f", "f"]]
    attach = f"ATTACH 'ducklake:postgres:{place}' AS lake (METADATA_SCHEMA {literal(target.schema)}, READ_ONLY)"
    conditions = ["= 'Z'", "= 'z'", "= 'é'", ">= 'é'", "< 'a'", "> 'Z'", "<= 'b'"]
    statements = [(f"SELECT name FROM lake.files WHERE name {one} ORDER BY name", []) for one in conditions]
    for (sql, _), rows in zip(statements, ducklake([attach], statements, Path("/")), strict=True):
        assert rows == store.rows(sql.replace("lake.files", "files"), tables=["files"]), sql
        assert rows, sql
    bounds = f"""
        SELECT min_value, max_value FROM {quoted(target.schema)}.ducklake_file_column_stats
        WHERE 'Z' BETWEEN min_value AND max_value OR 'é' BETWEEN min_value AND max_value ORDER BY min_value
    """
    assert postgresql.psql(bounds, target.parameters["dbname"]) == [["B", "a"], ["b", "é"]]


# What is refused, and stays as it was


@pytest.mark.parametrize("found", ["table", "client", "other store", "migrated", "changed"])
def test_what_is_not_ours_is_refused_and_stays(
    filled: Store, target: Address, tmp_path: Path, postgresql: Any, ducklake: Callable[..., Any], found: str
) -> None:
    database, schema = target.parameters["dbname"], quoted(target.schema)
    match found:
        case "table":
            postgresql.psql(f"CREATE SCHEMA {schema} CREATE TABLE ducklake_metadata (x int)", database)
            message = "there is ducklake_metadata, which Pirene did not make"
        case "client":
            place = f"ducklake:postgres:dbname={database} host={postgresql.folder} user=ada"
            attach = f"ATTACH '{place}' AS lake (DATA_PATH '{tmp_path}/', METADATA_SCHEMA {literal(target.schema)})"
            ducklake([attach], [("CREATE TABLE theirs (x INTEGER)", [])], tmp_path)
            message = "there is ducklake_column, which Pirene did not make"
        case "other store":
            other = Store.open(tmp_path / "other")
            publish(other, target)
            message = f"there is the catalog of another store, {other.store_id}"
        case "migrated":
            publish(filled, target)
            postgresql.psql(f"UPDATE {schema}.ducklake_metadata SET value = '1.1' WHERE key = 'version'", database)
            message = "another program made the catalog one of DuckLake 1.1"
        case "changed":
            publish(filled, target)
            postgresql.psql(f"UPDATE {schema}.ducklake_metadata SET value = '{{' WHERE key = 'pirene'", database)
            message = "entry 'pirene' of ducklake_metadata: expected what Pirene writes, found '{'"
    before = dump(postgresql, target)
    with pytest.raises(LakeError, match=message) as caught:
        publish(filled, target)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert "SCHEMA" not in caught.value.hint  # others may have tables in it
    assert dump(postgresql, target) == before


def test_a_copy_that_is_behind_or_went_another_way_takes_nothing_away(
    filled: Store, target: Address, tmp_path: Path, postgresql: Any
) -> None:
    shutil.copytree(filled.root, tmp_path / "copy")
    copy = Store.open(tmp_path / "copy")
    filled.commit(CommitKind.METADATA, one_row())
    publish(filled, target)
    before = dump(postgresql, target)
    with pytest.raises(LakeError, match="commits up to 6 are published, this copy of the store has 5"):
        publish(copy, target)
    for _ in range(3):
        copy.commit(CommitKind.METADATA, one_row())
        with pytest.raises(LakeError, match="commit 6 was published from a copy of this store that went another way"):
            publish(copy, target)
    assert dump(postgresql, target) == before


def test_a_moved_store_says_where_it_is_now(filled: Store, target: Address, tmp_path: Path) -> None:
    publish(filled, target)
    filled.root.rename(tmp_path / "moved here")
    moved = Store.open(tmp_path / "moved here")
    assert publish(moved, target).before == 5
    assert differences(moved, target) == []


def test_what_a_client_wrote_is_taken_back(
    filled: Store, target: Address, tmp_path: Path, postgresql: Any, ducklake: Callable[..., Any]
) -> None:
    publish(filled, target)
    before = dump(postgresql, target)
    place = f"ducklake:postgres:dbname={target.parameters['dbname']} host={postgresql.folder} user=ada"
    attach = [f"ATTACH '{place}' AS lake (METADATA_SCHEMA {literal(target.schema)}, DATA_INLINING_ROW_LIMIT 0)"]
    insert = ("INSERT INTO job_edges VALUES (1, 2, 3, 4)", [])
    (_, ((count,),)) = ducklake(attach, [insert, ("SELECT count(*) FROM job_edges", [])], tmp_path)
    assert count == 17
    assert {one.wrong for one in differences(filled, target)} >= {Wrong.FOREIGN}
    assert publish(filled, target).before is None
    assert dump(postgresql, target) == before


# At the same time, and cut short


def test_racing_publishes_end_in_the_same_catalog(filled: Store, database: str, target: Address) -> None:
    script = (
        "import sys; from provenance.store import Store; from provenance.ducklake.lake_postgres import address, publish\n"
        "publish(Store.open(sys.argv[1]), address(sys.argv[2], sys.argv[3]))"
    )
    command = [sys.executable, "-c", script, str(filled.root), database, target.schema]
    racers = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [racer.wait() for racer in racers] == [0] * 4
    assert differences(filled, target) == []


def test_a_publish_that_is_killed_leaves_nothing(
    filled: Store, database: str, target: Address, postgresql: Any
) -> None:
    script = (
        "import sys, time; from provenance.ducklake import lake_growth, lake_postgres; from provenance.store import Store\n"
        "finish = lake_growth.Growth.finish\n"
        "def stop(*arguments): finish(*arguments); print('written', flush=True); time.sleep(60)\n"
        "lake_growth.Growth.finish = stop\n"
        "lake_postgres.publish(Store.open(sys.argv[1]), lake_postgres.address(sys.argv[2], sys.argv[3]))"
    )
    command = [sys.executable, "-c", script, str(filled.root), database, target.schema]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert dump(postgresql, target) == {}
    assert publish(filled, target).before is None
    assert differences(filled, target) == []


def test_readers_go_on_while_it_is_built_anew(filled: Store, target: Address, postgresql: Any) -> None:
    """A reader in a transaction of its own sees the catalog as it was, whole."""
    import psycopg

    publish(filled, target)
    database, schema = target.parameters["dbname"], quoted(target.schema)
    with psycopg.connect(postgresql.url(database)) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        count = f"SELECT count(*) FROM {schema}.ducklake_data_file"
        before = reader.execute(count).fetchall()
        postgresql.psql(
            f"UPDATE {schema}.ducklake_metadata SET value = '{{\"store\":\"{filled.store_id}\"}}' WHERE key = 'pirene'",
            database,
        )
        started = time.monotonic()
        assert publish(filled, target).before is None
        assert time.monotonic() - started < 20
        assert reader.execute(count).fetchall() == before
        assert reader.execute(f"SELECT count(*) FROM {schema}.ducklake_snapshot").fetchall() == [(6,)]
    assert differences(filled, target) == []


# The command


@pytest.fixture
def run(pirene: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command on a store, as a shell would."""

    def run(store: Store, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(pirene), "--store", str(store.root), "-v", "store", "publish", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code, done
        return done

    return run


def test_the_command_prints_what_to_type(
    filled: Store, database: str, ducklake: Callable[..., Any], tmp_path: Path, run: Callable[..., Any]
) -> None:
    done = run(filled, database, "--schema", "it's")
    assert "schema it's: made, 5 commits" in done.stderr
    attach = done.stdout.replace("dbname=", "user=ada dbname=")
    assert ducklake([attach], [("SELECT count(*) FROM lake.files", [])], tmp_path) == [[(16,)]]
    assert "schema it's: 0 commits added" in run(filled, database, "--schema", "it's").stderr

    beside = run(filled).stdout
    assert ducklake([beside], [("SELECT count(*) FROM lake.files", [])], tmp_path) == [[(16,)]]
    assert "give its URL" in run(filled, "--schema", "x", code=2).stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cr%3At%2F%25@nowhere.invalid/db",
        "postgresql://ada:s3cr%3At%2F%25@/none?host={folder}",
        "postgresql://ada:s3cr:t/%?#@nowhere.invalid/db",
        "postgresql://ada:s3cr%3At@here@nowhere.invalid/db",
        "postgresql://ada:s3cr%zz@nowhere.invalid/db",
        "postgresql://nowhere.invalid/db?password=s3cret&user=ada",
        "postgresql://ada:s3cret@h:1/db?bogus=1",
        "mysql://ada:s3cret@h/db",
        "ada:s3cret@h/db",
    ],
)
def test_passwords_are_never_shown(store: Store, postgresql: Any, run: Callable[..., Any], url: str) -> None:
    done = run(store, url.format(folder=postgresql.folder), code=2)
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert "s3cr" not in done.stdout + done.stderr


@pytest.mark.parametrize("schema", ["", "x" * 64, "é" * 32])
def test_names_that_postgresql_would_cut_off_are_refused(schema: str) -> None:
    with pytest.raises(LakeError, match="1 to 63 bytes in PostgreSQL, not"):
        address("postgresql://ada@h/db", schema)


@pytest.mark.parametrize(("user", "schema"), [("\udcff", "x"), ("s3cr\udcff", "x"), ("ada", "\udcff")])
def test_bytes_that_are_no_text_are_refused(user: str, schema: str) -> None:
    with pytest.raises(LakeError, match="holds bytes that are not UTF-8") as refused:
        address(f"postgresql://{user}@h/db", schema)
    assert "s3cr" not in str(refused.value)


def test_a_password_is_used_and_written_nowhere(
    filled: Store, postgresql: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = address(database, "x").parameters["dbname"]
    postgresql.psql("CREATE ROLE eve LOGIN PASSWORD 's3cret'")
    postgresql.psql(f'GRANT CREATE ON DATABASE "{name}" TO eve')
    hers = address(database.replace("ada@", "eve:s3cret@"), "of eve")
    published = publish(filled, hers)
    assert "s3cret" not in repr(published)
    assert "s3cret" not in str(dump(postgresql, hers))
    assert not [path for path in filled.root.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]

    for wrong in ("eve@", "eve:wr0ng@"):
        with pytest.raises(LakeError, match="password") as caught:
            publish(filled, address(database.replace("ada@", wrong), "of eve"))
        assert "wr0ng" not in str(caught.value)
        assert "eve" not in str(caught.value).replace("of eve", "")
        assert 'failed for user "..."' in str(caught.value) or "no password supplied" in str(caught.value)

    (tmp_path / "pgpass").write_text("*:*:*:eve:s3cret\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert publish(filled, address(database.replace("ada@", "eve@"), "of eve")).before == 5


def test_an_address_is_shown_without_user_and_password() -> None:
    target = address("postgresql://ada:s3cret@host:5433/db?sslmode=require", "public")
    assert target.parameters["password"] == "s3cret"
    assert str(target) == "host=host port=5433 dbname=db, schema public"
    assert "s3cret" not in repr(target)


def test_without_the_driver_it_says_what_to_install(store: Store, database: str, tmp_path: Path) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available.\\nAttempts made: none')\n")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from planner.cli import main; main()"
    command = [sys.executable, "-c", script, "--store", store.root, "store", "publish", database]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "pirene: publishing to PostgreSQL needs psycopg: no pq wrapper available. Attempts made: none",
        "pip install 'pirene[postgres]'",
    ]
