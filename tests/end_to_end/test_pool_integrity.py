"""Bits that flip on their way to a worker, on it, and on the way back: what is not what was recorded is never used.

The pool is real. The saboteur alters files in the scratch folders of jobs, and lets the wrapper come back with less, or
with other bytes, than it wrote. A job that starts leaves a mark in a folder that all machines share.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections import Counter

# Runs where HTCondor runs a job, before it starts. What it does is said by the job's id; attempts after the first are
# left alone, save those of the job `always`.
SABOTEUR = """#!/usr/bin/python3
import hashlib, json, os, signal, subprocess, sys
job = json.load(open("job.json"))
def flip(path):
    data = bytearray(open(path, "rb").read())
    data[3] ^= 16
    os.chmod(path, 0o644)
    open(path, "wb").write(data)
def after(alter, *of):  # what the wrapper left is altered before it is sent back
    subprocess.run(sys.argv[1:])
    os.rename("work", "done")
    open("work", "w").close()  # so that the command, when its turn comes, finds no folder to run in
    os.chdir("out")
    alter(*of)
def kill():
    os.unlink("record.json")
    os.kill(os.getppid(), signal.SIGKILL)
if job["attempt"] == 1 or job["id"] == "always":
    match job["id"]:
        case "wrapper":
            flip("kickstart.pyz")
        case "description" | "always":
            flip("job.json")
        case "scratch":
            flip("work/first.out")
        case "executable":
            flip("bin/step")
        case "output":
            after(flip, "0")
        case "folder":
            after(flip, "0/inside")
        case "gone":
            after(os.unlink, "0")
        case "record":
            after(flip, "record.json")
        case "cut":
            after(os.truncate, "record.json", 700)
        case "none":
            after(os.unlink, "record.json")
        case "killed":
            after(kill)
        case "another":
            job["attempt"] = 7
            described = json.dumps(job).encode()
            open("job.json", "wb").write(described)
            open("job.json.sha256", "w").write(hashlib.sha256(described).hexdigest() + "  job.json\\n")
"""
FOLDER = """#!/bin/sh
# NAME FOLDER OUTPUT: an output that is a folder
echo "$1" >> "$2/journal"
mkdir "$3" && echo "something inside" > "$3/inside"
"""


def flipped(content: bytes) -> bytes:
    """One bit, as the saboteur flips it."""
    return content[:3] + bytes([content[3] ^ 16]) + content[4:]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def assert_refused(run, number: int, job: str, name: str, expected: str, actual: str) -> None:
    """The worker's own record, the store and the commands say what was expected and what was found, where and when."""
    (record,) = run.records(number)
    assert (record["status"], record["exit_code"], record["duration"]) == ("integrity_failed", None, None)
    assert record["wrapper"]["python"].startswith("3.") and record["hostname"]
    assert record["wrapper"]["python"] != platform.python_version()  # the worker's, not ours
    seen = {entry["name"]: entry for entry in record["inputs"]}[name]
    assert (seen["stage"], seen["verdict"], seen["finding"]) == ("pre-exec", "mismatch", "content-mismatch")
    assert (seen["sha256"], seen["actual_sha256"]) == (expected, actual)
    (check,) = run.site.query(
        'checks where verdict = "mismatch" and job.id = $job show name, stage, host, expected, actual', f"job={job}"
    )
    assert (check["stage"], check["host"]) == ("pre-exec", record["hostname"])
    assert (check["name"], check["expected"], check["actual"]) == (name, expected, actual)


def test_bits_that_flip_before_a_job_reads_them(pool_run) -> None:
    """On the submit side between two jobs, in the worker's scratch folder, and in the executable there."""
    run = pool_run
    run.write(
        run.job("first"),
        run.job("middle", "first"),
        run.job("submit-side", "first", "middle", retry=3),
        run.job("scratch", "first", retry=3),
        run.job("executable"),
        run.job("after", "scratch"),
        run.job("aside", "first"),
    )
    (run.folder / "saboteur").write_text(SABOTEUR)
    (run.folder / "saboteur").chmod(0o755)
    run.close("middle")
    with run.planned_and_run("--on-mismatch", "fail") as engine:
        run.begun(engine, middle=1)
        run.settled(7)
        intermediate = run.run_dir / "output" / "first.out"
        intermediate.write_bytes(flipped(b"first\n"))
        run.open("middle")
        summary, _ = run.end_of(engine, code=1)
    expected, actual = digest(b"first\n"), digest(flipped(b"first\n"))
    assert run.starts() == Counter(first=1, middle=1, aside=1)  # nobody that was refused began; nobody tried again
    assert summary["jobs"]["integrity_failed"] == 3 and summary["jobs"]["not_run"] == 1
    assert_refused(run, 3, "submit-side", "first.out", expected, actual)
    assert_refused(run, 4, "scratch", "first.out", expected, actual)
    program = (run.folder / "step").read_bytes()
    assert_refused(run, 5, "executable", str(run.folder / "step"), digest(program), digest(flipped(program)))
    analysis = run.site.run("analyze", "run", "--format", "json", code=1).json()
    failures = {failure["job"]: failure for failure in analysis["failures"]}
    assert set(failures) == {"submit-side", "scratch", "executable"}
    for name in ("submit-side", "scratch"):
        assert failures[name]["status"] == "integrity_failed" and failures[name]["host"]
        (check,) = failures[name]["checks"]
        assert (check["expected_sha256"], check["actual_sha256"]) == (expected, actual)
    assert analysis["not_run"] == [
        {"job": "after", "reason": "scratch, which it depends on, was refused (integrity)"}
    ]  # fmt: skip
    audit = run.site.run("audit", "run", "--format", "json", code=1).json()
    assert audit["verdict"] == "damaged"
    found = [
        (finding["expected_sha256"], finding["actual_sha256"])
        for finding in audit["findings"]
        if finding["name"] == "first.out" and finding["url"] == intermediate.as_uri()
    ]
    assert found == [(expected, actual)]
    run.nothing_twice()


