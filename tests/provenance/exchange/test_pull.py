"""Pull and push: what comes, what is refused, and that nothing is half done. Random histories are in another file."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.ducklake.lake_differences import differences
from provenance.errors import CannotMergeError, DamagedStoreError, NotAStoreError, UnsupportedStoreError
from provenance.exchange import pull, pulled_rows
from provenance.exchange.pull import PulledChain
from provenance.history import commits, formats
from provenance.history.commits import Commit, CommitKind
from provenance.orphans import orphans
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage
from provenance.store import Store
from tests.provenance.exchange.republishing import republish
from tests.provenance.held import is_held

Named = Callable[[str], Store]


@pytest.fixture
def named(tmp_path: Path) -> Named:
    """Makes stores."""
    return lambda name: Store.open(tmp_path / name)


def edges(run: int, *children: int) -> Batch:
    batch = Batch()
    for child in children:
        batch.add("job_edges", run=run, parent=0, child=child)
    return batch


def say(store: Store, run: int, *children: int) -> Commit:
    made = store.commit(CommitKind.PLAN, edges(run, *children))
    assert made is not None
    return made


def rows(store: Store) -> list[tuple[int, int]]:
    return sorted(store.rows("SELECT run, child FROM job_edges", tables=["job_edges"]))


def nothing_came(store: Store, number: int = 0) -> None:
    assert Store.open(store.root).snapshot().number == number


def test_commits_come_as_they_are_and_nothing_comes_twice(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1, 2)
    say(cluster, 2, 3)
    report = pull.pull(laptop, cluster)
    assert report.commit == 1
    assert (report.commits, report.rows, report.segments) == (2, {"job_edges": 3}, 2)
    assert report.chains == (PulledChain(cluster.store_id, 1, 2),)
    assert rows(laptop) == [(1, 1), (1, 2), (2, 3)]
    own = [path.read_bytes() for path in sorted((cluster.root / "commits").iterdir())]
    (kept,) = (laptop.root / "foreign" / cluster.store_id).iterdir()
    assert kept.read_bytes().splitlines() == own
    assert hashlib.sha256(kept.read_bytes()).hexdigest() in kept.name
    assert pull.pull(laptop, cluster).commit is None
    assert pull.pull(cluster, laptop).commit is None
    assert laptop.snapshot().number == 1


def test_a_segment_that_holds_old_and_new_rows_gives_the_new_ones(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1, 2)
    pull.pull(laptop, cluster)
    say(cluster, 2, 3)
    say(cluster, 3, 4)
    cluster.compact()
    report = pull.pull(laptop, cluster)
    # The last commit is a compaction: it brings no facts, and stays until there is one that does.
    assert report.chains == (PulledChain(cluster.store_id, 2, 3),)
    assert rows(laptop) == rows(cluster) == [(1, 1), (1, 2), (2, 3), (3, 4)]
    numbers = laptop.rows("SELECT run, commit_number FROM job_edges ORDER BY ALL", tables=["job_edges"])
    assert numbers == [(1, 1), (1, 1), (2, 2), (3, 2)]
    laptop.compact()
    assert len(laptop.snapshot().segments("job_edges")) == 1
    assert laptop.rows("SELECT run, commit_number FROM job_edges ORDER BY ALL", tables=["job_edges"]) == numbers
    say(cluster, 4, 5)
    assert pull.pull(laptop, cluster).chains == (PulledChain(cluster.store_id, 4, 5),)
    assert rows(laptop) == rows(cluster)


def test_what_came_by_another_store_does_not_come_again(named: Named) -> None:
    laptop, cluster, archive = named("laptop"), named("cluster"), named("archive")
    say(archive, 1, 1)
    pull.pull(cluster, archive)
    report = pull.pull(laptop, cluster)
    assert report.chains == (PulledChain(archive.store_id, 1, 1),)  # the cluster itself has no facts of its own
    assert pull.pull(laptop, archive).commit is None
    say(archive, 2, 2)
    assert pull.pull(laptop, archive).commits == 1
    say(cluster, 3, 3)
    assert pull.pull(laptop, cluster).chains == (PulledChain(cluster.store_id, 1, 2),)
    assert rows(laptop) == [(1, 1), (2, 2), (3, 3)]


def test_a_dry_run_says_what_would_come(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    dry = pull.pull(laptop, cluster, dry_run=True)
    nothing_came(laptop)
    assert not (laptop.root / "foreign").exists()
    assert replace(pull.pull(laptop, cluster), commit=None) == dry


def test_two_stores_may_have_segments_of_the_same_bytes(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(laptop, 1, 1)
    say(cluster, 1, 1)
    archive = named("archive")
    pull.pull(archive, laptop)
    pull.pull(archive, cluster)
    assert rows(archive) == [(1, 1), (1, 1)]


def test_checkpoints_know_what_was_pulled(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    pull.pull(laptop, cluster)
    for number in range(70):
        say(laptop, 2, number)
    assert list((laptop.root / "checkpoints").iterdir())
    opened = Store.open(laptop.root)
    assert opened.snapshot().foreign.known(cluster.store_id) == 1
    assert pull.pull(opened, cluster).commit is None
    assert rows(opened) == rows(laptop)


def test_pulled_rows_are_in_the_ducklake_catalog_from_their_commit_on(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(laptop, 1, 1)
    say(cluster, 2, 2, 3)
    pull.pull(laptop, cluster)
    laptop.project()
    with sqlite3.connect(laptop.root / "lake.sqlite") as catalog:
        found = catalog.execute(
            "SELECT begin_snapshot, record_count, path FROM ducklake_data_file ORDER BY 1"
        ).fetchall()
    assert [(begin, count) for begin, count, _ in found] == [(1, 1), (2, 2)]
    assert all((laptop.root / "segments" / "job_edges" / path).exists() for *_, path in found)


def test_stores_that_pulled_from_each_other_answer_every_query_alike(
    named: Named, full_batch: Callable[[int, int], Batch]
) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    for first, store in enumerate((laptop, cluster, laptop)):
        store.commit(CommitKind.PLAN, full_batch(5 * first + 1, 5 * first + 5))
    pull.pull(laptop, cluster)
    pull.pull(cluster, laptop)
    for entity in ("files", "jobs", "workflows", "replicas", "checks"):
        here, there = (sorted(map(repr, store.query(f"{entity} show *").objects())) for store in (laptop, cluster))
        assert here == there
        assert len(here) > 10 or entity == "replicas"
    for store in (laptop, cluster):
        store.compact()
        store.project()
        assert differences(store) == []


def test_a_record_that_two_stores_took_in_counts_once_and_alike(named: Named) -> None:
    laptop, cluster, archive = named("laptop"), named("cluster"), named("archive")
    for store, host in ((cluster, "first"), (laptop, "second")):
        store.commit(CommitKind.INGEST, attempt(7, host))
    laptop.commit(CommitKind.INGEST, attempt(8, "alone"))
    for one, other in ((laptop, cluster), (cluster, laptop), (archive, laptop)):
        pull.pull(one, other)
    for store in (laptop, cluster, archive, Store.open(archive.root)):
        for table, expected in (("invocations", 2), ("files", 4), ("uses", 4), ("checks", 2)):
            for form in (table, f"{table}_in_order"):
                assert store.rows(f"SELECT count(*) FROM {form}", tables=[form]) == [(expected,)]
        hosts = store.rows("SELECT run, host FROM invocations ORDER BY run", tables=["invocations"])
        assert hosts == [(7, "first"), (8, "alone")]
    before = laptop.snapshot().at(2)
    assert laptop.rows("SELECT host FROM invocations ORDER BY run", tables=["invocations"], snapshot=before) == [
        ("second",),
        ("alone",),
    ]
    # What is taken in later is compared with what is there by then: nothing more comes twice.
    cluster.commit(CommitKind.INGEST, attempt(9, "later"))
    pull.pull(archive, cluster)
    assert archive.rows("SELECT count(*) FROM files", tables=["files"]) == [(6,)]


def attempt(run: int, host: str) -> Batch:
    """Rows as an invocation record has them: one attempt that wrote a file and read a raw one twice."""
    batch = Batch()
    batch.add("invocations", run=run, job=1, attempt=1, host=host, status="succeeded")
    batch.add("files", source=run, file=1, job=1, attempt=1, name="out", origin="produced")
    batch.add("files", source=run, file=0, name="in", origin="raw")
    for role in ("input", "executable"):
        batch.add("uses", run=run, job=1, attempt=1, source=run, file=0, name="in", role=role, direction="read")
    batch.add("checks", source=run, number=0, run=run, job=1, attempt=1, verdict="ok")
    return batch


# Refused


def test_a_store_does_not_pull_from_itself(named: Named, tmp_path: Path) -> None:
    laptop = named("laptop")
    say(laptop, 1, 1)
    (tmp_path / "link").symlink_to(laptop.root)
    for place in (laptop.root, tmp_path / "link"):
        with pytest.raises(CannotMergeError, match="is the very store that would pull from it"):
            pull.pull(laptop, Store.existing(place))


def test_there_must_be_a_store(tmp_path: Path, named: Named) -> None:
    with pytest.raises(NotAStoreError, match="nothing: there is no store"):
        Store.existing(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    inner = named("project/.pirene")
    assert Store.existing(tmp_path / "project").store_id == inner.store_id


def test_a_copy_that_was_gone_on_with_is_refused(named: Named) -> None:
    laptop = named("laptop")
    say(laptop, 1, 1)
    shutil.copytree(laptop.root, laptop.root.with_name("copy"))
    copy = named("copy")
    assert pull.pull(laptop, copy).commit is None  # a backup has nothing new
    say(laptop, 2, 2)
    with pytest.raises(CannotMergeError, match=r"commits 2 to 2 of store .* which .*copy has lost"):
        pull.pull(copy, laptop)
    say(copy, 3, 3)
    for one, other in ((laptop, copy), (copy, laptop)):
        with pytest.raises(CannotMergeError, match=f"different commits 2 of store {laptop.store_id}: it was copied"):
            pull.pull(one, other)
    archive = named("archive")
    pull.pull(archive, laptop)
    with pytest.raises(CannotMergeError, match="different commits 2 of store"):
        pull.pull(archive, copy)
    # It is found also where the copy went through another store.
    colleague = named("colleague")
    pull.pull(colleague, copy)
    with pytest.raises(CannotMergeError, match="different commits 2 of store"):
        pull.pull(archive, colleague)
    assert rows(archive) == [(1, 1), (2, 2)]


def test_a_store_that_lost_commits_is_told_so(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(laptop, 1, 1)
    shutil.copytree(laptop.root, laptop.root.with_name("backup"))
    say(laptop, 2, 2)
    pull.pull(cluster, laptop)
    with pytest.raises(CannotMergeError, match="commits 2 to 2 of store") as caught:
        pull.pull(named("backup"), cluster)
    assert "restore it from a newer copy" in str(caught.value.hint)


def test_commits_of_a_clock_that_is_wrong_are_refused(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    made = say(cluster, 1, 1)
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    republish(cluster, replace(made, time=ahead))
    cluster = Store.open(cluster.root)
    with pytest.raises(CannotMergeError, match="one of the clocks is wrong"):
        pull.pull(laptop, cluster)
    nothing_came(laptop)
    pull.pull(laptop, cluster, accept_future=True)
    # What is said here is later than what it was said after, whatever the clock says.
    pulled = laptop.snapshot().time
    assert pulled is not None
    assert say(laptop, 1, 2).time > pulled > ahead


def test_after_commits_of_the_end_of_time_there_could_be_none(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    made = say(cluster, 1, 1)
    republish(cluster, replace(made, time=dt.datetime.max.replace(tzinfo=dt.UTC)))
    with pytest.raises(CannotMergeError, match=r"dated up to 9999-12-31T23:59:59\.999999Z, and no later commit"):
        pull.pull(laptop, Store.open(cluster.root), accept_future=True)
    assert say(laptop, 1, 1).number == 1
    republish(cluster, replace(made, time=dt.datetime(9998, 12, 31, tzinfo=dt.UTC)))
    pull.pull(laptop, Store.open(cluster.root), accept_future=True)
    assert say(laptop, 1, 2).time.year == 9998
    # Such a commit of its own a store can only have from a clock; there is no way on, and that is said.
    republish(cluster, replace(made, time=dt.datetime.max.replace(tzinfo=dt.UTC)))
    with pytest.raises(
        DamagedStoreError, match=r"is dated 9999-12-31T23:59:59\.999999Z: no commit could be dated later"
    ):
        say(Store.open(cluster.root), 1, 2)


def test_a_damaged_segment_is_named_and_nothing_comes(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    say(cluster, 2, 2)
    first, second = (cluster.root / segment.path for segment in cluster.snapshot().segments("job_edges"))
    data = second.read_bytes()
    second.chmod(0o644)
    second.write_bytes(data[:100] + bytes([data[100] ^ 4]) + data[101:])
    with pytest.raises(DamagedStoreError, match=f"{second}: expected {len(data)} bytes with sha256"):
        pull.pull(laptop, cluster)
    nothing_came(laptop)
    copied = f"segments/job_edges/*-{cluster.store_id}-{_digest(first)}.parquet"
    (before,) = laptop.root.glob(copied)
    inode = before.stat().st_ino
    second.write_bytes(data)
    pull.pull(laptop, cluster)
    assert rows(laptop) == [(1, 1), (2, 2)]
    (after,) = laptop.root.glob(copied)
    assert after.stat().st_ino == inode  # what was copied already was not copied again
    assert orphans(laptop) == []


def test_what_was_left_half_is_copied_again(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    (segment,) = cluster.snapshot().segments("job_edges")
    left = laptop.root / f"segments/job_edges/000000000001-0123456789abcdef-{cluster.store_id}-{segment.sha256}.parquet"
    left.write_bytes(bytes(segment.size))
    pull.pull(laptop, cluster)
    assert rows(laptop) == [(1, 1)]
    (here,) = laptop.snapshot().segments("job_edges")
    assert _digest(laptop.root / here.path) == segment.sha256
    assert here.path != left.relative_to(laptop.root).as_posix()


@pytest.mark.parametrize("lost", ["commits/000000000001.json", "segments/job_edges"])
def test_what_is_missing_is_named(named: Named, lost: str) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    path = cluster.root / lost
    gone = next(path.iterdir()) if path.is_dir() else path
    gone.unlink()
    if path.is_dir():
        with pytest.raises(DamagedStoreError, match=f"{gone}: No such file"):
            pull.pull(laptop, cluster)
    else:
        with pytest.raises(DamagedStoreError, match="No such file"):
            pull.pull(laptop, cluster)
    nothing_came(laptop)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"rows":1', b'"rows":2', "not the bytes that were sealed"),
        (b'"kind":"plan"', b'"kind":"party"', "not the bytes that were sealed"),
        (b'"number":1', b'"number":7', "holds commit 7|found commit 7|not the bytes that were sealed"),
    ],
)
def test_a_commit_that_was_tampered_with_is_refused(named: Named, old: bytes, new: bytes, message: str) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    cluster.snapshot()
    path = cluster.root / "commits" / commits.file_name(1)
    data = path.read_bytes()
    assert old in data
    path.chmod(0o644)
    path.write_bytes(data.replace(old, new))
    with pytest.raises(DamagedStoreError, match=message):
        pull.pull(laptop, cluster)
    nothing_came(laptop)


def test_rows_that_nobody_committed_do_not_come(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    made = say(cluster, 1, 1)
    (segment,) = made.segments
    republish(cluster, replace(made, segments=(replace(segment, rows=2),)))
    with pytest.raises(DamagedStoreError, match="expected rows 2, as is said of it; found 1"):
        pull.pull(laptop, Store.open(cluster.root))
    nothing_came(laptop)
    assert orphans(laptop) == []


def test_rows_that_were_lost_are_missed(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    made = say(cluster, 2, 2)
    merged = replace(made, kind=CommitKind.COMPACT, replaces=[segment.path for segment in made.segments], segments=())
    republish(cluster, replace(made, segments=made.segments))
    lost = replace(merged, number=3, time=made.time + dt.timedelta(seconds=1))
    (cluster.root / "commits" / commits.file_name(3)).write_bytes(commits.encode(cluster.chain.vouched(lost)))
    with pytest.raises(DamagedStoreError, match=r"commit 2 of store .* brought 1 rows of job_edges, found 0"):
        pull.pull(laptop, Store.open(cluster.root))
    nothing_came(laptop)


def test_what_a_newer_version_wrote_is_refused(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    made = say(cluster, 1, 1)
    republish(cluster, replace(made, format=formats.newest() + 1))
    with pytest.raises(UnsupportedStoreError, match="a commit of format 2"):
        pull.pull(laptop, Store.open(cluster.root))
    nothing_came(laptop)


def test_a_column_that_this_version_does_not_know_is_refused(named: Named) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    made = say(cluster, 1, 1)
    (segment,) = made.segments
    table = pq.read_table(cluster.root / segment.path)
    sink = pa.BufferOutputStream()
    pq.write_table(table.append_column("mood", pa.array(["good"])), sink)
    data = sink.getvalue().to_pybytes()
    path = cluster.root / segment.path
    path.chmod(0o644)
    path.write_bytes(data)
    changed = replace(segment, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    republish(cluster, replace(made, segments=(changed,)))
    with pytest.raises(DamagedStoreError, match="expected the columns of its commit, found mood in one of them only"):
        pull.pull(laptop, Store.open(cluster.root))
    changed = replace(changed, columns={**segment.columns, "mood": {"size": 1}})
    republish(cluster, replace(made, segments=(changed,)))
    with pytest.raises(UnsupportedStoreError, match="a column 'mood' of job_edges"):
        pull.pull(laptop, Store.open(cluster.root))
    nothing_came(laptop)


# Races


def test_a_writer_that_is_faster_changes_nothing(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, cluster = named("laptop"), named("cluster")
    say(cluster, 1, 1)
    say(laptop, 9, 9)
    rival, real, raced = Store.open(laptop.root), pull.publish, []

    def publish(storage: LocalStorage, commit: Commit) -> bool:
        if len(raced) < 2:
            raced.append(say(rival, 5, len(raced)).number)
        return real(storage, commit)

    monkeypatch.setattr(pull, "publish", publish)
    assert pull.pull(laptop, cluster).commit == 4
    assert raced == [2, 3]
    assert rows(laptop) == [(1, 1), (5, 0), (5, 1), (9, 9)]
    document = json.loads((laptop.root / "commits" / commits.file_name(4)).read_bytes())
    assert [commit["follows"] for commit in document["pulled"][0]["commits"]] == [0]


def test_a_busy_store_is_pulled_into(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers without turns come first again and again: of what the store holds only what came since is read."""
    laptop, cluster = named("laptop"), named("cluster")
    cluster.commit(CommitKind.INGEST, attempt(7, "cluster"))
    cluster.commit(CommitKind.INGEST, attempt(8, "cluster"))
    cluster.commit(CommitKind.INGEST, attempt(9, "cluster"))
    laptop.commit(CommitKind.INGEST, attempt(8, "laptop"))
    rival, real, paths = Store.open(laptop.root), pull.publish, LocalStorage.paths
    raced: list[int] = []
    read: list[set[str]] = [set()]

    def publish(storage: LocalStorage, commit: Commit) -> bool:
        assert is_held(laptop.root / "commits")
        if len(raced) < 3:
            rival.commit(CommitKind.INGEST, attempt(9 + len(raced), "laptop"))
            raced.append(commit.number)
        read.append(set())
        return real(storage, commit)

    def noted(storage: LocalStorage, segments: Sequence[commits.Segment]) -> list[Path]:
        if storage is laptop.storage:
            read[-1].update(segment.path for segment in segments if segment.table == "invocations")
        return paths(storage, segments)

    monkeypatch.setattr(pull, "publish", publish)
    monkeypatch.setattr(LocalStorage, "paths", noted)
    assert pull.pull(laptop, cluster).commit == 5
    monkeypatch.undo()
    assert raced == [2, 3, 4]
    came = [segment.path for segment in laptop.snapshot().segments("invocations") if segment.origin is None]
    assert read[:-1] == [{came[0]}, {came[1]}, set(), set()]  # runs 10 and 11 are none of those that were pulled
    assert laptop.snapshot().foreign.twice == (8, 9)
    hosts = laptop.rows("SELECT run, host FROM invocations ORDER BY run", tables=["invocations"])
    assert hosts == [(7, "cluster"), (8, "cluster"), (9, "cluster"), (10, "laptop"), (11, "laptop")]


@pytest.mark.parametrize("merged", [False, True])
def test_two_pulls_at_once_bring_everything_once(named: Named, monkeypatch: pytest.MonkeyPatch, merged: bool) -> None:
    laptop, cluster, archive = named("laptop"), named("cluster"), named("archive")
    say(cluster, 1, 1)
    pull.pull(laptop, cluster)
    say(cluster, 2, 2)
    say(archive, 3, 3)
    if merged:
        cluster.compact()
    rival, real, overtaken = Store.open(laptop.root), pulled_rows.check_counts, []

    def check(*arguments: object) -> None:
        if not overtaken:
            overtaken.append(True)
            monkeypatch.setattr(pulled_rows, "check_counts", real)
            pull.pull(rival, cluster)
            pull.pull(rival, archive)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pulled_rows, "check_counts", check)
    assert pull.pull(laptop, cluster).commit is None
    assert rows(laptop) == [(1, 1), (2, 2), (3, 3)]
    assert orphans(laptop) == []


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
