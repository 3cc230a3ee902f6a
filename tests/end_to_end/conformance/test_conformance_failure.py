"""Jobs that fail, each in its own way, in one run: what is said of each, what is not run for it, and what is.

Two files are damaged: a raw file before the run, an intermediate between the job that made it and the one that reads
it. Neither reader may start; with `--on-mismatch fail`, nothing is tried either.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

FAILS = """#!/bin/sh
# MARK OUTPUT: writes its output, complains and fails, unless MARK exists
echo half > "$2"
[ -e "$1" ] && exit 0
echo "on the way"
echo "what went wrong" >&2
exit 7
"""
FAILS_AGAIN = """#!/bin/sh
# JOURNAL
echo started >> "$1"
exit 3
"""
KILLS_ITSELF = """#!/bin/sh
echo "the last words"
kill -KILL $$
"""
MAKES = """#!/bin/sh
# FILE...
for name; do echo "content of $name" > "$name"; done
"""
MAKES_MIDDLE = """#!/bin/sh
# three outputs
echo first > first
echo intermediate > middle
mkdir folder && echo inside > folder/inside
"""
LINKS = """#!/bin/sh
# OUTPUT TARGET
ln -s "$2" "$1"
"""
WAITS = """#!/bin/sh
# STARTED GATE OUTPUT
: > "$1"
while [ ! -e "$2" ]; do sleep 0.05; done
echo "gone on" > "$3"
"""
READS = """#!/bin/sh
# STARTED INPUT OUTPUT
: > "$1"
cat "$2" > "$3"
"""
NO_INTERPRETER = """#!/no/such/interpreter
"""
PROGRAMS = {
    "fails": FAILS,
    "fails-again": FAILS_AGAIN,
    "kills-itself": KILLS_ITSELF,
    "links": LINKS,
    "makes": MAKES,
    "makes-middle": MAKES_MIDDLE,
    "no-interpreter": NO_INTERPRETER,
    "reads": READS,
    "waits": WAITS,
}
FAILED = {"fails", "fails-again", "kills-itself", "links", "makes-too-little", "no-interpreter"}
REFUSED = {"reads-raw", "reads-middle", "reads-folder"}
NOT_RUN = {"after-fails", "after-after-fails", "after-kill", "after-too-little", "after-reads-raw"}
DONE = {"makes-middle", "holds", "aside", "after-aside", "reads-good"}
RAW = b"0123456789abcdef" * 64


def flip_bit(path: Path) -> None:
    """One bit of a file that somebody else may own, and may have made read-only."""
    with path.open("r+b") as file:
        file.seek(5)
        byte = file.read(1)[0]
        file.seek(5)
        file.write(bytes([byte ^ 4]))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def bad(ran, job, until):
    """The run of all cases."""
    return ran("bad", lambda bench: make(bench, job, until))


def make(bench, job, until):
    marks = bench.marks
    replicas = [
        bench.raw("damaged", RAW, checksum={"sha256": digest(RAW)}),
        bench.raw("whole", RAW, checksum={"sha256": digest(RAW)}),
    ]
    flip_bit(bench.folder / "raw" / "damaged")
    workflow = bench.write("bad", PROGRAMS, jobs(job, marks), replicas=replicas)
    with bench.started(*bench.plan_and_run(workflow), "--on-mismatch", "fail") as process:
        until((marks / "holds-started").exists, process)
        for name in ("middle", "folder/inside"):
            flip_every_copy(bench.run_dir, name)
        (marks / "gate").touch()
        return bench.wait(process)


def flip_every_copy(run_dir: Path, name: str) -> None:
    """Wherever the engine keeps an intermediate until it is read."""
    found = [path for path in run_dir.rglob(name) if path.is_file() and not path.is_symlink()]
    assert found, f"{name} is nowhere below {run_dir}"
    # Two names of one file would undo each other's flip.
    for path in {path.stat().st_ino: path for path in found}.values():
        flip_bit(path)


def jobs(job, marks):
    return [
        job("fails", "fails", str(marks / "never"), "half", "a b", "", writes=["half"]),
        job("after-fails", "makes", "x1", reads=["half"], writes=["x1"]),
        job("after-after-fails", "makes", "x2", reads=["x1"], writes=["x2"]),
        job("fails-again", "fails-again", str(marks / "again"), profiles={"dagman": {"retry": "2"}}),
        job("kills-itself", "kills-itself", writes=["never made"]),
        job("after-kill", "makes", "x3", reads=["never made"], writes=["x3"]),
        job("makes-too-little", "makes", "some", writes=["some", "rest"]),
        job("after-too-little", "makes", "x4", reads=["some"], writes=["x4"]),
        job("links", "links", "link", "/etc/hostname", writes=["link"]),
        job("no-interpreter", "no-interpreter", "x5", writes=["x5"]),
        job("reads-raw", "reads", str(marks / "raw-read"), "damaged", "x6", reads=["damaged"], writes=["x6"]),
        job("after-reads-raw", "makes", "x7", reads=["x6"], writes=["x7"]),
        job("reads-good", "reads", str(marks / "good-read"), "whole", "copy", reads=["whole"], writes=["copy"]),
        job("makes-middle", "makes-middle", writes=["first"], uses=[
            {"lfn": name, "type": "output", "stageOut": False} for name in ("middle", "folder")]),
        job("holds", "waits", str(marks / "holds-started"), str(marks / "gate"), "held",
            reads=["first"], writes=["held"]),
        job("reads-middle", "reads", str(marks / "middle-read"), "middle", "x8",
            reads=["middle", "held"], writes=["x8"]),
        job("reads-folder", "reads", str(marks / "folder-read"), "folder/inside", "x9",
            reads=["folder", "held"], writes=["x9"]),
        job("aside", "makes", "y1", writes=["y1"]),
        job("after-aside", "reads", str(marks / "aside-read"), "y1", "y2", reads=["y1"], writes=["y2"]),
    ]  # fmt: skip


def flipped(content: bytes) -> bytes:
    return content[:5] + bytes([content[5] ^ 4]) + content[6:]


def folder_digest(content: bytes) -> str:
    """Of a folder with one file, `inside`: docs/formats/invocation.md, "What a digest is of"."""
    return digest(b"pirene-folder/1\0" + digest(content).encode() + b"  inside\0")


def test_the_run_failed_and_says_how_many(bad) -> None:
    assert bad.code == 1 and set(bad.codes.values()) == {1}
    assert bad.summary["status"] == bad.status["status"] == "failed"
    assert bad.summary["jobs"] == bad.status["jobs"] == {
        "total": len(FAILED | REFUSED | NOT_RUN | DONE),
        "run": len(FAILED | REFUSED | DONE),
        "reused": 0,
        "succeeded": len(DONE),
        "failed": len(FAILED),
        "integrity_failed": len(REFUSED),
        "not_run": len(NOT_RUN),
    }  # fmt: skip


def test_every_job_is_in_the_state_that_it_should_be_in(bad) -> None:
    expected = {
        **dict.fromkeys(FAILED, "failed"),
        **dict.fromkeys(REFUSED, "integrity_failed"),
        **dict.fromkeys(NOT_RUN, "not_run"),
        **dict.fromkeys(DONE, "succeeded"),
    }
    assert {id_: row["status"] for id_, row in bad.jobs.items()} == expected
    assert set(bad.failures) == FAILED | REFUSED


def test_children_of_failures_did_not_run_and_say_why(bad) -> None:
    reasons = {entry["job"]: entry["reason"] for entry in bad.analysis["not_run"]}
    assert set(reasons) == NOT_RUN
    because_of = {
        "after-fails": "fails",
        "after-after-fails": "fails",
        "after-kill": "kills-itself",
        "after-too-little": "makes-too-little",
        "after-reads-raw": "reads-raw",
    }
    for job, failed in because_of.items():
        assert failed in reasons[job], reasons
        assert bad.records(job) == []
    for name in ("x1", "x2", "x3", "x4", "x7"):
        assert not bad.output(name).exists(), name


def test_what_does_not_depend_on_a_failure_is_done(bad) -> None:
    assert bad.output("y2").read_text() == bad.output("y1").read_text() == "content of y1\n"
    assert bad.output("copy").read_bytes() == RAW
    assert bad.output("held").read_text() == "gone on\n"


def test_a_non_zero_exit(bad) -> None:
    failure = bad.failures["fails"]
    assert (failure["exit_code"], failure["signal"], failure["attempts"]) == (7, None, 1)
    assert failure["stdout"] == "on the way\n" and failure["stderr"] == "what went wrong\n"
    assert failure["command"][2:] == ["half", "a b", ""]
    assert Path(failure["record"]).is_file() and failure["host"]
    text = bad.bench.call("analyze", str(bad.bench.run_dir)).out
    for shown in ("fails:", "'a b' ''", "exit code 7", "what went wrong", "signal 9", "after-fails"):
        assert shown in text, shown


def test_outputs_of_a_failed_job_are_not_staged_out(bad) -> None:
    for name in ("half", "some", "link"):
        assert not bad.output(name).exists() and not bad.output(name).is_symlink(), name


def test_a_signal(bad) -> None:
    failure = bad.failures["kills-itself"]
    assert (failure["exit_code"], failure["signal"]) == (None, 9)
    assert "SIGKILL" in failure["failure"] and failure["stdout"] == "the last words\n"
    row = bad.jobs["kills-itself"]
    assert (row["exit_code"], row["signal"]) == (None, 9)


def test_a_missing_output(bad) -> None:
    failure = bad.failures["makes-too-little"]
    assert (failure["exit_code"], failure["signal"]) == (0, None)
    assert "rest" in failure["failure"]
    assert bad.checks_of("rest", "missing") == [("output", None, None)]


def test_a_link_is_no_output(bad) -> None:
    failure = bad.failures["links"]
    assert failure["exit_code"] == 0 and "link" in failure["failure"]
    assert [stage for stage, _, _ in bad.checks_of("link", "unreadable")] == ["output"]


def test_an_executable_that_cannot_be_started(bad) -> None:
    failure = bad.failures["no-interpreter"]
    assert (failure["exit_code"], failure["signal"], failure["attempts"]) == (126, None, 1)
    (record,) = bad.records("no-interpreter")
    assert record["duration"] is None and record["status"] == "failed"


def test_retries_come_to_an_end_and_each_left_its_record(bad) -> None:
    assert (bad.bench.marks / "again").read_text() == "started\n" * 3
    assert bad.failures["fails-again"]["attempts"] == bad.jobs["fails-again"]["attempts"] == 3
    records = bad.records("fails-again")
    assert [(record["attempt"], record["exit_code"]) for record in records] == [(1, 3), (2, 3), (3, 3)]


def assert_refused(bad, job: str, name: str, expected: str, actual: str) -> None:
    """The job never started; its own record, the store and `analyze` say what was expected and what was found."""
    (record,) = bad.records(job)
    assert (record["status"], record["exit_code"], record["duration"]) == ("integrity_failed", None, None)
    seen = {entry["name"]: entry for entry in record["inputs"]}[name]
    assert (seen["stage"], seen["verdict"], seen["finding"]) == ("pre-exec", "mismatch", "content-mismatch")
    assert (seen["sha256"], seen["actual_sha256"]) == (expected, actual)
    assert bad.checks_of(name, "mismatch") == [("pre-exec", expected, actual)]
    failure = bad.failures[job]
    assert (failure["status"], failure["attempts"]) == ("integrity_failed", 1)
    assert name in failure["failure"]
    found = [(check["expected_sha256"], check["actual_sha256"]) for check in failure["checks"]]
    assert found == [(expected, actual)]


def test_a_raw_file_that_is_not_what_was_declared(bad) -> None:
    assert not (bad.bench.marks / "raw-read").exists() and (bad.bench.marks / "good-read").exists()
    assert_refused(bad, "reads-raw", "damaged", digest(RAW), digest(flipped(RAW)))


def test_an_intermediate_in_which_a_bit_flipped(bad) -> None:
    assert not (bad.bench.marks / "middle-read").exists()
    content = b"intermediate\n"
    assert_refused(bad, "reads-middle", "middle", digest(content), digest(flipped(content)))


def test_an_intermediate_folder_in_which_a_bit_flipped(bad) -> None:
    assert not (bad.bench.marks / "folder-read").exists()
    content = b"inside\n"
    assert_refused(bad, "reads-folder", "folder", folder_digest(content), folder_digest(flipped(content)))


def test_the_audit_finds_the_damaged_raw_file(bad) -> None:
    """In its own place: a job on a worker node may have seen a copy."""
    assert bad.audit["verdict"] == "damaged"
    (finding,) = [finding for finding in bad.audit["findings"] if finding["name"] == "damaged" and finding["url"]]
    assert finding["class"] == "content-mismatch"
    assert (finding["expected_sha256"], finding["actual_sha256"]) == (digest(RAW), digest(flipped(RAW)))
    raw = bad.bench.site.query('files where origin = "raw" show name, status order by name')
    assert raw == [{"name": "damaged", "status": "damaged"}, {"name": "whole", "status": "ok"}]
