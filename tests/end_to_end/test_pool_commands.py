"""`status`, `analyze` and `remove` of runs on a real pool: watched or not, with the schedd there or not."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAITS = """#!/bin/sh
touch "$2.begun"
while [ ! -e "$2" ]; do sleep 0.2; done
echo made > "$1"
"""
NOWHERE = {"_CONDOR_SCHEDD_ADDRESS_FILE": "/nowhere", "_CONDOR_COLLECTOR_HOST": "127.0.0.1:1"}


@dataclass
class OnPool:
    """A folder with a store and the command, run as the pool's user."""

    pool: Any

    @property
    def folder(self) -> Path:
        return self.pool.folder

    def command(self, *arguments: str, **variables: str) -> list[str]:
        own = {"PYTHONPATH": str(ROOT), "PIRENE_STORE": str(self.folder / ".pirene"), "PIRENE_DEBUG": "1"}
        settings = [f"{name}={value}" for name, value in {**own, **variables}.items()]
        return ["/usr/bin/env", *settings, sys.executable, "-P", "-m", "planner.cli", *arguments]

    def run(self, *arguments: str, code: int = 0, **variables: str) -> Any:
        return self.pool.run(*self.command(*arguments, **variables), code=code)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = self.pool.start(*self.command(*arguments))
        return process

    def json(self, *arguments: str, code: int = 0, **variables: str) -> Any:
        return json.loads(self.run(*arguments, "--format", "json", code=code, **variables).stdout)

    def workflow(self, *ids: str, engine: str = "htcondor") -> None:
        """Jobs that work until the file `ID.go` is there; planned into `run`."""
        tool = self.folder / "waits.sh"
        tool.write_text(WAITS)
        tool.chmod(0o755)
        jobs = "".join(
            f"- {{type: job, id: {name}, name: waits, arguments: [{name}.out, {self.folder / name}.go],"
            f" uses: [{{lfn: {name}.out, type: output}}]}}\n"
            for name in ids
        )
        (self.folder / "w.yml").write_text(
            "pegasus: '5.0'\nname: waiting\ntransformationCatalog:\n  transformations:\n"
            f"  - {{name: waits, sites: [{{name: local, pfn: {tool}, type: stageable}}]}}\njobs:\n{jobs}"
        )
        self.run("plan", "w.yml", "-d", "run", "--engine", engine)

    def go(self, *ids: str) -> None:
        for name in ids:
            (self.folder / f"{name}.go").touch()

    def begun(self, *ids: str) -> None:
        """Wait until these jobs have begun."""
        until(lambda: all((self.folder / f"{name}.go.begun").exists() for name in ids))

    def id_of(self, job: int) -> str:
        """HTCondor's id of a job in the queue."""
        query = ("-constraint", f'DAGNodeName == "{job}"', "-af", "ClusterId", "Iwd")
        lines = self.pool.tool("condor_q", *query).splitlines()
        return next(line.split()[0] for line in lines if str(self.folder) in line) + ".0"

    def detach(self, engine: subprocess.Popen[str]) -> None:
        """Stop watching; the run goes on."""
        engine.send_signal(signal.SIGINT)
        engine.communicate(timeout=60)


def until(true: Any) -> Any:
    """The time limit of the tests is the end of it."""
    while not (found := true()):
        time.sleep(0.3)
    return found


@pytest.fixture
def on_pool(pool: Any) -> OnPool:
    return OnPool(pool)


def test_status_says_what_htcondor_has_while_nobody_watches(on_pool):
    on_pool.workflow("left", "right", "third")
    planned = on_pool.json("status", "run", code=3)["pool"]
    assert planned["dagman"] == {"cluster": None, "state": "not submitted", "reason": None}
    engine = on_pool.start("run", "run")
    on_pool.begun("left", "right", "third")
    on_pool.detach(engine)
    on_pool.pool.hold(on_pool.id_of(1), "looking at it")
    on_pool.pool.tool("condor_vacate_job", "-fast", on_pool.id_of(2))
    on_pool.go("third")
    document = until(
        lambda: (
            (found := on_pool.json("status", "run", code=3))["jobs"]["succeeded"] == 1
            and found["pool"]["held"]
            and found["pool"]["evictions"]
            and found
        )
    )
    cluster = document["pool"]["dagman"]["cluster"]
    assert document["pool"]["dagman"] == {"cluster": cluster, "state": "running", "reason": None}
    held = "looking at it (by user pool) (code 1, subcode 0)"
    assert document["pool"]["held"] == [{"job": "left", "reason": held}]
    assert (document["pool"]["evictions"], document["pool"]["vanished"], document["pool"]["problem"]) == (1, [], None)
    said = on_pool.run("status", "run", code=3)
    assert f"  pool     DAGMan {cluster} running; jobs: " in said.stdout
    assert f"\n  held     left: {held}\n" in said.stdout
    assert f"`pirene remove {on_pool.folder / 'run'}` ends it" in said.stderr
    unanswered = on_pool.run("status", "run", code=3, **NOWHERE)
    assert "as its event logs say, for HTCondor does not answer: " in unanswered.stdout
    assert f"\n  held     left: {held}\n" in unanswered.stdout
    on_pool.pool.release(on_pool.id_of(1))
    on_pool.go("left", "right")
    until(lambda: on_pool.json("status", "run", code=3)["pool"]["dagman"]["state"] == "ended")
    done = on_pool.run("status", "run", code=3)
    assert "jobs: none in the queue; evictions so far: 1" in done.stdout
    assert "takes in what has come" in done.stderr
    assert on_pool.run("run", "run").stdout.startswith("waiting: succeeded")
    on_pool.run("status", "run")
    analyzed = on_pool.run("analyze", "run").stdout
    for part in (f" held: {held}", " released: via condor_release (by user pool)", " evicted: Job vacated by schedd"):
        assert part in analyzed