def test_a_wrapper_or_description_that_arrives_altered_starts_nothing_and_is_sent_again(pool_run) -> None:
    """What happened to it is told; where it happens again the job has failed."""
    run = pool_run
    run.write(
        run.job("wrapper"), run.job("description"), run.job("always"), run.job("reader", "wrapper", "description")
    )
    (run.folder / "saboteur").write_text(SABOTEUR)
    (run.folder / "saboteur").chmod(0o755)
    with run.planned_and_run() as engine:
        summary, _ = run.end_of(engine, code=1)
    assert run.starts() == Counter(wrapper=1, description=1, reader=1)
    assert (summary["jobs"]["succeeded"], summary["jobs"]["integrity_failed"]) == (3, 1)
    names = {1: "kickstart.pyz", 2: "job.json", 3: "job.json"}
    for number, name in names.items():
        refusals = run.refusals(number)
        assert [refusal["attempt"] for refusal in refusals] == ([1, 2] if number == 3 else [1])
        for refusal in refusals:
            assert (refusal["altered"], refusal["started"], refusal["retry"]) == (name, True, False)
            assert refusal["reason"].startswith(f"{name} did not reach the worker as it was sent")
    analysis = run.site.run("analyze", "run", "--format", "json", code=1).json()
    told = [(each["job"], each["state"], each["reason"]) for each in analysis["recoveries"]]
    assert sorted(told) == [
        ("always", "recovering", "job.json did not arrive as it was sent: it is sent again"),
        ("always", "unrecoverable", "job.json did not arrive as it was sent: it was sent twice"),
        ("description", "recovering", "job.json did not arrive as it was sent: it is sent again"),
        ("wrapper", "recovering", "kickstart.pyz did not arrive as it was sent: it is sent again"),
    ]
    (failure,) = analysis["failures"]
    assert (failure["job"], failure["status"]) == ("always", "integrity_failed")
    assert "job.json did not reach the worker as it was sent" in failure["failure"]
    run.nothing_twice()


WAYS_BACK = {
    "output": r"output/output\.out|out/0 is not as the worker recorded it: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}",
    "folder": r"out/0 is not as the worker recorded it: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}",
    "gone": r"out/0 did not arrive",
    "record": r"its record was altered on its way back: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}",
    "cut": r"its record was altered on its way back: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}",
    "none": r"no record came back: the worker could not make the folders to run in",
    "killed": r"no record came back: the wrapper was ended by signal 9",
    "another": r"its record cannot be believed: attempt: expected 1, found 7",
}


def test_what_is_altered_on_its_way_back_is_not_used(pool_run) -> None:
    """Such an attempt does not count and is repeated; but a record of something else is no accident of the way."""
    run = pool_run
    jobs = [run.job(name, retry=1, program="folder" if name == "folder" else "step") for name in WAYS_BACK]
    run.write(*jobs, run.job("reader", "output"), run.job("after", "another"), folder=FOLDER)
    (run.folder / "saboteur").write_text(SABOTEUR)
    (run.folder / "saboteur").chmod(0o755)
    with run.planned_and_run() as engine:
        summary, _ = run.end_of(engine, code=1)
    again = set(WAYS_BACK) - {"another"}
    assert run.starts() == Counter({**dict.fromkeys(again, 2), "another": 1, "reader": 1})
    for number, (name, pattern) in enumerate(WAYS_BACK.items(), start=1):
        (refusal,) = run.refusals(number)
        assert re.search(pattern, refusal["reason"]), refusal
        assert (refusal["attempt"], refusal["started"], refusal["retry"]) == (1, True, name in again)
    assert summary["jobs"]["succeeded"] == len(again) + 1 and summary["jobs"]["failed"] == 1
    assert (run.run_dir / "output" / "output.out").read_text() == "output\n"
    assert (run.run_dir / "output" / "reader.out").read_text() == "reader\noutput\n"
    rows = {row["id"]: row for row in run.site.query("jobs show id, status, attempts")}
    for name in again:
        assert rows[name]["status"] == "succeeded", name
    failed = {
        (job, attempt): reason
        for job, attempt, state, reason in run.rows("job_states", "job, attempt, state, reason")
        if state == "failed"
    }
    assert sorted(failed) == [(number, 1) for number in range(1, len(WAYS_BACK) + 1)]
    (failure,) = run.site.run("analyze", "run", "--format", "json", code=1).json()["failures"]
    assert failure["job"] == "another" and "expected 1, found 7" in json.dumps(failure)
    run.site.run("audit", "run", "--format", "json")
    run.nothing_twice()
