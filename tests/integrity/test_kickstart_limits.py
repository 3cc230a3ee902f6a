"""Time and resources that a job may use: how it is told, how it is ended, and what is said of the limit it reached."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper.limits import LIMITS, exceeded, impose

ROOT = Path(__file__).resolve().parents[2]


def test_at_the_end_of_its_time_all_of_a_job_is_told_to_end(bench: Any) -> None:
    begin = time.monotonic()
    script = "trap 'echo ending; exit 0' TERM; (trap '' TERM; sleep 60) & touch up; while :; do sleep 0.05; done"
    status, record = bench.sh(script, walltime_seconds=0.5, grace_seconds=0.3)
    assert time.monotonic() - begin > 0.8  # the one that does not listen is killed after the grace
    assert (status, record["exceeded"]) == (1, "walltime_seconds")
    assert record["failure"] == "the command was stopped: the job may take 0.5 s"
    assert (record["stdout"]["text"], record["exit_code"], record["interrupted"]) == ("ending\n", 0, False)
    assert bench.processes() == []


def test_outputs_of_a_job_that_ran_out_of_time_are_hashed(bench: Any) -> None:
    outputs = [bench.output("some"), bench.output("none")]
    status, record = bench.sh("echo x > some; exec sleep 60", walltime_seconds=0.3, outputs=outputs)
    assert (status, record["signal"]) == (1, 15)
    assert [entry["verdict"] for entry in record["outputs"]] == ["ok", "missing"]


def test_steps_share_the_time_and_cleanup_has_the_grace(bench: Any) -> None:
    steps = {"setup": ["/bin/sleep", "60"], "cleanup": ["/bin/sh", "-c", "echo tidy"]}
    status, record = bench.sh("touch ran", steps=steps, walltime_seconds=0.3)
    assert (status, record["exceeded"]) == (1, "walltime_seconds")
    assert record["failure"] == "the setup step was stopped: the job may take 0.3 s"
    assert record["steps"][1]["stdout"]["text"] == "tidy\n"
    assert not (bench.work / "ran").exists()


def test_in_time_nothing_is_said(bench: Any) -> None:
    status, record = bench.sh("true", walltime_seconds=60)
    assert (status, record["exceeded"], record["checkpoint_signalled"]) == (0, None, None)


DAYS = 86_400


@pytest.mark.parametrize(
    ("script", "spans", "ended"),
    [
        ("true", {"walltime_seconds": 30 * DAYS}, (0, None)),
        ("true", {"checkpoint": {"after_seconds": 25 * DAYS}}, (0, None)),
        ("exec sleep 60", {"walltime_seconds": 0.1, "grace_seconds": 30 * DAYS}, (1, "walltime_seconds")),
    ],
)
def test_spans_longer_than_one_poll_can_be(
    bench: Any, script: str, spans: dict[str, Any], ended: tuple[int, str | None]
) -> None:
    status, record = bench.sh(script, **spans)
    assert (status, record["exceeded"]) == ended, record["failure"]


def test_a_pause_that_was_cut_short_is_followed_by_another(monkeypatch: pytest.MonkeyPatch, bench: Any) -> None:
    # The same in a process of its own: an attempt takes over its signals and its children.
    program = (
        "import json, sys; from integrity.wrapper import stop; from integrity.wrapper.run import run_attempt;"
        "stop.LONGEST_PAUSE_MILLISECONDS = 10; sys.exit(run_attempt(json.load(sys.stdin), sys.argv[1]))"
    )
    description = bench.describe(["/bin/sh", "-c", "sleep 0.2; echo done"], walltime_seconds=30 * DAYS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", program, str(bench.record_path)], input=json.dumps(description), text=True
    )
    assert (done.returncode, bench.record["stdout"]["text"]) == (0, "done\n")


@pytest.mark.parametrize(("name", "code"), [("TERM", 0), ("USR1", 85)])
def test_a_checkpoint_is_asked_for_once_and_its_file_is_hashed(bench: Any, name: str, code: int) -> None:
    script = f"trap 'echo saved >> state; exit {code}' {name}; while :; do sleep 0.05; done"
    checkpoint = {"after_seconds": 0.5, "signal": name}
    outputs = [bench.output("state", role="checkpoint", optional=True)]
    status, record = bench.sh(script, checkpoint=checkpoint, walltime_seconds=60, outputs=outputs)
    assert (status, record["exit_code"], record["exceeded"]) == (1 if code else 0, code, None)
    assert record["outputs"][0]["sha256"] == bench.digest_of(b"saved\n")
    assert record["start"] < record["checkpoint_signalled"] < record["end"]


def test_a_command_that_goes_on_after_its_checkpoint_has_the_rest_of_its_time(bench: Any) -> None:
    script = "trap 'echo saved >> state' USR1; while [ ! -e state ]; do sleep 0.05; done; sleep 0.2; echo done"
    checkpoint = {"after_seconds": 0.5, "signal": "USR1"}
    status, record = bench.sh(script, checkpoint=checkpoint)
    assert (status, record["stdout"]["text"], (bench.work / "state").read_text()) == (0, "done\n", "saved\n")
    assert record["checkpoint_signalled"] is not None


def test_cpu_time(bench: Any) -> None:
    status, record = bench.sh("while :; do :; done", limits={"cpu_seconds": 1}, grace_seconds=1)
    assert (status, record["exceeded"], record["signal"]) == (1, "cpu_seconds", 24)
    assert record["failure"] == "the command was ended by SIGXCPU: it reached its limit of 1 s of CPU time"


@pytest.mark.parametrize("through_a_shell", [False, True])
def test_the_size_of_a_file(bench: Any, through_a_shell: bool) -> None:
    write = "dd if=/dev/zero of=big bs=4096 count=4 2> messages"
    script = f"{write}; exit $?" if through_a_shell else f"exec {write}"
    status, record = bench.sh(script, limits={"file_size_bytes": 8192}, outputs=[bench.output("big")])
    assert (status, record["exceeded"]) == (1, "file_size_bytes")
    assert record["failure"].endswith("it reached its limit of 8192 bytes in a file")
    assert record["outputs"][0]["size"] == 8192


def test_memory_and_open_files_are_refused_to_the_command_which_says_so_itself(bench: Any) -> None:
    program = (
        "import os, sys\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('no memory')\n"
        "try: files = [os.open('/dev/null', 0) for n in range(40)]\n"
        "except OSError as error: sys.exit(error.strerror)\n"
    )
    limits = {"memory_bytes": 1 << 29, "open_files": 20}
    status, record = bench.run([sys.executable, "-I", "-S", "-c", program], limits=limits)
    assert (status, record["stdout"]["text"], record["stderr"]["text"]) == (1, "no memory\n", "Too many open files\n")
    assert record["exceeded"] is None  # nobody saw it but the command
    assert record["failure"] == ("the command exited with code 1 (limited to 536870912 bytes of memory, 20 open files)")


def test_the_wrapper_itself_is_not_limited(bench: Any) -> None:
    status, _ = bench.sh("exit 0", limits={"file_size_bytes": 1, "open_files": 10})
    assert status == 0 and bench.record_path.stat().st_size > 1


def test_a_harder_limit_that_is_there_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda number: (50, 100))
    monkeypatch.setattr(resource, "setrlimit", lambda number, limits: set_to.update({number: limits}))
    impose({"open_files": 1000, "memory_bytes": 70, "cpu_seconds": 98}, 1.5)
    assert set_to == {
        resource.RLIMIT_NOFILE: (100, 100),
        resource.RLIMIT_AS: (70, 70),
        resource.RLIMIT_CPU: (98, 100),
    }


@pytest.mark.parametrize(
    ("status", "reached"),
    [
        (0, None),
        (1 << 8, None),
        (9, None),
        (24, "cpu_seconds"),
        ((128 + 24) << 8, "cpu_seconds"),  # as a shell says it of its command
        (25, "file_size_bytes"),
        ((128 + 25) << 8, "file_size_bytes"),
    ],
)
def test_a_limit_that_was_not_set_was_not_reached(status: int, reached: str | None) -> None:
    assert exceeded(dict.fromkeys(LIMITS, 1), status) == reached
    assert exceeded({}, status) is None


def large(bench: Any) -> dict[str, Any]:
    """A file that nobody reads within a second, although it takes no room."""
    path = bench.file("large", b"")
    os.truncate(path, 64 << 30)
    entry: dict[str, Any] = bench.input(path, None)
    return entry


@pytest.mark.parametrize("level", ["guard", "copy"])
def test_the_verification_of_inputs_takes_of_the_jobs_time(bench: Any, level: str) -> None:
    entry = large(bench)
    bench.work.mkdir()
    status, record = bench.sh(
        "touch ran",
        walltime_seconds=1,
        inputs=[bench.input(bench.file("small", b"x"), None), entry],
        steps={"cleanup": ["/bin/sh", "-c", "touch cleaned"]},
        protection={"level": level, "arguments": True, "folder": str(bench.folder / "private")},
    )
    assert (status, record["status"], record["exceeded"]) == (1, "failed", "walltime_seconds")
    assert record["failure"] == (
        f"the job may take 1 s: they were over before the command started, while {entry['name']!r} was read"
    )
    assert [path.name for path in bench.work.iterdir()] == ["cleaned"]


def test_what_is_staged_in_takes_of_the_jobs_time(bench: Any) -> None:
    entry = {**large(bench), "path": "in", "role": "inout"}
    stage_in = [{"from": str(bench.folder / "large"), "to": "in", "copy": True}]
    status, record = bench.sh("touch ran", walltime_seconds=0.02, inputs=[entry], stage_in=stage_in)
    assert (status, record["exceeded"]) == (1, "walltime_seconds")


HANGING = """
import _thread, json, os, signal, sys, time
from integrity.wrapper import attempt, content, in_time, private_copies, stop
from integrity.wrapper.run import run_attempt

