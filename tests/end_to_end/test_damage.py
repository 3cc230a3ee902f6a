"""Flipped bits, at every place between a raw file and the job that reads it: the job never starts, and it is on
record.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

# What the readers write has the bytes of what they read: without this it would be read in place of a damaged original.
FAIL = ("--on-mismatch", "fail")
READER = """import pathlib, sys
pathlib.Path({started!r}).touch()
pathlib.Path(sys.argv[2]).write_bytes(pathlib.Path(sys.argv[1]).read_bytes())
"""


def flip_bit(path: Path, offset: int = 5) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


def until(condition, seconds: float = 30.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.01)


@pytest.fixture
def one_reader(site, script):
    """A workflow of one job that reads one raw file and leaves a mark when its executable starts."""
    started = site.folder / "started"
    script("bin/reader.py", READER.format(started=str(started)))
    raw = site.folder / "raw.dat"
    raw.write_bytes(b"0123456789abcdef" * 64)

    def make(sha256: str | None) -> Path:
        checksum = f"  checksum: {{sha256: {sha256!r}}}\n" if sha256 else ""
        (site.folder / "replicas.yml").write_text(
            f'pegasus: "5.0"\nreplicas:\n- lfn: raw.dat\n  pfns: [{{site: local, pfn: raw.dat}}]\n{checksum}'
        )
        (site.folder / "transformations.yml").write_text(
            'pegasus: "5.0"\ntransformations:\n- name: reader\n  sites: [{name: local, pfn: bin/reader.py, type: stageable}]\n'
        )
        workflow = site.folder / "one.yml"
        workflow.write_text(
            'pegasus: "5.0"\nname: one\njobs:\n- type: job\n  id: read\n  name: reader\n  arguments: [raw.dat, copy.dat]\n'
            "  uses:\n  - {lfn: raw.dat, type: input}\n  - {lfn: copy.dat, type: output}\n"
        )
        return workflow

    return make, raw, started


def assert_refused(site, run, expected: str, actual: str, job: str = "read", name: str = "raw.dat") -> None:
    assert run["status"] == "failed"
    assert run["jobs"]["integrity_failed"] == 1
    jobs = site.query("jobs where workflow.id = $run and id = $job show id, status", f"run={run['run']}", f"job={job}")
    assert jobs == [{"id": job, "status": "integrity_failed"}]
    checks = site.query('checks where verdict = "mismatch" show name, stage, expected, actual')
    assert {"name": name, "stage": "pre-exec", "expected": expected, "actual": actual} in checks
    report = site.run("audit", run["run"], "--format", "json", code=1).json()
    assert report["verdict"] == "damaged"
    found = [finding for finding in report["findings"] if finding["name"] == name]
    assert found and found[0]["class"] == "content-mismatch"
    assert (found[0]["expected_sha256"], found[0]["actual_sha256"]) == (expected, actual)
    text = site.run("analyze", run["run"], code=1).out
    assert expected in text and actual in text and "pirene files add" in text


def test_a_declared_digest_that_one_flipped_bit_does_not_match(site, one_reader) -> None:
    make, raw, started = one_reader
    declared = hashlib.sha256(raw.read_bytes()).hexdigest()
    flip_bit(raw)
    actual = hashlib.sha256(raw.read_bytes()).hexdigest()
    run = site.run("run", str(make(declared)), "--format", "json", code=1).json()
    assert not started.exists()
    assert_refused(site, run, declared, actual)


@pytest.mark.parametrize("declares", [True, False])
def test_a_damaged_input_is_refused_each_time_also_when_its_outputs_are_known(site, one_reader, declares) -> None:
    """Once a bad copy is in quarantine its stat is known: that must not pass for the stat of good bytes."""
    make, raw, started = one_reader
    workflow = make(hashlib.sha256(raw.read_bytes()).hexdigest() if declares else None)
    site.run("run", str(workflow))
    site.run("plan", str(workflow), "-d", "planned", "--no-reuse", *FAIL)
    started.unlink()
    flip_bit(raw)
    site.run("run", "planned", code=1)
    for _ in range(2):
        again = site.run("run", str(workflow), "--format", "json", *FAIL, code=1).json()
        assert again["jobs"]["integrity_failed"] == 1
    assert not started.exists()
    flip_bit(raw)
    assert site.run("run", str(workflow), "--format", "json").json()["jobs"]["reused"] == 1


def test_a_bit_that_flips_after_planning(site, one_reader) -> None:
    make, raw, started = one_reader
    expected = hashlib.sha256(raw.read_bytes()).hexdigest()
    site.run("plan", str(make(None)), "-d", "planned")
    flip_bit(raw)
    actual = hashlib.sha256(raw.read_bytes()).hexdigest()
    run = site.run("run", "planned", "--format", "json", code=1).json()
    assert not started.exists()
    assert_refused(site, run, expected, actual)


def test_a_bit_that_flips_after_stage_in(site, one_reader) -> None:
    """The wrapper is held up right after it has staged its input in; the bit flips then."""
    make, raw, started = one_reader
    expected = hashlib.sha256(raw.read_bytes()).hexdigest()
    site.run("plan", str(make(None)), "-d", "planned")
    strace = shutil.which("strace")
    assert strace, "the test needs strace"
    held_up = [
        "-f",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        "trace=symlink,symlinkat",
        "-e",
        "inject=symlink,symlinkat:delay_exit=2000000",
    ]
    process = subprocess.Popen(
        [strace, *held_up, *site.argv("run", "planned", "--format", "json")],
        cwd=site.folder, env=dict(site.environment), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: any((site.folder / "planned" / "work").glob("*/raw.dat")))
    flip_bit(raw)
    actual = hashlib.sha256(raw.read_bytes()).hexdigest()
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not started.exists()
    run = site.run("status", "planned", "--format", "json", code=1).json()
    assert_refused(site, run, expected, actual)


def test_a_bit_that_flips_in_an_intermediate_between_two_jobs(site, one_reader, script) -> None:
    make, _, started = one_reader
    make(None)
    script("bin/maker.py", "import pathlib, sys\npathlib.Path(sys.argv[1]).write_bytes(b'intermediate' * 99)\n")
    gate = site.folder / "gate"
    script(
        "bin/slow.py",
        f"import pathlib, sys, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)\npathlib.Path(sys.argv[1]).touch()\n",
    )
    (site.folder / "transformations.yml").write_text(
        'pegasus: "5.0"\ntransformations:\n'
        + "".join(
            f"- name: {name}\n  sites: [{{name: local, pfn: bin/{name}.py, type: stageable}}]\n"
            for name in ("reader", "maker", "slow")
        )
    )
    workflow = site.folder / "two.yml"
    workflow.write_text(
        """pegasus: "5.0"
