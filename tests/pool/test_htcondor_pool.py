"""The pool does what tests rely on, by HTCondor's own account; and where it cannot be started its script says why."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

POOL = Path(__file__).resolve().parents[1] / "htcondor-pool"
EVICTED, TERMINATED, RECONNECTION_FAILED = "004", "005", "024"

# Prints its input, waits, prints it again.
JOB = """executable = /bin/sh
arguments = "-c 'cat input; sleep {seconds}; cat input'"
transfer_executable = false
should_transfer_files = yes
transfer_input_files = input
transfer_output_files = ""
output = job.out
error = job.err
log = job.log
queue
"""
DAG = "JOB first job.sub\nJOB second job.sub\nPARENT first CHILD second\n"
SUBMIT = """
import htcondor2, pathlib
print(htcondor2.Schedd().submit(htcondor2.Submit(pathlib.Path("job.sub").read_text())).cluster())
"""
FLIP_A_BIT = """#!/usr/bin/env python3
import pathlib, sys
byte = pathlib.Path("input").read_bytes()[0]
pathlib.Path("input").write_bytes(bytes([byte ^ 1]))
print("not for the eyes of the job", sys.argv)
"""


def wait_for(true: Callable[[], object]) -> None:
    """The time limit of the tests is the end of it."""
    while not true():
        time.sleep(0.2)


def write_job(folder: Path, seconds: float = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input").write_text("p")
    (folder / "job.sub").write_text(JOB.format(seconds=seconds))


def submit(pool, folder: Path, seconds: float = 0) -> str:
    """A job, submitted with the Python bindings of this environment."""
    write_job(folder, seconds)
    return f"{pool.run(sys.executable, '-c', SUBMIT, cwd=folder).stdout.strip()}.0"


def submit_dag(pool, seconds: float) -> int:
    """A DAG of two jobs in the folder of the test."""
    write_job(pool.folder, seconds)
    (pool.folder / "two.dag").write_text(DAG)
    pool.run("true")  # hands the files over to the user
    said = pool.tool("condor_submit_dag", "two.dag")
    return int(re.search(r"cluster (\d+)", said)[1])


def events(log: Path) -> list[str]:
    """The numbers of the events of a job log, in order."""
    return re.findall(r"^(\d{3}) \(", log.read_text(), re.MULTILINE) if log.exists() else []


def saboteur(folder: Path, program: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saboteur").write_text(program)
    (folder / "saboteur").chmod(0o755)


def running(pool, job: str) -> bool:
    return pool.tool("condor_q", job, "-af", "JobStatus").strip() == "2"


def test_a_job_goes_there_and_its_output_comes_back(pool) -> None:
    submit(pool, pool.folder)
    wait_for(lambda: TERMINATED in events(pool.folder / "job.log"))
    assert (pool.folder / "job.out").read_text() == "pp"
    assert (pool.folder / "job.out").owner() == "pool"


def test_the_user_reads_what_is_roots_and_writes_only_its_own(pool, tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "file"
    closed.parent.mkdir(mode=0o700)
    closed.write_text("roots")
    assert pool.run("cat", closed).stdout == "roots"
    assert "Permission denied" in pool.run("touch", closed, code=1).stderr
    pool.run("sh", "-c", "id -un > who; env > environment")
    assert (pool.folder / "who").read_text() == "pool\n"
    assert "HOME=/home/pool\n" in (pool.folder / "environment").read_text()


def test_a_saboteur_meets_the_jobs_of_its_folder_and_no_others(pool) -> None:
    saboteur(pool.folder / "one", FLIP_A_BIT)
    saboteur(pool.folder / "broken", "#!/bin/sh\necho it is broken\nexit 3\n")
    folders = [pool.folder / name for name in ("one", "one/of its folders/below", "another", "broken")]
    for folder in folders:
        submit(pool, folder)
    wait_for(lambda: all(TERMINATED in events(folder / "job.log") for folder in folders))
    assert [(folder / "job.out").read_text() for folder in folders] == ["qq", "qq", "pp", ""]
    assert [(folder / "input").read_text() for folder in folders] == ["p"] * 4  # what was submitted is untouched
    assert (folders[3] / "job.err").read_text() == f"{folders[3]}/saboteur failed: it is broken\n"


def test_a_held_job_waits_until_it_is_released(pool) -> None:
    job = submit(pool, pool.folder, seconds=1)
    pool.hold(job, "the test wants it")
    assert "the test wants it" in pool.tool("condor_q", job, "-af", "HoldReason")
    pool.release(job)
    wait_for(lambda: TERMINATED in events(pool.folder / "job.log"))


def test_a_job_whose_starter_was_killed_runs_again(pool) -> None:
    job = submit(pool, pool.folder, seconds=3)
    wait_for(lambda: running(pool, job))
    pool.kill_starter(job)
    wait_for(lambda: TERMINATED in events(pool.folder / "job.log"))
    assert {EVICTED, RECONNECTION_FAILED} < set(events(pool.folder / "job.log"))
    with pytest.raises(AssertionError, match=f"job {job} has no starter"):
        pool.kill_starter(job)


def test_a_dagman_that_was_killed_is_started_again(pool) -> None:
    cluster = submit_dag(pool, seconds=1)
    wait_for(lambda: (pool.folder / "job.log").exists())
    pool.kill_dagman(cluster)
    wait_for(lambda: TERMINATED in events(pool.folder / "two.dag.dagman.log"))
    assert EVICTED in events(pool.folder / "two.dag.dagman.log")
    assert events(pool.folder / "job.log").count(TERMINATED) == 2


def test_a_dag_goes_on_when_the_schedd_was_restarted(pool_alone) -> None:
    started = ("condor_status", "-schedd", "-af", "DaemonStartTime")
    before = pool_alone.tool(*started)
    submit_dag(pool_alone, seconds=2)
    wait_for(lambda: (pool_alone.folder / "job.log").exists())
    pool_alone.restart_schedd()
    wait_for(lambda: TERMINATED in events(pool_alone.folder / "two.dag.dagman.log"))
    assert events(pool_alone.folder / "job.log").count(TERMINATED) == 2
    assert pool_alone.tool(*started) != before


def test_jobs_left_behind_are_removed(pool) -> None:
    job = submit(pool, pool.folder, seconds=600)
    pool.empty()
    assert pool.tool("condor_q", job, "-af", "ClusterId") == ""


def test_up_twice_at_once_changes_nothing_where_the_pool_runs(pool) -> None:
    schedd = ("condor_status", "-schedd", "-af", "MyAddress", "DaemonStartTime")
    before = pool.tool(*schedd)
    for process in [subprocess.Popen([POOL, "up"]) for _ in range(2)]:
        assert process.wait() == 0
    assert pool.tool(*schedd) == before


@pytest.mark.usefixtures("pool_answers")
@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (
            # The checkout may lie in a folder that is closed to others.
            'setpriv --reuid=65534 --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$@"',
            "is run by root.*sudo",
        ),
        ('echo ID=other >os; mount --bind os /etc/os-release; "$@"', "not Debian .*'other'.*Use a Debian"),
        ('umount -lR /opt/htcondor; setpriv --bounding-set=-sys_admin "$@"', "not permitted.*--privileged"),
        ('HTCONDOR_TREE=$PWD/tree "$@"', "could not install Debian sid|apt-get update' failed"),
        (
            "mkdir up work; mount -t overlay -o lowerdir=/etc,upperdir=up,workdir=work none /etc; rm /etc/condor;"
            ' mkdir /etc/condor; "$@"',
            "/etc/condor belongs to another installation",
        ),
        ('CLIENT_PYTHON=./newer "$@"', r"htcondor is 99\.1 .* or a newer series.*install the package 'htcondor<\d+'"),
    ],
    ids=["not root", "not Debian", "no mounts", "no network", "another HTCondor", "daemons too old"],
)
def test_where_it_cannot_start_it_says_why_and_what_to_do(tmp_path: Path, machine: str, message: str) -> None:
    """Root calls the script without a network, in a mount namespace of its own where something is amiss."""
    (tmp_path / "newer").write_text("#!/bin/sh\necho 99.1\n")
    (tmp_path / "newer").chmod(0o755)
    command = ["unshare", "--mount", "--net", "bash", "-c", machine, "bash", POOL, "up"]
    said = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert said.returncode == 1
    assert re.search(message, said.stderr.replace("\n", " ")), said
