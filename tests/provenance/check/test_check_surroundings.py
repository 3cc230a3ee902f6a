"""What lies beside commits and segments is named and is no damage; the catalog is compared entry by entry."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from provenance.check.findings import Finding, Kind, Verdict
from provenance.check.mending import check_and_mend
from provenance.check.tampering import check_log
from provenance.check.whole import check_store
from provenance.ducklake import lake
from provenance.history.commits import CommitKind
from provenance.ingest.ingest import ingest
from provenance.segments.batch import Batch
from provenance.store import Store


def notes(store: Store) -> dict[str, Finding]:
    report = check_store(store.storage)
    assert report.verdict.exit_code == 0
    return {finding.path: finding for finding in report.findings}


def test_quarantine_is_named_with_its_reason(lived_in: Store) -> None:
    ingest(lived_in, [b'{"schema": "pirene.invocation/9"}'])
    (finding,) = notes(lived_in).values()
    assert finding.kind is Kind.QUARANTINED
    assert finding.path.startswith("quarantine/")
    assert finding.path.endswith(".record")
    assert "pirene.invocation/9" in finding.found


def test_strangers_are_named(lived_in: Store) -> None:
    for name in ("commits/notes.txt", "segments/jobs/README", "commits/42.json"):
        (lived_in.root / name).write_bytes(b"x")
    assert {(one.path, one.kind) for one in notes(lived_in).values()} == {
        ("commits/notes.txt", Kind.STRANGE),
        ("commits/42.json", Kind.STRANGE),
        ("segments/jobs/README", Kind.STRANGE),
    }


def _commit(store: Store) -> None:
    batch = Batch()
    batch.add("queries", name="q", version=1)
    store.commit(CommitKind.METADATA, batch)


def test_a_catalog_that_is_behind_is_stale_and_none_at_all_is_nothing_to_say(lived_in: Store) -> None:
    _commit(lived_in)
    (finding,) = notes(lived_in).values()
    assert (finding.kind, finding.path, finding.found) == (
        Kind.STALE,
        "lake.sqlite",
        "it has commits up to 8, the store has 9",
    )
    (lived_in.root / "lake.sqlite").unlink()
    assert notes(lived_in) == {}


def in_the_catalog(store: Store, statement: str) -> None:
    with closing(sqlite3.connect(store.root / "lake.sqlite")) as connection, connection:
        connection.executescript(statement)


A_FOREIGN_FILE = """
CREATE TABLE c AS SELECT * FROM ducklake_data_file WHERE data_file_id = 2;
UPDATE c SET data_file_id = 999, path = 'other.parquet';
INSERT INTO ducklake_data_file SELECT * FROM c;
"""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ducklake_data_file SET record_count = 7 WHERE data_file_id = 3",
        "UPDATE ducklake_data_file SET path = 'other.parquet' WHERE data_file_id = 3",
        "UPDATE ducklake_data_file SET end_snapshot = NULL WHERE end_snapshot IS NOT NULL",
        "UPDATE ducklake_data_file SET begin_snapshot = 1 WHERE data_file_id = 9",
        "UPDATE ducklake_file_column_stats SET max_value = min_value",
        "DELETE FROM ducklake_data_file WHERE data_file_id = 2",
        A_FOREIGN_FILE,
    ],
)
@pytest.mark.parametrize("mend", ["rebuild", "repair"])
def test_a_catalog_that_tells_another_story_is_damaged_and_made_anew(
    lived_in: Store, statement: str, mend: str
) -> None:
    """Whoever writes next would only add to it."""
    in_the_catalog(lived_in, statement)
    _commit(lived_in)
    lived_in.project()
    report = check_store(lived_in.storage)
    assert (report.verdict, {(one.kind, one.path) for one in report.findings}) == (
        Verdict.DAMAGED,
        {(Kind.MALFORMED, "lake.sqlite")},
    )
    log = check_log(lived_in.storage)
    assert (log.verdict.exit_code, {one.path for one in log.findings}) == (1, {"lake.sqlite"})
    report = check_and_mend(lived_in.storage, rebuild=mend == "rebuild", repair=mend == "repair")
    assert report.findings == ()
    (repair,) = report.repairs
    assert (repair.path, repair.done, repair.what) == (
        "lake.sqlite", True, "made anew from the commits, up to commit 9"
    )  # fmt: skip


def test_a_catalog_that_names_other_data_is_damaged(lived_in: Store) -> None:
    in_the_catalog(lived_in, "UPDATE ducklake_metadata SET value = '/elsewhere/' WHERE key = 'data_path'")
    report = check_store(lived_in.storage)
    assert {(one.kind, one.path) for one in report.findings} == {(Kind.MALFORMED, "lake.sqlite")}
    assert any("/elsewhere/" in one.found for one in report.findings)


def test_a_catalog_of_a_store_that_moved_is_stale(
    lived_in: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the user's cache, where it says from which folder the store was read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lake.os, "access", lambda *_: False)
    lived_in.project()
    moved = tmp_path / "moved"
    shutil.copytree(lived_in.root, moved)
    findings = check_store(Store.open(moved).storage).findings
    assert {(one.kind, one.path) for one in findings} == {(Kind.STALE, "lake.sqlite")}


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE ducklake_data_file",
        "DROP TABLE ducklake_snapshot",
        "UPDATE ducklake_metadata SET value = '{}' WHERE key = 'pirene'",
        "DELETE FROM ducklake_snapshot WHERE snapshot_id = 8",
        "UPDATE ducklake_snapshot_changes SET commit_extra_info = 'another' WHERE snapshot_id = 8",
    ],
)
def test_a_catalog_that_nobody_would_go_on_with_is_stale(lived_in: Store, statement: str) -> None:
    in_the_catalog(lived_in, statement)
    assert {(one.kind, one.path) for one in notes(lived_in).values()} == {(Kind.STALE, "lake.sqlite")}
    _commit(lived_in)
    lived_in.project()
    assert notes(lived_in) == {}


def test_a_checkpoint_that_was_made_wrong_is_stale(lived_in: Store) -> None:
    lived_in.sum_up()
    (path,) = (lived_in.root / "checkpoints").iterdir()
    assert notes(lived_in) == {}
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"rows":1', b'"rows":2', 1))
    name = path.relative_to(lived_in.root).as_posix()
    assert [(one.path, one.kind) for one in notes(lived_in).values()] == [(name, Kind.STALE)]
    assert check_and_mend(lived_in.storage, repair=True).findings == ()
    assert not path.exists()


def test_what_could_not_be_removed_is_not_called_removed(lived_in: Store) -> None:
    path = lived_in.root / "checkpoints" / "000000000008.json"
    path.mkdir(parents=True)  # which no unlink removes
    assert [(one.path, one.kind) for one in notes(lived_in).values()] == [("checkpoints/000000000008.json", Kind.STALE)]
    (repair,) = check_and_mend(lived_in.storage, repair=True).repairs
    assert (repair.path, repair.done, repair.what) == ("checkpoints/000000000008.json", False, "could not be removed")
