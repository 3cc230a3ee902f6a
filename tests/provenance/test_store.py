"""The store: found or made, read and written by many, refused when it is not what it must be."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from provenance.errors import DamagedStoreError, NotAStoreError, StoreError, UnsupportedStoreError
from provenance.history.canonical import sealed
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.schema import BY_NAME, TABLES
from provenance.segments.batch import Batch
from provenance.store import Store

ROOT = Path(__file__).parents[2]


def edges(run: int, *children: int) -> Batch:
    batch = Batch()
    for child in children:
        batch.add("job_edges", run=run, parent=0, child=child)
    return batch


# Where it is


def test_the_store_is_the_named_one_else_the_variable_else_the_nearest_upward_else_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    monkeypatch.delenv("PIRENE_STORE", raising=False)

    assert Store.open().root == deep / ".pirene"
    (deep / ".pirene" / "store.json").unlink()
    for path in sorted((deep / ".pirene").rglob("*"), reverse=True):
        path.rmdir()
    (deep / ".pirene").rmdir()
    (tmp_path / ".pirene").mkdir()
    assert Store.open().root == tmp_path / ".pirene"
    monkeypatch.setenv("PIRENE_STORE", str(tmp_path / "other"))
    assert Store.open().root == tmp_path / "other"
    assert Store.open("named").root == deep / "named"
    monkeypatch.setenv("PIRENE_STORE", "")
    assert Store.open().root == tmp_path / ".pirene"


def test_opening_again_finds_the_same_store(tmp_path: Path) -> None:
    first, second = Store.open(tmp_path / "s"), Store.open(tmp_path / "s")
    assert first.store_id == second.store_id
    assert first.created == second.created
    assert second.snapshot() == Snapshot()


def test_racing_makers_agree_on_one_store(tmp_path: Path) -> None:
    script = "import sys; from provenance.store import Store;sys.stdin.read(1); print(Store.open(sys.argv[1]).store_id)"
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "new" / "store")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("x")
        maker.stdin.flush()
    ids = {maker.communicate()[0] for maker in makers}
    assert [maker.returncode for maker in makers] == [0] * 6
    assert len(ids) == 1
    assert sorted(path.name for path in (tmp_path / "new" / "store").iterdir()) == ["commits", "segments", "store.json"]


def test_a_path_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedStoreError, match=r"xff.*a store needs a path of Unicode"):
        Store.open(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "s")
    identity = store.root / "store.json"
    identity.chmod(0o644)
    document = json.loads(identity.read_text()) | {"format": 2}
    identity.write_text(json.dumps(document))
    with pytest.raises(DamagedStoreError, match="not the bytes that were sealed"):  # a bit may have flipped
        Store.open(tmp_path / "s")
    del document["seal"]
    identity.write_bytes(sealed(document))
    with pytest.raises(UnsupportedStoreError, match="a store of format 2; this version reads up to 1") as caught:
        Store.open(tmp_path / "s")
    assert caught.value.exit_code == 2
    assert caught.value.hint == "install a newer pirene"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":1,"store":"x","created":"2026-01-01"}', '{"format":"1"}'])
def test_a_store_json_that_is_none_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(DamagedStoreError, match=r"store\.json: (expected format, store and created|these are not)"):
        Store.open(tmp_path)


def test_commits_without_a_store_json_are_damage_not_a_new_store(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "s")
    store.commit(CommitKind.PLAN, edges(1, 1))
    (store.root / "store.json").unlink()
    with pytest.raises(DamagedStoreError, match=r"holds commits but no store\.json"):
        Store.open(tmp_path / "s")


def test_a_folder_with_other_things_in_it_does_not_become_a_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(NotAStoreError, match=r"is no store: it holds thesis\.tex"):
        Store.open(tmp_path)
    Store.open(tmp_path / ".pirene")
    with pytest.raises(NotAStoreError) as caught:
        Store.open(tmp_path)
    assert caught.value.hint == f"the store in it is {tmp_path / '.pirene'}"
    with pytest.raises(NotAStoreError, match="Not a directory"):
        Store.open(tmp_path / "thesis.tex")


def test_a_store_whose_making_was_cut_short_is_made(tmp_path: Path) -> None:
    (tmp_path / "commits").mkdir()
    (tmp_path / "abc.tmp").write_text("{")
    store = Store.open(tmp_path)
    assert store.commit(CommitKind.PLAN, edges(1, 1)) is not None


# Committing and reading


def test_what_was_committed_is_read_with_its_commit(store: Store, full_batch: Callable[..., Batch]) -> None:
    first = store.commit(CommitKind.PLAN, full_batch(1, 9))
    second = store.commit(CommitKind.INGEST, full_batch(10, 12))
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (1, 2)
    assert first.time < second.time
    # RFC 6962 by hand: a root over three leaves, in the order of the runs, of which every second is negative.
    assert second.records == 3
    leaves = [hashlib.sha256(b"\0" + bytes([leaf]) * 32).digest() for leaf in (11, 10, 12)]
    node = hashlib.sha256(b"\1" + leaves[0] + leaves[1]).digest()
    assert second.records_root == hashlib.sha256(b"\1" + node + leaves[2]).hexdigest()
    for table in TABLES:
        expected = [row | {"commit_number": 1} for row in full_batch(1, 9).each(table.name)]
        expected += [row | {"commit_number": 2} for row in full_batch(10, 12).each(table.name)]
        names = [column.name for column in table.columns]
        found = store.rows(f"SELECT * FROM {table.name}", tables=[table.name])
        assert sorted(map(repr, (_plain(row) for row in found))) == sorted(
            repr(_plain(tuple(row[name] for name in names))) for row in expected
        )


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(value.timestamp() if isinstance(value, dt.datetime) else value for value in row)


def test_an_empty_table_has_its_columns_and_types(store: Store) -> None:
    with store.connect() as connection:
        for table in TABLES:
            described = connection.execute(f"DESCRIBE SELECT * FROM {store.relation(table.name)}").fetchall()
            assert [(name, kind) for name, kind, *_ in described] == [(c.name, c.kind.value) for c in table.columns]


def test_a_filled_table_has_the_same_columns_and_types(store: Store, full_batch: Callable[..., Batch]) -> None:
    store.commit(CommitKind.PLAN, full_batch(1, 3))
    with store.connect() as connection:
        for table in TABLES:
            described = connection.execute(f"DESCRIBE SELECT * FROM {store.relation(table.name)}").fetchall()
            assert [(name, kind) for name, kind, *_ in described] == [(c.name, c.kind.value) for c in table.columns]


def test_a_query_sees_the_tables_that_it_names_and_no_others(store: Store) -> None:
    store.commit(CommitKind.PLAN, edges(1, 1, 2))
    assert store.rows("SELECT sum(child) FROM job_edges WHERE run = ?", [1], tables=["job_edges"]) == [(3,)]
    with pytest.raises(Exception, match="jobs does not exist"):
        store.rows("SELECT * FROM jobs", tables=["job_edges"])


def test_times_are_utc_wherever_the_reader_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    batch = Batch()
    at = dt.datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
    batch.add("workflow_states", run=1, at=at)
    store.commit(CommitKind.PLAN, batch)
    assert store.rows('SELECT "at", "at"::VARCHAR, hour("at") FROM workflow_states', tables=["workflow_states"]) == [
        (at, "2026-07-01 12:00:00.123456+00", 12)
    ]


def test_an_empty_batch_makes_no_commit(store: Store) -> None:
    assert store.commit(CommitKind.INGEST, Batch()) is None
    assert store.snapshot().number == 0


def test_as_of_shows_what_was_there(store: Store) -> None:
    made = [store.commit(CommitKind.PLAN, edges(run, run)) for run in (1, 2, 3)]
    times = [commit.time for commit in made if commit]
    newest = store.snapshot()
    for number in range(4):
        seen = store.rows("SELECT run FROM job_edges ORDER BY run", tables=["job_edges"], snapshot=newest.at(number))
        assert [run for (run,) in seen] == list(range(1, number + 1))
    assert [store.number_at(time) for time in times] == [1, 2, 3]
    tick = dt.timedelta(microseconds=1)
    assert [store.number_at(time - tick) for time in times] == [0, 1, 2]
    assert store.number_at(times[-1] + dt.timedelta(days=1)) == 3
    with pytest.raises(ValueError, match="commit 4: this store has commits up to 3"):
        newest.at(4)


def test_a_snapshot_is_extended_by_what_others_commit(store: Store) -> None:
    other = Store.open(store.root)
    before = other.snapshot()
    store.commit(CommitKind.PLAN, edges(1, 1))
    assert other.snapshot().number == 1
    assert other.rows("SELECT run FROM job_edges", tables=["job_edges"]) == [(1,)]
    assert other.rows("SELECT run FROM job_edges", tables=["job_edges"], snapshot=before) == []


def test_time_goes_on_when_the_clock_goes_back(store: Store) -> None:
    store.commit(CommitKind.PLAN, edges(1, 1))
    path = store.root / "commits" / "000000000001.json"
    path.chmod(0o644)
    document = json.loads(path.read_text()) | {"time": "2999-01-01T00:00:00.000000Z"}
    del document["seal"]
    path.write_bytes(sealed(document))
    second = Store.open(store.root).commit(CommitKind.PLAN, edges(1, 2))
    assert second is not None
    assert second.time == dt.datetime(2999, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC)


# Races


def test_a_batch_is_rebased_on_what_others_brought_since_it_was_made(store: Store) -> None:
    base = store.snapshot()
    Store.open(store.root).commit(CommitKind.PLAN, edges(1, 1, 2))
    seen: list[int] = []

    def drop_known(snapshot: Snapshot, batch: Batch) -> Batch:
        seen.append(snapshot.number)
        rows = store.rows("SELECT child FROM job_edges", tables=["job_edges"], snapshot=snapshot)
        known = {int(str(child)) for (child,) in rows}
        return edges(1, *({int(str(row["child"])) for row in batch.each("job_edges")} - known))

    made = store.commit(CommitKind.PLAN, edges(1, 2, 3), rebase=drop_known, base=base)
    assert made is not None
    assert (made.number, seen) == (2, [1])
    assert store.rows("SELECT child, commit_number FROM job_edges ORDER BY 1", tables=["job_edges"]) == [
        (1, 1),
        (2, 1),
        (3, 2),
    ]
    # Nothing new is left: no commit. Without news there is no rebase.
    assert store.commit(CommitKind.PLAN, edges(1, 1), rebase=drop_known, base=base) is None
    assert store.commit(CommitKind.PLAN, edges(1, 9), rebase=drop_known, base=store.snapshot()) is not None
    assert seen == [1, 2]


def test_what_a_batch_is_rebased_from_is_never_guessed(store: Store) -> None:
    """Another thread may have asked for the newest snapshot since: others' rows would pass for known."""
    with pytest.raises(ValueError, match="needs the snapshot"):
        store.commit(CommitKind.PLAN, edges(1, 1), rebase=lambda _, batch: batch)
    assert store.snapshot().number == 0