class Clock:
    # The module time, of which the clock can be put forward: the job's time is over when its input is being read.
    ahead = 0
    def __getattr__(self, name):
        return getattr(time, name)
    def monotonic(self):
        return time.monotonic() + self.ahead

class Hanging:
    # The module os, of which a read never comes back, as from a file server that does not answer.
    def __getattr__(self, name):
        return getattr(os, name)
    def readv(self, descriptor, buffers):
        self.hang()
        reads.append(descriptor)
        return os.readv(descriptor, buffers)
    def copy_file_range(self, source, destination, count):
        self.hang()
        reads.append(source)
        return os.copy_file_range(source, destination, count)

    def hang(self):
        if sys.argv[2] == "stopped":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            clock.ahead = 1000
            os.kill(os.getpid(), signal.SIGCHLD)  # whoever waits looks at the clock
        os.read(never, 1)

    def read_after_all(self):
        os.close(_open)
        while _thread._count():
            time.sleep(0.001)

never, _open = os.pipe()
attempt.time = stop.time = clock = Clock()
reads = []
content.os = private_copies.os = Hanging()
in_time.HUNG_SECONDS = 0.05
status = run_attempt(json.load(sys.stdin), sys.argv[1])
in_memory = sum("memfd:" in os.path.realpath("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd"))
content.os.read_after_all()
print(json.dumps([status, in_time.hangs(), len(reads), in_memory]))
"""


def hanging(bench: Any, description: dict[str, Any], *, stopped: bool = False) -> Any:
    """What comes of an attempt of which the first read hangs: exit status, whether it still does, reads that came back
    in the end, files in memory that were open until then.
    """
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(bench.record_path), "stopped" if stopped else ""],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(description),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_memory_that_a_hanging_read_may_still_write_to_stays_open(bench: Any) -> None:
    """What is opened next would get its number: the record, maybe."""
    entry = bench.input(bench.file("in", b"x"), None)
    protection = {"level": "seal", "arguments": True, "folder": str(bench.folder / "private")}
    command = ["/bin/cat", entry["path"]]
    description = bench.describe(command, inputs=[entry], walltime_seconds=900, protection=protection)
    assert hanging(bench, description) == [1, True, 1, 1]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_read_that_does_not_come_back_is_given_up(bench: Any, stopped: bool) -> None:
    """At the end of the job's time, or when the wrapper is told to stop before; the process ends. If it comes back
    before that, nothing more is done.
    """
    entry = bench.input(bench.file("in", b"x"), None)
    description = bench.describe(["/bin/true"], inputs=[entry], walltime_seconds=900)
    assert hanging(bench, description, stopped=stopped) == [1, True, 1, 0]
    assert bench.record["exceeded"] == (None if stopped else "walltime_seconds")
    assert bench.record["failure"].startswith("stopped by SIGTERM" if stopped else "the job may take 900 s")
