"""Processes: each of the job's is waited for, or ended; a record is complete or absent, whenever what is killed."""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper import stop as stop_module

# Leaves its process group and session twice over, then writes when the command is long gone.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        for fd in (0, 1, 2): os.close(fd)
        time.sleep(float(sys.argv[1]))
        with open("late", "w") as file: file.write("written by a grandchild")
        os._exit(0)
    os._exit(0)
os._exit(0)
"""
PYTHON = [sys.executable, "-I", "-S", "-c"]
# A shell that will not go away and starts others that will not either, in sessions of their own.
STUBBORN = """
trap '' TERM HUP INT
setsid sh -c "trap '' TERM; echo up > up2; sleep 1000" &
echo up > up1; sleep 1000; sleep 1000
"""


def test_outputs_are_hashed_after_the_last_descendant_has_ended(bench: Any) -> None:
    status, record = bench.run([*PYTHON, DAEMON, "0.4"], outputs=[bench.output("late")])
    assert status == 0, record["failure"]
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"written by a grandchild")
    assert record["duration"] < 0.4, "the duration is that of the command"
    assert record["start"] < record["end"]


def test_a_grandchild_that_holds_the_pipe_is_read_to_its_end(bench: Any) -> None:
    _, record = bench.sh("(sleep 0.3; echo late) & echo early")
    assert record["stdout"]["text"] == "early\nlate\n"


def test_a_pipe_held_by_somebody_else_keeps_nobody_waiting(bench: Any) -> None:
    # A process outside of the job gets hold of its standard output: not ours to wait for.
    program = (
        "import os, socket, array\n"
        "s = socket.socket(socket.AF_UNIX); s.connect('../door')\n"
        "s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [1]))])\n"
        "os.write(1, b'said')\n"
    )
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bench.folder / "door"))
        server.listen()
        process = bench.start([sys.executable, "-c", program])
        connection, _ = server.accept()
        with connection:
            _, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(4))
            assert len(ancillary) == 1
            process.wait(timeout=10)
            os.close(int.from_bytes(ancillary[0][2], sys.byteorder))
    assert bench.record["stdout"]["text"] == "said"


def test_a_job_that_signals_its_whole_process_group_does_not_reach_the_wrapper(bench: Any) -> None:
    status, record = bench.sh("kill -KILL 0")
    assert (status, record["signal"], record["interrupted"]) == (1, signal.SIGKILL, False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_stop(bench: Any, number: signal.Signals) -> None:
    process = bench.start(
        ["/bin/sh", "-c", "echo begun; echo up > u; mv u up; setsid sleep 1000 & sleep 1000"],
        outputs=[bench.output("up")],
    )
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (1, b"")
    record = bench.record
    assert (record["status"], record["interrupted"]) == ("failed", True)
    assert record["failure"] == f"stopped by {number.name} while the command ran"
    assert (record["signal"], record["exit_code"]) == (signal.SIGTERM, None)
    assert record["stdout"]["text"] == "begun\n"
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"up\n")
    assert bench.processes() == []
    assert not bench.record_path.with_name("record.json.lock").exists()


def test_a_command_that_exits_well_when_told_to_stop_has_not_succeeded(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", "trap 'exit 0' TERM; echo > up; while :; do sleep 0.02; done"])
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.terminate()
    assert process.wait(timeout=20) == 1
    assert (bench.record["status"], bench.record["exit_code"], bench.record["interrupted"]) == ("failed", 0, True)


def test_a_command_may_start_others_to_end_well(bench: Any) -> None:
    script = "trap 'sleep 0.2; echo saved > state; exit 0' TERM; echo > up; while :; do sleep 0.02; done"
    process = bench.start(["/bin/sh", "-c", script])
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.terminate()
    assert process.wait(timeout=20) == 1
    assert (bench.work / "state").read_text() == "saved\n"


def test_after_the_grace_all_are_killed_whatever_they_ignore(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", STUBBORN], grace_seconds=0.4)
    bench.wait_until(lambda: (bench.work / "up1").exists() and (bench.work / "up2").exists(), "both run")
    begin = time.monotonic()
    process.terminate()
    assert process.wait(timeout=20) == 1
    assert 0.3 < time.monotonic() - begin < 5
    assert bench.record["signal"] == signal.SIGKILL
    assert bench.processes() == []


def test_a_second_signal_ends_the_grace(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", STUBBORN], grace_seconds=60)
    bench.wait_until(lambda: (bench.work / "up1").exists() and (bench.work / "up2").exists(), "both run")

    def is_over_when_told_again() -> bool:
        process.terminate()
        return process.poll() is not None

    bench.wait_until(is_over_when_told_again, "it ends")
    assert process.returncode == 1
    assert bench.processes() == []


def test_signals_that_come_at_once_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = stop_module.Stop()
    stop.install()
    try:
        monkeypatch.setattr(stop_module, "AT_ONCE_SECONDS", 900)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert (stop.signal, stop.count) == (signal.SIGTERM, 1)
        monkeypatch.setattr(stop_module, "AT_ONCE_SECONDS", 0)
        signal.raise_signal(signal.SIGTERM)
        assert stop.count == 2
    finally:
        stop.retire()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*stop_module.STOP_SIGNALS, signal.SIGCHLD))


def test_a_stopped_process_is_ended_within_the_grace(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", "echo > up; kill -STOP $$"], grace_seconds=60)
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.terminate()
    assert process.wait(timeout=20) == 1
    assert bench.record["signal"] == signal.SIGTERM


def test_processes_that_keep_forking_are_all_ended(bench: Any) -> None:
    spawn = "trap '' TERM; echo > up; while :; do (setsid sleep 1000 &) ; sleep 0.01; done"
    process = bench.start(["/bin/sh", "-c", spawn], grace_seconds=0.1)
    bench.wait_until((bench.work / "up").exists, "the job runs")
    time.sleep(0.1)
    process.terminate()
    assert process.wait(timeout=20) == 1
    assert bench.processes() == []


def test_told_to_stop_while_inputs_are_hashed(bench: Any) -> None:
    big = bench.folder / "big"
    with big.open("wb") as file:
        file.truncate(64 << 30)  # sparse: takes minutes to hash and no room
    process = bench.start(["/bin/sh", "-c", "echo > ran"], inputs=[bench.input(big)])
    bench.wait_until(lambda: bench.record_path.with_name("record.json.lock").exists(), "the wrapper is at work")
    time.sleep(0.2)
    process.terminate()
    assert process.wait(timeout=10) == 1
    record = bench.record
    assert record["failure"] == "stopped by SIGTERM before the command started"
    assert (record["interrupted"], record["duration"]) == (True, None)
    assert not (bench.work / "ran").exists()


def test_told_to_stop_while_outputs_are_hashed(bench: Any) -> None:
    process = bench.start(
        ["/bin/sh", "-c", "truncate -s 64G out; echo x > small"],
        outputs=[bench.output("small"), bench.output("out")],
        grace_seconds=0.2,
    )
    bench.wait_until(lambda: (bench.work / "small").exists() and not bench.processes()[1:], "the command has ended")
    time.sleep(0.2)
    process.terminate()
    assert process.wait(timeout=10) == 1
    record = bench.record
    assert (record["status"], record["exit_code"], record["interrupted"]) == ("failed", 0, True)
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"x\n")
    assert record["outputs"][1]["error"] == "stopped by SIGTERM"


def test_killing_the_wrapper_kills_the_command_and_leaves_no_record(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", "echo > up; exec sleep 1000"])
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.kill()
    process.wait()
    bench.wait_until(lambda: bench.processes() == [], "the command died with its wrapper")
    assert not bench.record_path.exists()
    with Path(f"{bench.record_path}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds it: this wrapper died


def test_after_a_killed_wrapper_the_same_attempt_can_be_made_again(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", "echo > up; exec sleep 1000"])
    bench.wait_until((bench.work / "up").exists, "the job runs")
    process.kill()
    process.wait()
    Path(f"{bench.record_path}.tmp").write_bytes(b'{"half": ')
    assert bench.sh("exit 0")[0] == 0
    assert sorted(path.name for path in bench.folder.iterdir()) == ["job.json", "record.json", "work"]


# ------------------------------------------------------------------------------------------------------ the lock


def test_the_lock_is_held_from_before_anything_is_touched(bench: Any) -> None:
    bench.folder.mkdir(exist_ok=True)
    with Path(f"{bench.record_path}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said = bench.refused(bench.describe(["/bin/true"]))
    assert status == 4
    assert "another wrapper is at work" in said
    assert not bench.record_path.exists() and not bench.work.exists()


def test_the_lock_is_held_while_the_job_runs(bench: Any) -> None:
    process = bench.start(["/bin/sh", "-c", "echo > up; sleep 0.3"])
    bench.wait_until((bench.work / "up").exists, "the job runs")
    with Path(f"{bench.record_path}.lock").open() as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever waits for it gets it when the record is there
        assert bench.record_path.exists()
    process.wait()


def test_of_many_wrappers_for_one_attempt_one_makes_it(bench: Any) -> None:
    # They start at one moment; each must find the lock held, or the record there. Which one wins is open.
    description = bench.describe(["/bin/sh", "-c", "echo ran >> ran; sleep 0.05"])
    processes = [bench.start_described(description) for _ in range(8)]
    for process in processes:
        process.communicate(timeout=30)
    assert sorted(process.returncode for process in processes) == [0] + [4] * 7
    assert (bench.work / "ran").read_text() == "ran\n"


# ---------------------------------------------------------------------------------------------- where it may fail


def test_a_record_that_cannot_be_written_whole_is_not_there_at_all(bench: Any) -> None:
    # The write stops in the middle of the record, as on a full disk: files may not grow past 4 KiB.
    description = bench.describe(["/bin/sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x"], tail_bytes=60000)
    process = bench.start_described(
        description, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    )
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 4
    assert b"cannot write" in errors and b"File too large" in errors
    assert sorted(path.name for path in bench.folder.iterdir()) == ["job.json", "work"]


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk_leaves_no_record_and_is_not_called_a_success(bench: Any, call: str) -> None:
    program = (
        f"import errno, json, os, sys; sys.path.insert(0, {str(bench.wrapper.parents[1])!r})\n"
        "from integrity.wrapper.run import run_attempt\n"
        "def full(*given): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        f"os.{call} = full\n"
        f"description = json.load(open({str(bench.folder / 'job.json')!r}))\n"
        f"sys.exit(run_attempt(description, {str(bench.record_path)!r}))\n"
    )
    bench.file("job.json", json.dumps(bench.describe(["/bin/true"])).encode())
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 4
    assert "No space left on device" in done.stderr
    assert sorted(path.name for path in bench.folder.iterdir()) == ["job.json", "work"]


def test_a_record_in_a_folder_that_is_not_there(bench: Any) -> None:
    path = bench.file("job.json", json.dumps(bench.describe(["/bin/sh", "-c", "echo > ran"])).encode())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(bench.wrapper), "--job", str(path), "--record", f"{bench.folder}/no/r.json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert "cannot lock" in done.stderr
    assert not bench.work.exists()


def test_a_work_folder_that_cannot_be_made_is_a_failed_attempt(bench: Any) -> None:
    bench.file("work", b"a file is in the way")
    status, record = bench.sh("exit 0")
    assert status == 1
    assert record["failure"].startswith("cannot make the work folder")


def test_killed_at_any_moment_the_record_is_complete_or_absent(bench: Any) -> None:
    choose = random.Random(20261123)
    outcomes = {True: 0, False: 0}
    for _ in range(40):
        process = bench.start(
            ["/bin/sh", "-c", "echo x > out; sleep 0.02"],
            outputs=[bench.output("out")],
            inputs=[bench.input(bench.file("in", b"x"))],
        )
        time.sleep(choose.uniform(0, 0.16))
        process.kill()
        process.communicate()
        there = bench.record_path.exists()
        outcomes[there] += 1
        if there:
            assert bench.record["status"] == "succeeded"
            assert bench.record["outputs"][0]["sha256"] == bench.digest_of(b"x\n")
            bench.record_path.unlink()
        bench.wait_until(lambda: bench.processes() == [], "the command died with its wrapper")
    assert outcomes[False] > 5, outcomes