def test_a_writer_that_loses_the_number_takes_the_next_and_leaves_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = Store.open(store.root)
    real_link = os.link
    lost: list[str] = []

    def link_after_the_rival(source: Path, target: Path) -> None:
        if not lost:
            lost.append(str(target))
            rival.commit(CommitKind.PLAN, edges(1, 1))
        real_link(source, target)

    monkeypatch.setattr("os.link", link_after_the_rival)
    made = store.commit(CommitKind.PLAN, edges(2, 2))

    assert made is not None
    assert made.number == 2
    assert store.rows("SELECT run, commit_number FROM job_edges ORDER BY 1", tables=["job_edges"]) == [(1, 1), (2, 2)]
    assert len(list((store.root / "segments" / "job_edges").iterdir())) == 2
    assert len(list((store.root / "commits").iterdir())) == 2


def test_a_link_whose_reply_was_lost_counts_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real_link = os.link

    def link_and_fail(source: Path, target: Path) -> None:
        real_link(source, target)
        raise FileExistsError(17, "File exists")

    monkeypatch.setattr("os.link", link_and_fail)
    made = store.commit(CommitKind.PLAN, edges(1, 1))
    assert made is not None
    assert store.snapshot().number == made.number == 1
    assert store.rows("SELECT count(*) FROM job_edges", tables=["job_edges"]) == [(1,)]


