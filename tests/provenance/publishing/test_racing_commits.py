"""Two writers that race: whatever one brings between the other's look at the store and its commit, the result is one
that they could have reached one after the other.

Nothing is left to chance: the second writer does its work when the first is about to publish, which then finds that its
number is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provenance.audits.audits import audit_store
from provenance.copies.replicas import by_url, file_url
from provenance.history.commits import Commit, CommitKind
from provenance.ingest.ingest import Published, ingest
from provenance.publishing import compaction, publication
from provenance.registration.raw_files import add_files
from provenance.registration.retirement import retire_files
from provenance.segments.batch import Batch
from provenance.storage.interface import Storage
from provenance.store import Store

Overtake = Callable[[Callable[[Store], object]], None]


@pytest.fixture
def overtake(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Overtake]:
    """Makes the next commit be overtaken: its publication begins with what another process does to the store."""
    waiting: list[Callable[[Store], object]] = []
    lost: list[bool] = []
    publish = publication.publish

    def overtaken(storage: Storage, commit: Commit) -> bool:
        if not waiting:
            return publish(storage, commit)
        waiting.pop()(Store.open(store.root))
        published = publish(storage, commit)
        lost.append(not published)
        return published

    for module in (publication, compaction):
        monkeypatch.setattr(module, "publish", overtaken)
    yield waiting.append
    assert not waiting, "nothing was committed, so nothing was overtaken"
    assert lost == [True]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw"
    path.write_text("one")
    return path


def events(store: Store) -> list[str]:
    return [
        row[0] for row in store.rows('SELECT event FROM replicas ORDER BY commit_number, "at"', tables=["replicas"])
    ]


def state(store: Store, path: Path) -> str | None:
    rows = store.query("replicas show state, url").rows()
    return next((row[0] for row in rows if row[1] == file_url(path)), None)


def count(store: Store, table: str) -> int:
    return int(store.rows(f"SELECT count(*) FROM {table}", tables=[table])[0][0])


def test_one_file_that_two_register_is_one(store: Store, raw: Path, overtake: Overtake) -> None:
    overtake(lambda other: add_files(other, [raw], metadata={}))
    mine = add_files(store, [raw])
    assert count(store, "files") == 1
    assert events(store) == ["registered", "verified"]
    assert by_url(store, [file_url(raw)])[file_url(raw)].id == mine.files[0].file


def test_of_two_contents_at_one_place_the_later_replaces_the_earlier(
    store: Store, raw: Path, overtake: Overtake
) -> None:
    def other(their: Store) -> None:
        raw.write_text("two")
        add_files(their, [raw])

    overtake(other)
    mine = add_files(store, [raw])  # it read what was there before
    assert events(store).count("registered") == 2
    assert events(store).count("replaced") == 1
    assert by_url(store, [file_url(raw)])[file_url(raw)].id == mine.files[0].file


def test_a_file_is_retired_once(store: Store, raw: Path, overtake: Overtake) -> None:
    (file,) = add_files(store, [raw]).files
    overtake(lambda other: retire_files(other, [file.file], reason="theirs"))
    assert retire_files(store, [file.file], reason="mine") == 0
    assert events(store) == ["registered", "retired"]


def test_what_is_registered_while_it_is_retired_is_retired(store: Store, raw: Path, overtake: Overtake) -> None:
    (file,) = add_files(store, [raw]).files
    copy = raw.with_name("copy")

    def other(their: Store) -> None:
        batch = Batch()
        source, number = file.file
        batch.add(
            "replicas",
            source=source,
            file=number,
            url=file_url(copy),
            site="local",
            event="registered",
            at=dt.datetime.now(dt.UTC),
        )
        their.commit(CommitKind.REGISTER, batch)

    overtake(other)
    assert retire_files(store, [file.file]) == 1
    assert events(store) == ["registered", "registered", "retired", "retired"]


def test_one_record_that_two_bring_counts_once(
    store: Store,
    overtake: Overtake,
    record_bytes: Callable[..., bytes],
    made_file: Callable[..., dict[str, Any]],
    read_file: Callable[..., dict[str, Any]],
) -> None:
    record = record_bytes(inputs=[read_file("in")], outputs=[made_file("out")])
    other = record_bytes(2)
    places = {(1, 1, "out"): Published("file:///out", "local", None, None)}
    overtake(lambda their: ingest(their, [record, other], published=places))
    mine = ingest(store, [record], published=places)
    assert (mine.commits, mine.new, mine.known) == ((), 0, 1)
    assert count(store, "invocations") == 2
    assert events(store) == ["registered"]


def test_two_records_of_one_attempt_the_first_counts_and_the_other_is_kept(
    store: Store, overtake: Overtake, record_bytes: Callable[..., bytes]
) -> None:
    overtake(lambda their: ingest(their, [record_bytes(exit_code=0)]))
    mine = ingest(store, [record_bytes(hostname="elsewhere")])
    assert mine.commits == ()
    assert "another record of this attempt" in mine.rejected[0].reason
    assert count(store, "invocations") == 1


def test_a_copy_that_is_retired_while_an_audit_looks_at_it_stays_retired(
    store: Store, raw: Path, overtake: Overtake
) -> None:
    (file,) = add_files(store, [raw]).files
    raw.write_text("damaged")
    overtake(lambda other: retire_files(other, [file.file]))
    report = audit_store(store)
    assert len(report.findings) == 1
    assert events(store) == ["registered", "retired"]
    assert store.rows("SELECT verdict FROM checks", tables=["checks"]) == [("mismatch",)]
    assert state(store, raw) == "retired"


def test_a_copy_that_comes_back_after_an_audit_missed_it_is_there(store: Store, raw: Path, overtake: Overtake) -> None:
    add_files(store, [raw])
    raw.rename(raw.with_name("away"))
    audit_store(store)
    assert state(store, raw) == "missing"

    def other(their: Store) -> None:
        raw.with_name("away").rename(raw)
        add_files(their, [raw])

    overtake(other)
    audit_store(store)
    assert state(store, raw) == "ok"
    assert count(store, "checks") == 2


def test_two_audits_of_one_damage_say_it_once(store: Store, raw: Path, overtake: Overtake) -> None:
    add_files(store, [raw])
    raw.write_text("damaged")
    overtake(audit_store)
    audit_store(store)
    assert events(store) == ["registered", "quarantined"]
    assert count(store, "checks") == 2


def test_an_audit_keeps_what_is_news_beside_what_is_not(store: Store, raw: Path, overtake: Overtake) -> None:
    beside = raw.with_name("beside")
    beside.write_text("b")
    (file, _) = add_files(store, [raw, beside]).files
    raw.write_text("damaged")
    beside.unlink()
    overtake(lambda other: retire_files(other, [file.file]))
    audit_store(store)
    assert events(store)[2:] == ["retired", "missing"]
    assert state(store, beside) == "missing"


def test_rows_that_come_while_segments_are_merged_stay_beside_them(store: Store, overtake: Overtake) -> None:
    def commit(to: Store, run: int) -> None:
        batch = Batch()
        batch.add("job_edges", run=run, parent=1, child=2)
        to.commit(CommitKind.PLAN, batch)

    commit(store, 1)
    commit(store, 2)
    overtake(lambda other: commit(other, 3))
    made = store.compact()
    assert made is not None and made.number == 4
    assert store.rows("SELECT run FROM job_edges ORDER BY run", tables=["job_edges"]) == [(1,), (2,), (3,)]


def test_of_two_compactions_one_is_done(store: Store, overtake: Overtake) -> None:
    for run in (1, 2):
        batch = Batch()
        batch.add("job_edges", run=run, parent=1, child=2)
        store.commit(CommitKind.PLAN, batch)
    overtake(lambda other: other.compact())
    assert store.compact() is None
    assert store.rows("SELECT run FROM job_edges ORDER BY run", tables=["job_edges"]) == [(1,), (2,)]
    assert len(store.snapshot().segments("job_edges")) == 1