name: two
jobs:
- {type: job, id: make, name: maker, arguments: [mid.dat], uses: [{lfn: mid.dat, type: output, stageOut: false}]}
- {type: job, id: slow, name: slow, arguments: [slow.flag], uses: [{lfn: slow.flag, type: output}]}
- type: job
  id: read
  name: reader
  arguments: [mid.dat, copy.dat]
  uses: [{lfn: mid.dat, type: input}, {lfn: slow.flag, type: input}, {lfn: copy.dat, type: output}]
"""
    )
    process = site.start("run", str(workflow), "-d", str(site.folder / "run"), "-j", "2", "--format", "json", *FAIL)
    middle = site.folder / "run" / "intermediate" / "1" / "mid.dat"
    until(middle.exists)
    expected = hashlib.sha256(middle.read_bytes()).hexdigest()
    flip_bit(middle)
    actual = hashlib.sha256(middle.read_bytes()).hexdigest()
    gate.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert not started.exists()
    run = site.run("status", "two", "--format", "json", code=1).json()
    assert run["status"] == "failed" and run["jobs"]["integrity_failed"] == 1 and run["jobs"]["succeeded"] == 2
    checks = site.query('checks where verdict = "mismatch" show name, stage, expected, actual')
    assert checks == [{"name": "mid.dat", "stage": "pre-exec", "expected": expected, "actual": actual}]
