"""Inputs that do not match, and what makes the run succeed all the same: a copy in another place, and a producer that
runs again.

One run: of a raw file with two copies the first one is damaged; an intermediate and an output are damaged while a job
between their producer and their reader waits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # as long as a pool may be busy with other tests

MAKES = """#!/bin/sh
# JOURNAL
echo made >> "$1"
echo intermediate > middle
echo "an output" > final
"""
WAITS = """#!/bin/sh
# STARTED GATE OUTPUT
: > "$1"
while [ ! -e "$2" ]; do sleep 0.05; done
echo "gone on" > "$3"
"""
READS = """#!/bin/sh
# JOURNAL OUTPUT INPUT...
echo read >> "$1"
output=$2; shift 2
{ echo "what was read:"; cat "$@"; } > "$output"
"""
RAW = b"0123456789abcdef" * 64


def flip_bit(path: Path) -> None:
    """One bit of a file that somebody else may own, and may have made read-only."""
    with path.open("r+b") as file:
        file.seek(5)
        byte = file.read(1)[0]
        file.seek(5)
        file.write(bytes([byte ^ 4]))


@pytest.fixture
def mended(ran, job, until):
    """The run of all cases."""
    return ran("mended", lambda bench: make(bench, job, until))


def make(bench, job, until):
    marks = bench.marks
    entry = bench.raw("raw", RAW, checksum={"sha256": hashlib.sha256(RAW).hexdigest()})
    second = bench.folder / "raw" / "second"
    second.write_bytes(RAW)
    entry["pfns"].append({"site": "local", "pfn": str(second)})
    flip_bit(bench.folder / "raw" / "raw")
    unstaged = {"lfn": "middle", "type": "output", "stageOut": False}
    workflow = bench.write(
        "mended",
        {"makes": MAKES, "waits": WAITS, "reads": READS},
        [
            job("reads-raw", "reads", str(marks / "raw-read"), "x1", "raw", reads=["raw"], writes=["x1"]),
            job("makes", "makes", str(marks / "made"), writes=["final"], uses=[unstaged]),
            job("holds", "waits", str(marks / "held"), str(marks / "gate"), "x2", writes=["x2"]),
            job("reads", "reads", str(marks / "all-read"), "x3", "middle", "final", "x2",
                reads=["middle", "final", "x2"], writes=["x3"]),
        ],
        replicas=[entry],
    )  # fmt: skip
    with bench.started(*bench.plan_and_run(workflow)) as process:
        until((marks / "held").exists, process)
        # An output that is in its place may not have been taken in yet: then it would be damaged on its way.
        until(lambda: bench.site.query('jobs where id = "makes" and status = "succeeded"'), process)
        for path in (bench.run_dir / "output" / "final", bench.run_dir / "intermediate" / "2" / "middle"):
            flip_bit(path)
        (marks / "gate").touch()
        return bench.wait(process)


def test_the_run_succeeded_and_says_that_there_was_something(mended) -> None:
    assert mended.code == 0, mended.err
    assert mended.summary["jobs"]["succeeded"] == 4
    assert mended.summary["recoveries"] == mended.status["recoveries"] == len(mended.analysis["recoveries"]) > 0
    assert {job["status"] for job in mended.jobs.values()} == {"succeeded"}


def test_nobody_read_what_did_not_match(mended) -> None:
    assert mended.output("x1").read_bytes() == b"what was read:\n" + RAW
    assert mended.output("x3").read_text() == "what was read:\nintermediate\nan output\ngone on\n"
    assert (mended.bench.marks / "raw-read").read_text() == "read\n"  # the refused attempts never began
    assert (mended.bench.marks / "all-read").read_text() == "read\n"


def test_the_producer_ran_twice(mended) -> None:
    assert (mended.bench.marks / "made").read_text() == "made\n" * 2
    assert mended.output("final").read_text() == "an output\n"
    assert [record["status"] for record in mended.records("reads")] == ["integrity_failed", "succeeded"]


def test_each_step_is_told(mended) -> None:
    told = [(step["job"], step["state"]) for step in mended.analysis["recoveries"]]
    assert sorted(told) == [
        ("makes", "submitted"), ("reads", "recovering"), ("reads", "recovering"), ("reads-raw", "recovering"),
    ]  # fmt: skip
    (raw,) = [step["reason"] for step in mended.analysis["recoveries"] if step["job"] == "reads-raw"]
    assert str(mended.bench.folder / "raw" / "raw") in raw and str(mended.bench.folder / "raw" / "second") in raw


def test_the_bad_copy_is_in_quarantine_and_the_good_one_is_known(mended) -> None:
    rows = mended.bench.site.query('replicas where name = "raw" show url, state')
    folder = mended.bench.folder / "raw"
    assert {row["url"]: row["state"] for row in rows} == {
        (folder / "raw").as_uri(): "quarantined", (folder / "second").as_uri(): "ok",
    }  # fmt: skip
