"""A sample is drawn by the root of the log; an audit names what the log contradicts, and what it could not read."""

from __future__ import annotations

import hashlib
import html
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrity.findings import FindingClass
from integrity.merkle import root_hash
from integrity.report import LogStatus
from provenance.audits.audits import audit_store
from provenance.audits.draw import seed
from provenance.audits.scrubs import Limits, SampleSize, scrub_store
from provenance.check.tampering import check_log
from provenance.errors import ReadFailedError
from provenance.history.entry import entry_of
from provenance.log.files import CHECKPOINT, stated
from provenance.log.keys import key_folder
from provenance.registration.raw_files import add_files
from provenance.store import Store
from tests.provenance.command_line import pirene_ended


@pytest.fixture
def files(store: Store, tmp_path: Path) -> Store:
    for number in range(5):
        (tmp_path / f"{number}.dat").write_bytes(b"%d" % number)
        add_files(store, [tmp_path / f"{number}.dat"])
    return store


def root_over(store: Store, number: int) -> bytes:
    """From the commits alone."""
    commits = sorted((store.root / "commits").glob("*.json"))[:number]
    return root_hash(entry_of(path.read_bytes()) for path in commits)


def test_an_altered_log_is_tampering_and_named(files: Store) -> None:
    files.project()
    checkpoint = files.root / CHECKPOINT
    (tile,) = (path for path in (files.root / "log" / "tile").rglob("*") if path.is_file())
    data = bytearray(tile.read_bytes())
    data[3] ^= 1
    tile.write_bytes(data)
    report = audit_store(files)
    assert (report.exit_code, report.log.status) == (4, LogStatus.MISMATCH)
    altered = [finding for finding in report.findings if finding.kind is FindingClass.LOG_MISMATCH]
    assert altered == list(report.findings) and all(finding.name.startswith("log/") for finding in altered)
    assert checkpoint.exists()


def test_an_expected_digest_that_was_changed_in_a_segment_is_tampering(files: Store, tmp_path: Path) -> None:
    """A file is replaced, and what is known of it with it: the bytes and the facts agree, but not with the commits."""
    (tmp_path / "2.dat").write_bytes(b"forged")
    segments = [path for path in (files.root / "segments" / "files").iterdir() if path.suffix == ".parquet"]
    forged = next(path for path in segments if "2.dat" in pq.read_table(path)["name"].to_pylist())
    rows = pq.read_table(forged).to_pylist()
    for row in rows:
        row.update(sha256=hashlib.sha256(b"forged").digest(), size=6)
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(forged)), forged)
    report = audit_store(files)
    assert (report.exit_code, report.log.status) == (4, LogStatus.MISMATCH)
    assert [finding.name for finding in report.findings if finding.kind is FindingClass.CATALOG_MISMATCH] == [
        str(forged.relative_to(files.root))
    ]


def test_segments_that_were_merged_into_others_are_left_to_the_check_of_the_log(files: Store) -> None:
    before = {segment.path for segment in files.snapshot().live()}
    assert files.compact()
    superseded, *_ = sorted(before - {segment.path for segment in files.snapshot().live()})
    path = files.root / superseded
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    assert audit_store(files).exit_code == 0
    assert [one.path for one in check_log(files.storage).altered] == [superseded]


@pytest.mark.parametrize("logged", [True, False])
def test_the_seed_is_the_root_of_the_log(files: Store, logged: bool) -> None:
    if logged:
        files.project()
        checkpoint = stated(files.storage)
        assert checkpoint is not None and seed(files, checkpoint.size) == checkpoint.root
    for number in range(files.snapshot().number + 1):
        assert seed(files, number) == root_over(files, number)


def test_a_sample_names_its_seed(files: Store) -> None:
    sample = scrub_store(files, limits=Limits(sample=SampleSize(count=2))).sample
    assert sample is not None and sample.seed == root_over(files, sample.commit)


def test_a_log_that_cannot_be_compared_does_not_keep_damage_quiet(
    files: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise ReadFailedError("commits/3: Input/output error")

    monkeypatch.setattr("provenance.log.state.examine", refuse)
    report = audit_store(files)
    assert (report.exit_code, report.log.status) == (3, LogStatus.UNKNOWN)
    assert "the log was not compared with the store: commits/3: Input/output error" in caplog.text
    (tmp_path / "3.dat").write_bytes(b"x")
    assert audit_store(files).exit_code == 1


@pytest.mark.parametrize("command", ["audit", "scrub"])
@pytest.mark.parametrize("format_", ["table", "json", "html", "junit"])
def test_what_nobody_vouches_for_is_said_in_every_format(
    files: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, format_: str
) -> None:
    """To somebody with another key, who does not trust that of the author."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    done = pirene_ended("--store", str(files.root), command, "--format", format_)
    assert done.exit_code == 3, done
    said = html.unescape(done.stdout)
    what = (
        "5 files, such as commits/000000000001.json: expected a signature of a key that you trust, found one of another"
    )
    assert what in said
    if format_ == "json":
        assert json.loads(done.stdout)["log"]["status"] == "unverified"
    else:
        assert ("log: unverified" if format_ == "table" else "Not all that the store says is signed by a key") in said


def test_a_key_that_is_trusted_then_is_enough(files: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files.project()
    key = key_folder().signing_key("x").verifier()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    assert audit_store(files).exit_code == 3
    key_folder().trust(key, "the author's")
    report = audit_store(files)
    assert (report.exit_code, report.log.status, report.log.unverified) == (0, LogStatus.CONSISTENT, ())
