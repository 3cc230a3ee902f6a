"""Lists of tasks: one process, one record each."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


class Tasks:
    """A list of tasks below a bench's folder: `add` them, then `start`."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.lines: list[dict[str, Any]] = []

    def add(self, script: str, **changes: Any) -> None:
        number = len(self.lines) + 1
        work = str(self.bench.folder / f"work{number}")
        job = self.bench.describe(["/bin/sh", "-c", script], job=number, work_dir=work, **changes)
        self.lines.append({"job": job, "record": str(self.record_path(number))})

    def record_path(self, number: int) -> Path:
        path: Path = self.bench.folder / f"record{number}.json"
        return path

    def record(self, number: int) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.record_path(number).read_bytes())
        return document

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        text = "\n\n".join(map(json.dumps, self.lines)).encode()
        command = [sys.executable, "-I", "-S", str(self.bench.wrapper), "--tasks", "-", *options]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.bench.started.append(process)
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        _, errors = process.communicate(timeout=60)
        return process.returncode, errors.decode()


@pytest.fixture
def tasks(bench: Any) -> Tasks:
    return Tasks(bench)


def test_one_after_the_other_each_with_its_record(tasks: Tasks) -> None:
    log = tasks.bench.folder / "log"
    for number in range(1, 6):
        tasks.add(f"echo {number} begins >> {log}; echo {number} > out; sleep 0.02; echo {number} ends >> {log}",
                  outputs=[tasks.bench.output("out")])  # fmt: skip
    assert tasks.run() == (0, "")
    assert log.read_text() == "".join(f"{n} begins\n{n} ends\n" for n in range(1, 6))
    for number in range(1, 6):
        record = tasks.record(number)
        assert (record["job"], record["status"]) == (number, "succeeded")
        assert record["outputs"][0]["sha256"] == tasks.bench.digest_of(b"%d\n" % number)
    assert len({tasks.record(number)["pid"] for number in range(1, 6)}) == 1  # a fork would cost more than the task


def test_on_several_cores_at_once(tasks: Tasks) -> None:
    folder = tasks.bench.folder
    for number, other in ((1, 2), (2, 1)):  # each waits for the other: alone neither would end
        tasks.add(f"touch {folder}/{number}; until [ -e {folder}/{other} ]; do sleep 0.02; done")
    assert tasks.run("--cores", "2") == (0, "")


def test_one_that_fails_keeps_none_from_running(tasks: Tasks) -> None:
    tasks.add("exit 3")
    tasks.add("true", inputs=[tasks.bench.input("no", None)])
    tasks.add("kill -9 $PPID")  # its wrapper
    tasks.add("echo fine")
    assert tasks.run() == (4, "")
    assert [tasks.record(number)["status"] for number in (1, 2, 4)] == ["failed", "integrity_failed", "succeeded"]
    assert not tasks.record_path(3).exists()
    assert tasks.bench.processes() == []
    for number in (1, 2, 4):
        tasks.record_path(number).unlink()
    tasks.lines = tasks.lines[:2] + tasks.lines[3:]
    assert tasks.run()[0] == 3
    assert tasks.run()[0] == 4  # the records are there: nothing is run again


def test_what_a_killed_wrapper_left_is_ended_and_the_others_are_left_alone(tasks: Tasks) -> None:
    folder = tasks.bench.folder
    tasks.add(
        f"setsid sh -c 'touch {folder}/up; sleep 60' & until [ -e {folder}/up ]; do sleep 0.02; done; kill -9 $PPID"
    )
    tasks.add(f"until [ -e {folder}/up ]; do sleep 0.02; done; sleep 0.3")
    status, errors = tasks.run("--cores", "2")
    assert (status, errors) == (4, "")
    assert tasks.record(2)["status"] == "succeeded"
    assert tasks.bench.processes() == []


def test_told_to_stop_it_starts_no_more_and_passes_it_on(tasks: Tasks) -> None:
    tasks.add("trap 'echo ending; exit 5' TERM; touch up; while :; do sleep 0.02; done")
    tasks.add("touch ran")
    process = tasks.start()
    tasks.bench.wait_until((tasks.bench.folder / "work1" / "up").exists, "the first task starts")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (4, b"kickstart: told to stop: 1 tasks were not run\n")
    assert tasks.record(1)["failure"] == "stopped by SIGTERM while the command ran"
    assert tasks.record(1)["stdout"]["text"] == "ending\n"
    assert not tasks.record_path(2).exists() and not (tasks.bench.folder / "work2").exists()


def test_when_it_is_killed_its_wrappers_finish(tasks: Tasks) -> None:
    tasks.add("touch up; sleep 0.3; echo done")
    tasks.add("touch ran")
    process = tasks.start()
    tasks.bench.wait_until((tasks.bench.folder / "work1" / "up").exists, "the first task starts")
    process.kill()
    process.communicate()
    tasks.bench.wait_until(tasks.record_path(1).exists, "the wrapper finishes")
    assert tasks.record(1)["status"] == "succeeded"
    assert not tasks.record_path(2).exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"job": {}, "record": "r"}\nnonsense', "line 2 of the tasks: "),
        (b'\n[1]', "line 2 of the tasks: expected a JSON object, found list"),
        (b'{"job": {}}', "line 1 of the tasks: record: expected a value of type str, found None"),
        (b'{"record": "r"}', "line 1 of the tasks: job: expected a value of type dict, found None"),
        (b'{"job": {}, "record": "r"}\n{"job": {"note": NaN}, "record": "r"}', "line 2 of the tasks: "),
        (b'{"job": {"note": [1e999]}, "record": "r"}', "line 1 of the tasks: "),
        (b"\xff", "line 1 of the tasks: "),
    ],
)  # fmt: skip
def test_a_list_that_is_not_whole_starts_nothing(bench: Any, text: bytes, said: str) -> None:
    path = bench.file("tasks", text)
    command = [sys.executable, "-I", "-S", str(bench.wrapper), "--tasks", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=bench.folder)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert [each.name for each in bench.folder.iterdir()] == ["tasks"]


@pytest.mark.parametrize("options", [["--cores", "0"], ["--cores", "two"], ["--cores"], ["--job", "x"]])
def test_options_that_make_no_sense(tasks: Tasks, options: list[str]) -> None:
    tasks.add("true")
    status, errors = tasks.run(*options)
    assert status == 2 and errors
    assert not tasks.record_path(1).exists()


def test_a_list_without_tasks_is_done(tasks: Tasks) -> None:
    assert tasks.run() == (0, "")
