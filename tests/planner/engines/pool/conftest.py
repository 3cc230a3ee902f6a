"""DAGs made by hand in a real queue of HTCondor, submitted, found and removed as the pool's user."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]

# Calls a function of the queue with JSON arguments; an error of ours becomes part of the answer.
CALL = """
import dataclasses, json, os, sys
from pathlib import Path
from planner.engines.pool import pool_queue, schedd
from planner.engines.pool.pool_folder import PoolFolder
function, arguments = sys.argv[1], json.loads(sys.argv[2])
if function == "submit":
    arguments[0] = PoolFolder(Path(arguments[0]))
before = os.getcwd()
try:
    answer = {"returned": getattr(pool_queue, function)(*arguments)}
except schedd.QueueError as error:
    answer = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
assert os.getcwd() == before
def plain(value):
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value.word
print(json.dumps(answer, default=plain))
"""
# Every node transfers in/ to the worker and out/ back.
DESCRIPTION = """SUBMIT-DESCRIPTION node {{
    universe = vanilla
    executable = /bin/sh
    transfer_executable = false
    arguments = "-c 'mkdir out; $(command)'"
    initialdir = nodes/0/$(JOB)
    should_transfer_files = YES
    when_to_transfer_output = ON_EXIT
    transfer_input_files = in/
    transfer_output_files = out
    output = stdout
    error = stderr
    My.PireneRun = "{run_id}"
}}
"""


@dataclass
class HandMade:
    """One DAG. ``root`` stands for RUN/pool. Commands of nodes are for `sh -c`, without quotes of any kind."""

    pool: Any
    root: Path
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def write(self, nodes: Mapping[int, str], *lines: str, inputs: Mapping[int, str] | None = None) -> None:
        """A node for every command; other lines of the DAG as they are."""
        self.root.mkdir(parents=True, exist_ok=True)
        text = DESCRIPTION.format(run_id=self.run_id)
        for job, command in nodes.items():
            folder = self.root / "nodes" / "0" / str(job) / "in"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "a file").write_text((inputs or {}).get(job, ""))
            text += f'JOB {job} node\nVARS {job} command="{command}"\n'
        (self.root / "run.dag").write_text(text + "".join(f"{line}\n" for line in lines))

    def call(self, function: str, *arguments: object, environment: Mapping[str, str] | None = None) -> Any:
        """What a function of the queue answers the pool's user."""
        answer = self.ask(function, *arguments, environment=environment)
        assert "error" not in answer, answer
        return answer["returned"]

    def ask(self, function: str, *arguments: object, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The same, or {error, message, hint}."""
        variables = {"PYTHONPATH": str(ROOT), **(environment or {})}
        set_them = ("/usr/bin/env", *(f"{name}={value}" for name, value in variables.items()))
        ended = self.pool.run(*set_them, sys.executable, "-c", CALL, function, json.dumps(arguments))
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    def submit(self, name: str = "by hand", **variables: str) -> int:
        """Submit it; DAGMan's cluster."""
        cluster: int = self.call("submit", str(self.root), self.run_id, name, environment=variables)
        return cluster

    def find(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.call("find", self.run_id)
        return found

    def until(self, true: Callable[[], Any]) -> Any:
        """What it returns, once that is something; the time limit of the tests is the end of it."""
        while not (found := true()):
            time.sleep(0.3)
        return found

    def until_gone(self) -> None:
        self.until(lambda: self.find() is None)

    def node(self, job: int, status: int) -> str:
        """HTCondor's id of a node's job, once it is there with that JobStatus."""
        own = f'PireneRun == "{self.run_id}" && DAGNodeName == "{job}" && JobStatus == {status}'
        query = ("condor_q", "-constraint", own, "-af", "ClusterId")
        return f"{self.until(lambda: self.pool.tool(*query).strip())}.0"

    def running(self, job: int) -> str:
        """The same of a job that has begun to work: it says so in its `begun` file, if its command is `self.waits`."""
        found = self.node(job, 2)
        self.until((self.root / f"begun-{job}").exists)
        return found

    def waits(self, job: int) -> str:
        """The command of a job that works until `go`."""
        go, begun = self.root / f"go-{job}", self.root / f"begun-{job}"
        return f"touch {begun}; while [ ! -e {go} ]; do sleep 0.2; done"

    def go(self, job: int) -> None:
        (self.root / f"go-{job}").touch()

    def kill_shadow(self, job: str) -> None:
        """Kill (-9) what watches over a running job on the submit side."""
        log = Path(os.environ.get("HTCONDOR_TREE", "/opt/htcondor")) / "var/log/condor/ShadowLog"
        # One shadow serves several jobs, one after the other.
        pids = re.findall(rf"^.*\({re.escape(job)}\) \(([0-9]+)\):", log.read_text(errors="replace"), re.MULTILINE)
        os.kill(int(pids[-1]), signal.SIGKILL)


@pytest.fixture
def by_hand(pool: Any) -> HandMade:
    return HandMade(pool, pool.folder / "run" / "pool")


@pytest.fixture
def by_hand_alone(pool_alone: Any) -> Iterator[HandMade]:
    yield HandMade(pool_alone, pool_alone.folder / "run" / "pool")