def test_records_that_others_brought_leave_the_root_too(store: Store) -> None:
    base = store.snapshot()
    store.commit(CommitKind.PLAN, edges(1, 1))

    def keep_second(_: Snapshot, batch: Batch) -> Batch:
        kept = Batch()
        for row in batch.each("invocations"):
            if row["record_sha256"] == b"b" * 32:
                kept.add("invocations", **row)
        return kept

    batch = Batch()
    batch.add("invocations", run=1, record_sha256=b"a" * 32)
    batch.add("invocations", run=1, record_sha256=b"b" * 32)
    made = store.commit(CommitKind.INGEST, batch, rebase=keep_second, base=base)
    assert made is not None
    assert made.records == 1
    assert made.records_root == hashlib.sha256(b"\0" + b"b" * 32).hexdigest()


# Damage


def test_a_missing_commit_among_others_is_damage_not_an_end(store: Store) -> None:
    for run in (1, 2, 3):
        store.commit(CommitKind.PLAN, edges(run, 1))
    (store.root / "commits" / "000000000002.json").unlink()
    with pytest.raises(DamagedStoreError, match="commit 2 is missing, later ones are there") as caught:
        Store.open(store.root).snapshot()
    assert caught.value.exit_code == 1


def test_a_commit_of_another_store_is_damage(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    other.commit(CommitKind.PLAN, edges(1, 1))
    name = "000000000001.json"
    (store.root / "commits" / name).write_bytes((other.root / "commits" / name).read_bytes())
    with pytest.raises(
        DamagedStoreError, match=f"commit 1 belongs to store {other.store_id}, this is {store.store_id}"
    ):
        store.snapshot()


def test_a_missing_segment_is_damage(store: Store) -> None:
    made = store.commit(CommitKind.PLAN, edges(1, 1))
    assert made is not None
    (store.root / made.segments[0].path).unlink()
    with pytest.raises(DamagedStoreError, match=f"{made.segments[0].path}: No such file or directory"):
        store.rows("SELECT * FROM job_edges", tables=["job_edges"])


@pytest.mark.parametrize("size", [0, 3, -3])
def test_a_segment_that_was_cut_is_damage(store: Store, size: int) -> None:
    made = store.commit(CommitKind.PLAN, edges(1, 1))
    assert made is not None
    path = store.root / made.segments[0].path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedStoreError, match=f"expected {made.segments[0].size} bytes with sha256"):
        store.rows("SELECT * FROM job_edges", tables=["job_edges"])


