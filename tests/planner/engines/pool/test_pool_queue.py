"""A run in a real queue of HTCondor: from folders of odd names, found, removed; and what is said when that fails."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
ODD = 'it\'s "here", $5 for 100%; [ü] \\ @(x) ~ #1 = '
STEP = """#!/usr/bin/env python3
import os, sys
open(sys.argv[1], "w").write(os.getcwd())
"""


def test_runs_in_a_folder_of_an_odd_name(by_hand):
    by_hand.root = by_hand.pool.folder / ODD / "pool"
    by_hand.write({1: "cp a?file out/copy"}, "SCRIPT PRE 1 step.py pre", "SCRIPT POST 1 step.py post", inputs={1: "x"})
    (by_hand.root / "step.py").write_text(STEP)
    (by_hand.root / "step.py").chmod(0o755)
    by_hand.submit()
    by_hand.until_gone()
    assert (by_hand.root / "nodes/0/1/out/copy").read_text() == "x"
    assert [(by_hand.root / name).read_text() for name in ("pre", "post")] == [str(by_hand.root)] * 2


@pytest.mark.parametrize("name", ["line\nbreak", "$(HOME)", "$$", "$ENV(HOME)", "tab\there"])
def test_refuses_a_path_that_htcondor_would_change(by_hand, name):
    by_hand.root = by_hand.pool.folder / name / "pool"
    by_hand.write({1: "true"})
    answer = by_hand.ask("submit", str(by_hand.root), by_hand.run_id, "name")
    assert answer["error"] == "QueueError"
    assert repr(str(by_hand.root)) in answer["message"]
    assert "another folder" in answer["hint"]


def test_any_workflow_name_is_a_batch_name(by_hand):
    name = "a $$(Nope) $(x) $ENV(HOME) \"q\" 'x' \\ é\n= ,"
    by_hand.write({1: by_hand.waits(1)})
    cluster = by_hand.submit(name)
    node = by_hand.running(1)
    shown = by_hand.pool.tool("condor_q", str(cluster), node, "-af", "JobBatchName").splitlines()
    assert shown == [name.replace("$", "＄").replace("\\", "＼").replace("\n", " ")] * 2
    by_hand.go(1)
    by_hand.until_gone()
    assert (by_hand.root / "run.dag.metrics").exists()


def test_the_newest_rescue_file_counts_in_a_folder_that_ran_before(by_hand):
    by_hand.write({1: "true", 2: "false", 3: "true"})
    first = by_hand.submit()
    by_hand.until_gone()
    (by_hand.root / "run.dag.rescue007").write_text("DONE 1\nDONE 2\n")
    assert by_hand.submit() > first
    by_hand.until_gone()
    log = (by_hand.root / "run.dag.nodes.log").read_text()
    assert 'DAGNodeName = "3"' in log
    assert 'DAGNodeName = "1"' not in log
    assert 'DAGNodeName = "2"' not in log
    assert (by_hand.root / "run.dag.rescue001").exists()


def test_finds_dagman_and_its_nodes(by_hand):
    by_hand.write({1: by_hand.waits(1), 2: by_hand.waits(2), 3: "true"}, "PARENT 2 CHILD 3")
    assert by_hand.find() is None
    assert by_hand.call("node_jobs", by_hand.run_id) == []
    cluster = by_hand.submit()
    ids = [by_hand.running(job) for job in (1, 2)]
    by_hand.pool.hold(ids[0], "looking at it")
    by_hand.node(1, 5)
    assert by_hand.find() == {"cluster": cluster, "status": "running", "reason": None}
    jobs = by_hand.call("node_jobs", by_hand.run_id)
    assert [(job["job"], job["id"], job["status"], job["starts"]) for job in jobs] == [
        (1, ids[0], "held", 1),
        (2, ids[1], "running", jobs[1]["starts"]),
    ]
    assert jobs[0]["reason"] == "looking at it (by user pool) (code 1, subcode 0)"
    by_hand.pool.hold(f"{cluster}.0", "wait")
    by_hand.until(lambda: by_hand.find()["status"] == "held")
    assert by_hand.find()["reason"] == "wait (by user pool) (code 1, subcode 0)"


def test_remove_leaves_nothing_in_the_queue_and_a_rescue_file(by_hand):
    by_hand.write({1: "true", 2: by_hand.waits(2), 3: by_hand.waits(3), 4: "true"}, "PARENT 3 CHILD 4")
    by_hand.submit()
    by_hand.pool.hold(by_hand.running(2), "looking at it")
    by_hand.running(3)
    # What DAGMan has read of the log, not what is there to read, is done for its rescue file.
    by_hand.until(lambda: "completed successfully" in (by_hand.root / "run.dag.dagman.out").read_text())
    assert by_hand.call("remove", by_hand.run_id, "enough of it") == 3
    assert by_hand.find() is None
    assert by_hand.call("node_jobs", by_hand.run_id) == []
    assert "enough of it (by user pool)" in (by_hand.root / "run.dag.dagman.log").read_text()
    assert "DONE 1\n" in (by_hand.root / "run.dag.rescue001").read_text()


def test_remove_takes_jobs_that_no_dagman_looks_after(by_hand):
    by_hand.write({1: "true"})
    (by_hand.root / "stray.sub").write_text(
        f'executable = /bin/sleep\narguments = 1000\nMy.PireneRun = "{by_hand.run_id}"\nMy.DAGNodeName = "1"\nqueue 2\n'
    )
    by_hand.pool.run("true")
    by_hand.pool.tool("condor_submit", str(by_hand.root / "stray.sub"))
    assert by_hand.call("remove", by_hand.run_id, "stray") == 2
    assert by_hand.call("node_jobs", by_hand.run_id) == []
    assert by_hand.call("remove", by_hand.run_id, "again") == 0


def test_another_users_run_cannot_be_removed(by_hand):
    by_hand.write({1: by_hand.waits(1)})
    by_hand.submit()
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    error = queue_error(*nobody, call=f"pool_queue.remove({by_hand.run_id!r}, 'mine now')")
    assert "another user's" in error
    assert by_hand.find() is not None


def test_says_who_may_not_submit(by_hand):
    by_hand.write({1: "true"})
    submit = f"pool_queue.submit(PoolFolder(Path({str(by_hand.root)!r})), {by_hand.run_id!r}, 'x')"
    assert "no jobs of root's" in queue_error(call=submit)
    stranger = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=+dac_override"]
    error = queue_error(*stranger, "--ambient-caps=+dac_override", call=submit)
    assert "does not know you" in error
    assert "condor_ping" in error


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONDOR_CONFIG": "/nowhere"}, "CONDOR_CONFIG names /nowhere, which is not there"),
        ({"CONDOR_CONFIG": "/dev/null"}, "HTCondor is not configured on this machine"),
        ({"_CONDOR_SCHEDD_ADDRESS_FILE": "ADDRESS", "SAYS": "25.14.1 sock=nobody"}, "does not answer"),
        ({"_CONDOR_SCHEDD_ADDRESS_FILE": "ADDRESS", "SAYS": "9.0.17 sock=nobody"}, "needed is HTCondor 25.0 or later"),
        ({"_CONDOR_COLLECTOR_HOST": "127.0.0.1:1", "_CONDOR_SCHEDD_ADDRESS_FILE": "/nowhere"}, "collector"),
    ],
)
def test_says_why_the_queue_cannot_be_asked(by_hand, variables, said):
    if "SAYS" in variables:
        version, _, sock = variables["SAYS"].partition(" ")
        file = by_hand.pool.folder / "address"
        file.write_text(f"<127.0.0.1:9618?addrs=127.0.0.1-9618&{sock}>\n$CondorVersion: {version} 2026-10-16 $\n$x$\n")
        variables = {"_CONDOR_SCHEDD_ADDRESS_FILE": str(file)}
    answer = by_hand.ask("find", by_hand.run_id, environment=variables)
    assert said in answer["message"]
    assert "\n" not in answer["message"]
    assert answer["hint"]


def test_asks_the_collector_where_there_is_no_address_file(by_hand):
    assert by_hand.call("find", by_hand.run_id, environment={"_CONDOR_SCHEDD_ADDRESS_FILE": "/nowhere"}) is None


def test_says_that_there_is_no_dagman(by_hand):
    by_hand.write({1: "true"})
    arguments = ("submit", str(by_hand.root), by_hand.run_id, "x")
    answer = by_hand.ask(*arguments, environment={"PATH": "/nowhere", "_CONDOR_BIN": "/nowhere/bin"})
    assert answer["message"].startswith("condor_dagman is not on PATH, nor in")
    assert "/nowhere/bin" in answer["message"]


def test_a_restart_of_the_schedd_is_waited_for(by_hand_alone):
    by_hand = by_hand_alone
    by_hand.write({1: by_hand.waits(1)})
    restart = threading.Thread(target=by_hand.pool.restart_schedd)
    restart.start()
    by_hand.submit()
    restart.join()
    by_hand.running(1)
    assert by_hand.call("remove", by_hand.run_id, "enough") == 2


def test_nothing_loads_the_bindings_before_they_are_asked():
    program = "import sys, planner.cli, planner.engines.pool.pool_queue; sys.exit('htcondor2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def queue_error(*before: str, call: str) -> str:
    """The error and the hint of a call by root, or by whoever ``before`` makes of it."""
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from planner.engines.pool import pool_queue, schedd
from planner.engines.pool.pool_folder import PoolFolder
try:
    {call}
except schedd.QueueError as error:
    print(error, "|", error.hint)
"""
    command = [*before, sys.executable, "-c", program]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "HOME": "/"})
    return ended.stdout
