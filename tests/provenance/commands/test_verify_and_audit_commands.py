from __future__ import annotations

import os

import pytest

from provenance.audits.verification import NothingThereError
from provenance.commands.audit import audit
from provenance.commands.query import query
from provenance.commands.verify import verify
from provenance.copies.replicas import by_url, file_url
from provenance.errors import WriteFailedError
from provenance.identity import source_of
from provenance.registration.raw_files import add_files


def flip(path, position=0):
    """One flipped bit, size and mtime kept."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_files_as_recorded_are_ok(runs, json_of):
    path = runs.output("left", "mid.dat")
    (result,) = json_of(verify, str(path))
    assert result["verdict"] == "ok"
    assert result["name"] == "mid.dat"
    assert result["expected_sha256"] == result["actual_sha256"] is not None
    assert [row["verdict"] for row in json_of(verify, str(runs.folder / "left"))] == ["ok"] * 3


def test_a_flipped_bit_is_found(runs, json_of):
    path = runs.output("left", "mid.dat")
    flip(path)
    (result,) = json_of(verify, str(path), exit_code=1)
    assert result["verdict"] == "content-mismatch"
    assert result["expected_sha256"] != result["actual_sha256"]


def test_missing_stale_swapped_truncated_appended(runs, json_of):
    left = runs.folder / "left"
    (left / "raw.dat").write_bytes(b"right")
    (left / "mid.dat").write_bytes(b"mid of")
    (left / "done.flag").unlink()
    found = {row["name"]: row["verdict"] for row in json_of(verify, str(left), exit_code=1)}
    assert found == {"raw.dat": "stale", "mid.dat": "truncated", "done.flag": "missing"}
    (left / "mid.dat").write_bytes(b"mid of left!")
    (result,) = json_of(verify, str(left / "mid.dat"), exit_code=1)
    assert result["verdict"] == "appended"
    (left / "mid.dat").write_bytes(b"left")
    (result,) = json_of(verify, str(left / "mid.dat"), exit_code=1)
    assert result["verdict"] == "swapped"


def test_what_is_gone_is_named_as_what_is_there(runs, json_of, monkeypatch):
    (runs.folder / "left" / "done.flag").unlink()
    monkeypatch.chdir(runs.folder)
    found = {row["path"] for row in json_of(verify, "left", exit_code=1)}
    assert found == {"left/raw.dat", "left/mid.dat", "left/done.flag"}


def test_what_nobody_knows_is_no_pass(runs, json_of, run_command, tmp_path):
    (tmp_path / "new").write_bytes(b"never seen")
    (result,) = json_of(verify, str(tmp_path / "new"), exit_code=3)
    assert (result["verdict"], result["name"], result["expected_sha256"]) == ("unknown", None, None)
    (tmp_path / "copy").write_bytes(b"mid of left")
    (result,) = json_of(verify, str(tmp_path / "copy"))
    assert (result["verdict"], result["name"]) == ("ok", "mid.dat")
    with pytest.raises(NothingThereError):
        run_command(verify, str(tmp_path / "nowhere"))


def test_a_link_to_a_known_file_is_that_file(runs, json_of, tmp_path):
    (tmp_path / "link").symlink_to(runs.output("left", "mid.dat"))
    (result,) = json_of(verify, str(tmp_path / "link"))
    assert (result["verdict"], result["name"]) == ("ok", "mid.dat")


def test_a_clean_audit_reads_everything_and_records_it(runs, json_of):
    report = json_of(audit)
    assert report["schema"] == "pirene.audit/1"
    assert report["verdict"] == "clean"
    assert report["coverage"] == {"replicas": 6, "verified": 6, "never_verified": 0, "unprotected": 0}
    assert report["findings"] == []
    assert len(json_of(query, 'checks where stage = "audit" and verdict = "ok"')) == 6


def test_an_audit_reads_bytes_and_says_what_is_affected(runs, json_of, run_command):
    flip(runs.output("left", "mid.dat"))
    report = json_of(audit, exit_code=1)
    assert report["verdict"] == "damaged"
    (finding,) = report["findings"]
    assert finding["class"] == "content-mismatch"
    assert finding["name"] == "mid.dat"
    assert finding["affected"] == {"files": ["done.flag"], "jobs": ["b"], "read_by": ["b"]}
    assert finding["stage"] == "audit"
    (row,) = json_of(query, 'checks where verdict = "mismatch"')
    assert (row["expected"], row["actual"]) == (finding["expected_sha256"], finding["actual_sha256"])
    assert len(json_of(query, 'files where status = "damaged"')) == 1
    flip(runs.output("left", "mid.dat"))
    assert json_of(audit)["verdict"] == "clean"
    assert json_of(query, 'files where status = "damaged"') == []
    assert "damaged" not in run_command(audit).stdout


def test_the_scope_is_a_run_or_a_query(runs, json_of):
    flip(runs.output("left", "raw.dat"))
    left = json_of(audit, "left", exit_code=1)
    assert left["coverage"]["replicas"] == 3
    assert left["scope"]["workflow"] == "left"
    assert json_of(audit, "right")["verdict"] == "clean"
    assert json_of(audit, 'files where name = "mid.dat"')["coverage"]["replicas"] == 2
    with pytest.raises(Exception, match="an audit is of files or replicas"):
        json_of(audit, "jobs")


def test_a_run_shows_what_its_jobs_found_though_the_bytes_are_gone(runs, json_of, record_bytes, read_file):
    from provenance.ingest.ingest import ingest

    bad = read_file(
        "mid.dat", b"mid of left", source=None, verdict="mismatch", actual_sha256="00" * 32, finding="content-mismatch"
    )
    failed = record_bytes(
        2, 2, run=runs.ids["left"], inputs=[bad], status="integrity_failed", exit_code=None, duration=None
    )
    ingest(runs.store, [failed])
    report = json_of(audit, "left", exit_code=1)
    (finding,) = report["findings"]
    assert (finding["name"], finding["stage"], finding["actual_sha256"]) == ("mid.dat", "pre-exec", "00" * 32)
    assert json_of(audit, "right")["verdict"] == "clean"


def test_what_was_put_right_is_damage_of_the_run_only(runs, json_of, record_bytes, read_file):
    """A changed input that was registered again, and an executable that was replaced and has run since."""
    from provenance.ingest.ingest import ingest

    path = runs.output("left", "raw.dat")
    source, file = by_url(runs.store, [file_url(path)])[file_url(path)].id
    wrong = {"verdict": "mismatch", "actual_sha256": "00" * 32, "finding": "content-mismatch"}
    bad = read_file("raw.dat", b"left", source=source, file=file, url=file_url(path), **wrong)
    tool = read_file("/bin/tool", b"old", source=None, role="executable", url="file:///bin/tool", **wrong)
    ended = {"status": "integrity_failed", "exit_code": None, "duration": None}
    ingest(runs.store, [record_bytes(2, 2, run=runs.ids["left"], inputs=[bad, tool], **ended)])
    path.write_bytes(b"changed on purpose")
    add_files(runs.store, [path])
    good = read_file("/bin/tool", b"new", source=None, role="executable", url="file:///bin/tool")
    ingest(runs.store, [record_bytes(2, 2, run=runs.ids["right"], inputs=[good])])
    assert json_of(audit)["findings"] == []
    assert [finding["name"] for finding in json_of(audit, "left", exit_code=1)["findings"]] == ["raw.dat", "/bin/tool"]


def test_what_was_allowed_to_be_missing_is_no_damage(runs, json_of, record_bytes, read_file):
    """Neither of a run that succeeded without it, nor of one that failed for another reason."""
    from provenance.answers.failures import failures
    from provenance.ingest.ingest import ingest

    gone = {"verdict": "missing", "optional": True, "actual_sha256": None, "actual_size": None}
    optional = read_file("calibration", url="file:///data/calibration", **gone)
    run = runs.ids["left"]
    failed = record_bytes(2, 2, run=run, inputs=[optional], status="failed", failure="exit code 1", exit_code=1)
    ingest(runs.store, [record_bytes(1, 2, run=run, inputs=[optional]), failed])
    assert json_of(audit, "left")["verdict"] == "clean"
    assert [(failure.id, failure.checks) for failure in failures(runs.store, source_of(run))] == [("b", ())]


def test_missing_copies_and_their_return(runs, json_of):
    path = runs.output("right", "raw.dat")
    data = path.read_bytes()
    path.unlink()
    (finding,) = json_of(audit, exit_code=1)["findings"]
    assert finding["class"] == "missing"
    assert [row["name"] for row in json_of(query, 'files where status = "gone"')] == ["raw.dat"]
    path.write_bytes(data)
    assert json_of(audit)["verdict"] == "clean"
    assert json_of(query, 'files where status = "gone"') == []


def test_a_copy_that_cannot_be_reached_is_incomplete(runs, json_of):
    from provenance.history.commits import CommitKind
    from provenance.registration.registration import Registration, register
    from provenance.segments.batch import Batch

    batch = Batch()
    import datetime as dt

    entry = Registration("far", "s3://bucket/far", sha256=bytes(32), size_bytes=5)
    register(runs.store, batch, 99, [entry], at=dt.datetime.now(dt.UTC))
    runs.store.commit(CommitKind.REGISTER, batch)
    report = json_of(audit, exit_code=3)
    assert report["verdict"] == "incomplete"
    assert report["coverage"]["never_verified"] == 1
    assert report["findings"][0]["class"] == "unreadable"


def test_a_replaced_copy_is_not_in_the_scope(runs, json_of):
    path = runs.output("left", "raw.dat")
    path.write_bytes(b"other")
    add_files(runs.store, [path])
    assert json_of(audit)["verdict"] == "clean"


def test_a_store_that_takes_nothing_is_no_reason_to_keep_damage_quiet(runs, json_of, monkeypatch, caplog):
    flip(runs.output("left", "mid.dat"))

    def refuse(*_: object, **__: object) -> None:
        raise WriteFailedError("Read-only file system")

    monkeypatch.setattr("provenance.segments.segment_files.write_batch", refuse)
    report = json_of(audit, exit_code=1)
    assert [finding["class"] for finding in report["findings"]] == ["content-mismatch"]
    assert "what this audit found is not recorded: Read-only file system" in caplog.text


def test_every_format_of_a_report_has_the_same_exit_code(runs, run_command):
    flip(runs.output("left", "mid.dat"))
    html = run_command(audit, "--format", "html", exit_code=1).stdout
    assert html.startswith("<!DOCTYPE html>") and "mid.dat" in html
    junit = run_command(audit, "--format", "junit", exit_code=1).stdout
    assert '<failure type="content-mismatch"' in junit
    text = run_command(audit, "--repair-plan", exit_code=1).stdout
    assert "run       job a of workflow left, which makes mid.dat" in text
    assert "to repair:" not in run_command(audit, exit_code=1).stdout


@pytest.mark.parametrize(("content", "kind"), [(b"left", "swapped"), (b"mid of right", "stale"), (b"?", "truncated")])
def test_what_a_job_refused_is_told_apart_by_what_the_store_knows(
    runs, json_of, record_bytes, read_file, content, kind
):
    """The wrapper knows no other files: all that it can say is that the bytes are not the expected ones."""
    from hashlib import sha256

    from provenance.ingest.ingest import ingest

    actual = sha256(content).hexdigest()
    wrong = {"verdict": "mismatch", "actual_sha256": actual, "actual_size": len(content), "finding": "truncated"}
    bad = read_file("mid.dat", b"mid of left", source=None, **wrong)
    ended = {"status": "integrity_failed", "exit_code": None, "duration": None}
    ingest(runs.store, [record_bytes(2, 2, run=runs.ids["left"], inputs=[bad], **ended)])
    (finding,) = json_of(audit, "left", exit_code=1)["findings"]
    assert (finding["class"], finding["stage"]) == (kind, "pre-exec")


def test_quiet_is_the_verdict_and_a_line_for_each_finding(runs, run_command):
    quiet = {"quiet": True}
    assert run_command(audit, invocation=quiet).stdout == "clean: 6 of 6 copies read and compared\n"
    path = runs.output("left", "mid.dat")
    flip(path)
    said = run_command(audit, exit_code=1, invocation=quiet).stdout.splitlines()
    assert said == ["damaged: 1 finding; 6 of 6 copies read and compared", f"content-mismatch: mid.dat  {path}"]
    assert "to repair" in run_command(audit, "--repair-plan", exit_code=1, invocation=quiet).stdout