def test_an_error_of_the_query_is_not_called_damage(store: Store) -> None:
    store.commit(CommitKind.PLAN, edges(1, 1))
    with pytest.raises(duckdb.Error, match="Could not convert string 'x' to INT64"):
        store.rows("SELECT CAST('x' AS BIGINT) FROM job_edges", tables=["job_edges"])


def test_temporary_and_foreign_files_among_commits_are_not_read(store: Store) -> None:
    store.commit(CommitKind.PLAN, edges(1, 1))
    (store.root / "commits" / "0011223344556677.tmp").write_text('{"number":2')
    (store.root / "commits" / "README").write_text("hello")
    assert Store.open(store.root).snapshot().number == 1


# Where and how it runs


def test_an_identity_that_nests_without_end_is_damage(store: Store) -> None:
    path = store.root / "store.json"
    path.chmod(0o644)
    path.write_text("[" * 100_000)
    with pytest.raises(DamagedStoreError, match="expected format, store and created"):
        Store.open(store.root)


@pytest.mark.parametrize("name", ["year=2026", "we[i]rd *?{a,b}", 'it\'s ; -- "q"', "ünï\ncode", "~"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    store = Store.open(tmp_path / name / ".pirene")
    store.commit(CommitKind.PLAN, edges(1, 1))
    store.commit(CommitKind.PLAN, edges(2, 1))
    store.compact()
    assert store.rows("SELECT * FROM job_edges ORDER BY 1", tables=["job_edges"]) == [(1, 0, 1, 1), (2, 0, 1, 2)]


def test_reading_imports_neither_pyarrow_nor_sqlalchemy(store: Store) -> None:
    store.commit(CommitKind.PLAN, edges(1, 1))
    script = (
        "import sys; from provenance.store import Store; store = Store.open(sys.argv[1]);"
        "assert 'duckdb' not in sys.modules;"
        "print(store.rows('SELECT run FROM job_edges', tables=['job_edges']));"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'pyarrow', 'sqlalchemy', 'numpy', 'pandas'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.root)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[(1,)]", "[]"]


def test_reading_writes_nothing_so_a_read_only_store_can_be_read(store: Store, tmp_path: Path) -> None:
    """The file system says EROFS to every call that would change it, and is not even asked."""
    store.commit(CommitKind.PLAN, edges(1, 1))
    script = (
        "import sys; from provenance.store import Store;"
        "print(Store.open(sys.argv[1]).rows('SELECT run FROM job_edges', tables=['job_edges']))"
    )
    changing = (
        "mkdir,mkdirat,link,linkat,rename,renameat,renameat2,unlink,unlinkat,symlink,chmod,fchmod,utimensat,truncate"
    )
    trace = tmp_path / "trace"
    done = subprocess.run(
        [
            *("strace", "-f", "-o", str(trace)),
            *("-e", f"trace=openat,{changing}", "-e", f"inject={changing}:error=EROFS"),
            *(sys.executable, "-B", "-c", script, str(store.root)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[(1,)]\n"
    inside = [line for line in trace.read_text().splitlines() if str(store.root) in line]
    assert inside
    assert [line for line in inside if "O_RDONLY" not in line and "O_PATH" not in line] == []


def test_writing_where_nothing_can_be_written_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def read_only(path: str | Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise OSError(30, "Read-only file system")
        return real_open(path, flags, mode)

    monkeypatch.setattr("os.open", read_only)
    with pytest.raises(StoreError, match="Read-only file system") as caught:
        store.commit(CommitKind.PLAN, edges(1, 1))
    assert caught.value.exit_code == 2
    with pytest.raises(NotAStoreError, match="there is no store and none can be made") as made:
        Store.open(store.root.parent / "another")
    assert made.value.exit_code == 2


def test_segments_of_an_older_schema_are_read_with_nulls(store: Store) -> None:
    """A column that came later is null in rows from before; here the older segment is made by hand."""
    store.commit(CommitKind.PLAN, edges(1, 1))
    store.commit(CommitKind.PLAN, edges(2, 2))
    segment = store.snapshot().segments("job_edges")[0]
    path = store.root / segment.path
    rows = pq.read_table(path).drop_columns(["parent"])
    path.chmod(0o644)
    pq.write_table(rows, path)
    commit = store.root / "commits" / "000000000001.json"
    commit.chmod(0o644)
    document = json.loads(commit.read_text())
    del document["segments"][0]["columns"]["parent"]
    data = path.read_bytes()
    document["segments"][0].update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    del document["seal"]
    commit.write_bytes(sealed(document))

    reader = Store.open(store.root)
    assert reader.rows("SELECT * FROM job_edges ORDER BY 1", tables=["job_edges"]) == [(1, None, 1, 1), (2, 0, 2, 2)]
    old = reader.snapshot().at(1)
    assert reader.rows("SELECT * FROM job_edges", tables=["job_edges"], snapshot=old) == [(1, None, 1, 1)]


def test_an_unknown_table_is_a_bug(store: Store) -> None:
    assert "filez" not in BY_NAME
    with pytest.raises(KeyError, match="filez"):
        store.relation("filez")


def test_a_home_of_nobody_is_no_place_for_a_store() -> None:
    with pytest.raises(StoreError, match="there is no user of that name"):
        Store.open("~no-such-user/store")
