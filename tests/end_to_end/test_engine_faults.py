"""The local engine is killed at the system calls by which it changes anything: the next command completes the run.

No job counts that was not verified, none counts twice, and none that a killed engine had started is started again. At
every such call with PIRENE_TEST_ALL_FAULTS; else at a few, spread over all of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

FULL = "PIRENE_TEST_ALL_FAULTS" in os.environ
POINTS = 3
"""In CI, each of which takes three seconds."""
CHANGES = ("write", "pwrite64", "fsync", "rename", "link", "unlink", "mkdir", "symlink", "flock", "poll", "wait4")
STEP = """#!/bin/sh
echo "$1" >> "$2"; shift 2; name=$1; shift
cat "$@" < /dev/null > "$name"; echo made >> "$name"
"""


def write_workflow(folder: Path) -> None:
    """Two jobs: one reads a raw file, the other what the first has made."""
    program, journal = folder / "step.sh", str(folder / "journal")
    program.write_text(STEP)
    program.chmod(0o755)
    (folder / "raw").write_text("raw\n")

    def job(number: int, made: str, read: str) -> dict[str, Any]:
        uses = [{"lfn": made, "type": "output"}, {"lfn": read, "type": "input"}]
        return {"id": f"j{number}", "name": "step", "arguments": [f"j{number}", journal, made, read], "uses": uses}

    sites = [{"name": "local", "pfn": str(program), "type": "stageable"}]
    document = {
        "pegasus": "5.0",
        "name": "faults",
        "jobs": [job(1, "first", "raw"), job(2, "second", "first")],
        "transformationCatalog": {"transformations": [{"name": "step", "sites": sites}]},
        "replicaCatalog": {"replicas": [{"lfn": "raw", "pfns": [{"site": "local", "pfn": str(folder / "raw")}]}]},
    }
    (folder / "faults.yml").write_text(json.dumps(document))


def traced(site: Any, log: Path, *options: str) -> int:
    """The engine under strace, alone: what it starts is left in peace. How it ended."""
    strace = shutil.which("strace")
    assert strace, "the test needs strace"
    command = [strace, "-qq", "-o", str(log), *options, *site.argv("run", "planned", "--format", "json")]
    ended = subprocess.run(command, cwd=site.folder, env=dict(site.environment), capture_output=True, timeout=240)
    return ended.returncode


def assert_records_are_whole(folder: Path) -> None:
    for path in folder.glob("planned/records/*/*.json"):
        record = json.loads(path.read_bytes())
        assert record["status"] == "succeeded"
        assert [output["verdict"] for output in record["outputs"]] == ["ok"]


def test_killed_at_any_change_that_it_makes_the_next_command_completes_the_run(
    site: Any, tmp_path_factory: Any
) -> None:
    apart = tmp_path_factory.mktemp("apart")
    write_workflow(site.folder)
    site.run("plan", "faults.yml", "-d", "planned")
    shutil.copytree(site.folder, apart / "before", symlinks=True)
    assert traced(site, apart / "log", "-e", f"trace={','.join(CHANGES)}") == 0
    counts = Counter(re.findall(r"^(\w+)\(", (apart / "log").read_text(errors="replace"), re.MULTILINE))
    points = [(name, number) for name in sorted(counts) for number in range(1, counts[name] + 1)]
    assert len(points) > 50 and counts["link"] + counts["rename"] > 3
    killed = 0
    for name, number in points if FULL else points[len(points) // 7 :: len(points) // POINTS]:
        shutil.rmtree(site.folder)
        shutil.copytree(apart / "before", site.folder, symlinks=True)
        status = traced(site, apart / "log", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")
        killed += status in (-signal.SIGKILL, 128 + signal.SIGKILL)
        assert_records_are_whole(site.folder)
        final = site.run("run", "planned", "--format", "json").json()
        assert (final["status"], final["jobs"]["succeeded"]) == ("succeeded", 2), (name, number)
        assert_records_are_whole(site.folder)
        assert (site.folder / "journal").read_text().split() == ["j1", "j2"], (name, number)
        made = {row["name"]: row["sha256"] for row in site.query('files where origin = "produced" show name, sha256')}
        expected = {"first": b"raw\nmade\n", "second": b"raw\nmade\nmade\n"}
        assert made == {lfn: hashlib.sha256(data).hexdigest() for lfn, data in expected.items()}, (name, number)
        done = site.query('jobs where status = "succeeded" show id')
        assert sorted(row["id"] for row in done) == ["j1", "j2"]
    assert killed >= (POINTS - 1)