def test_remove_without_an_engine(on_pool):
    on_pool.workflow("left", "right")
    nothing = on_pool.run("remove", "run", code=1)
    assert "nothing to remove" in nothing.stderr
    engine = on_pool.start("run", "run")
    on_pool.begun("left", "right")
    on_pool.go("left")
    until(lambda: on_pool.json("status", "run", code=3)["jobs"]["succeeded"] == 1)
    on_pool.detach(engine)
    removed = on_pool.run("remove", "run")
    assert "2 jobs of waiting were removed from HTCondor's queue" in removed.stderr
    assert removed.stdout.startswith("waiting: incomplete (removed) after ")
    status = on_pool.json("status", "run", code=3)
    assert status["pool"]["dagman"]["state"] == "removed"
    assert status["pool"]["dagman"]["reason"] == "pirene remove (by user pool)"
    assert on_pool.run("remove", "run", code=1).stdout.startswith("waiting: incomplete (removed)")
    removal = on_pool.json("analyze", "run", code=3)["pool"]["jobs"]
    assert [job["job"] for job in removal] == ["right"]
    assert removal[0]["events"][-1]["state"] == "removed"
    on_pool.go("right")
    assert on_pool.json("run", "run")["jobs"]["succeeded"] == 2


def test_remove_while_an_engine_watches(on_pool):
    on_pool.workflow("left")
    engine = on_pool.start("run", "run")
    on_pool.begun("left")
    removed = on_pool.run("remove", "run")
    assert re.match(
        r"waiting: incomplete \(DAGMan [0-9]+ was removed: pirene remove \(by user pool\)\)", removed.stdout
    )
    out, err = engine.communicate(timeout=60)
    assert out.startswith("waiting: incomplete (DAGMan "), (engine.returncode, out, err)
    assert on_pool.json("status", "run", code=3)["status"] == "incomplete"


def test_remove_of_a_local_run_says_what_to_do(on_pool):
    on_pool.workflow("left", engine="local")
    refused = on_pool.run("remove", "run", code=2)
    assert "does not run on the pool: its engine is local" in refused.stderr
    assert "Ctrl-C" in refused.stderr
    assert "pool" not in on_pool.json("status", "run", code=3)


def test_a_job_removed_by_hand_is_analyzed_in_htcondors_words(on_pool):
    on_pool.workflow("left", "right")
    engine = on_pool.start("run", "run")
    on_pool.begun("left", "right")
    on_pool.pool.tool("condor_rm", "-reason", "not needed", on_pool.id_of(1))
    on_pool.go("right")
    out, err = engine.communicate(timeout=240)
    assert out.startswith("waiting: failed"), (engine.returncode, out, err)
    analyzed = on_pool.run("analyze", "run", code=1).stdout
    failed = analyzed[analyzed.index("\nleft: ") :]
    assert " removed: not needed (by user pool)" in failed
    assert str(on_pool.folder / "run/pool/nodes/0/1") in failed
    assert str(on_pool.folder / "run/pool/run.dag.dagman.out") in failed
    document = on_pool.json("analyze", "run", code=1)
    assert [failure["job"] for failure in document["failures"]] == ["left"]
    assert document["failures"][0]["htcondor"][-1]["reason"] == "not needed (by user pool)"
    for log in (on_pool.folder / "run" / "pool").glob("run.dag.*"):
        log.unlink()
    assert on_pool.json("analyze", "run", code=1)["failures"] == document["failures"]  # the store has it too


def test_a_run_that_vanished_is_called_so(on_pool):
    on_pool.workflow("left", "right")
    engine = on_pool.start("run", "run")
    on_pool.begun("left", "right")
    engine.kill()
    engine.communicate()
    pool = on_pool.folder / "run" / "pool"
    logs = {name: (pool / name).read_bytes() for name in ("run.dag.nodes.log", "run.dag.dagman.log")}
    on_pool.run("remove", "run")
    for name, content in logs.items():  # as if the queue had been lost
        (pool / name).write_bytes(content)
    time.sleep(11)
    status = on_pool.json("status", "run", code=3)["pool"]
    assert status["dagman"]["state"] == "vanished"
    assert status["vanished"] == ["left", "right"]
    assert on_pool.json("status", "run", code=3, **NOWHERE)["pool"]["vanished"] == []
    assert "vanished left, right: submitted, not ended" in on_pool.run("status", "run", code=3).stdout
