"""Workers: one process makes one attempt after the other, and nothing of one is left for the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper import workers
from integrity.wrapper.processes import process_tree

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import json, os, select, signal, sys
from integrity.wrapper.processes import PR_SET_CHILD_SUBREAPER, libc_prctl
from integrity.wrapper.stop import Stop
from integrity.wrapper.workers import Workers

stop = Stop()
stop.install()
libc_prctl()(PR_SET_CHILD_SUBREAPER, 1)
workers = Workers(stop.close)
poll = select.poll()
poll.register(stop.wake, select.POLLIN)
poll.register(workers.news, select.POLLIN)
for line in sys.stdin:
    request = json.loads(line)
    said = {"pid": workers.start(request["job"], request["record"], "the attempt")}
    if "signal" in request:
        workers.stop(request["signal"], lambda about: about == "the attempt")
    while "ended" not in said:
        poll.poll()
        stop.drain()
        for about, status in workers.ended():
            said["ended"] = [about, status]
    said["open"] = sorted(os.listdir("/proc/%d/fd" % said["pid"])) if os.path.exists("/proc/%d/fd" % said["pid"]) else []
    print(json.dumps(said), flush=True)
workers.close()
"""


HANGING = """
import os
from integrity.wrapper import content, in_time

class Hanging:
    # The module os, of which a read never comes back from a file of seven bytes.
    def __getattr__(self, name):
        return getattr(os, name)
    def readv(self, descriptor, buffers):
        return os.readv(never if os.fstat(descriptor).st_size == 7 else descriptor, buffers)

never, _open = os.pipe()
content.os = Hanging()
in_time.HUNG_SECONDS = 0.05
"""


class Driver:
    """A process with workers, which makes an attempt for each request."""

    def __init__(self, bench: Any, program: str = DRIVER) -> None:
        self.bench = bench
        self.number = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make(self, script: str, more: dict[str, Any] | None = None, **changes: Any) -> tuple[dict[str, Any], Any]:
        """(what the driver says of an attempt, its record or None)."""
        self.number += 1
        record = self.bench.folder / f"{self.number}.json"
        job = self.bench.describe(["/bin/sh", "-c", script], job=self.number, **changes)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"job": job, "record": str(record), **(more or {})}) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return said, json.loads(record.read_bytes()) if record.exists() else None

    def close(self) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=20)


@pytest.fixture
def driver(bench: Any) -> Any:
    made = Driver(bench)
    yield made
    made.close()


def test_one_process_makes_attempts_of_every_end_and_keeps_nothing_open(driver: Driver) -> None:
    bench = driver.bench
    given = bench.input(bench.file("in", b"x" * 100), None)
    ends = [
        ("echo out; echo error >&2; echo x > made", {"inputs": [given], "outputs": [bench.output("made")]}, 0),
        ("exit 3", {}, 1),
        ("kill -9 $$", {}, 1),
        ("true", {"inputs": [bench.input("no", None)]}, 3),
        ("true", {"outputs": [bench.output("never")]}, 1),
        ("true", {"schema": "another"}, 2),
        ("sleep 0.1 & exit 0", {"steps": {"pre": ["/no/such"]}}, 1),
        ("(sleep 0.1; echo late) & exit 0", {"walltime_seconds": 30}, 0),
        ("true", {"stdout": "."}, 1),
        ("true", {"stderr": "."}, 1),
        ("true", {"stdin": "no"}, 1),
        ("head -c 300000 /dev/zero | tr '\\\\0' x", {}, 0),
    ]
    first, _ = driver.make("true")
    for script, changes, status in ends * 2:
        said, record = driver.make(script, **changes)
        assert said == {"pid": first["pid"], "ended": ["the attempt", status], "open": first["open"]}, (script, said)
        assert (record is None) == (status == 2)
    assert driver.close() == 0
    assert not bench.alive(first["pid"])


ONE_CALL_REFUSED = """
import errno, json, os, sys
from integrity.wrapper import start, streams
from integrity.wrapper.run import run_attempt

class Refusing:
    # The module os, of which the last of so many calls fails.
    def __init__(self, name, countdown, number):
        self.name, self.countdown, self.number = name, countdown, number
    def __getattr__(self, name):
        return self.call if name == self.name else getattr(os, name)
    def call(self, *given):
        self.countdown -= 1
        if self.countdown == 0:
            raise OSError(self.number, os.strerror(self.number))
        return getattr(os, self.name)(*given)

request = json.load(sys.stdin)
before = os.listdir("/proc/self/fd")
start.os = streams.os = Refusing(request["call"], request["countdown"], getattr(errno, request["error"]))
status = run_attempt(request["job"], request["record"])
start.os = streams.os = os
print(json.dumps([status, sorted(before) == sorted(os.listdir("/proc/self/fd"))]))
"""


@pytest.mark.parametrize(
    ("call", "countdown", "error", "said"),
    [
        ("fork", 1, "EAGAIN", "cannot start '/bin/sh': Resource temporarily unavailable"),
        ("pipe", 1, "EMFILE", "cannot make the standard streams: Too many open files"),
        ("pipe", 2, "EMFILE", "cannot make the standard streams: Too many open files"),
        ("pipe", 3, "EMFILE", "cannot start '/bin/sh': Too many open files"),
        ("set_blocking", 2, "ENOMEM", "cannot make the standard streams: Cannot allocate memory"),
    ],
)
def test_a_command_that_the_system_has_no_room_for_leaves_nothing_open_and_is_cleaned_up_after(
    bench: Any, call: str, countdown: int, error: str, said: str
) -> None:
    steps = {"cleanup": ["/bin/sh", "-c", "grep ^SigBlk /proc/self/status; touch cleaned"]}
    job = bench.describe(["/bin/sh", "-c", "touch ran"], steps=steps)
    request = {"call": call, "countdown": countdown, "error": error, "job": job, "record": str(bench.record_path)}
    done = subprocess.run(
        [sys.executable, "-c", ONE_CALL_REFUSED],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(request),
        capture_output=True,
        text=True,
    )
    assert (json.loads(done.stdout), done.stderr) == ([1, True], "")
    record = bench.record
    assert (record["failure"], record["exit_code"], record["outputs"]) == (said, 126, [])
    (cleanup,) = record["steps"]
    assert (cleanup["failure"], int(cleanup["stdout"]["text"].split()[1], 16)) == (None, 0)
    assert sorted(path.name for path in bench.work.iterdir()) == ["cleaned"]


def test_a_signal_strikes_the_attempt_that_it_was_meant_for_and_no_other(driver: Driver) -> None:
    pids = set()
    for _ in range(5):
        said, record = driver.make("sleep 30", {"signal": 15}, grace_seconds=0.2)
        assert said["ended"] == ["the attempt", 1]
        assert record["failure"].startswith("stopped by SIGTERM")
        pids.add(said["pid"])
        said, record = driver.make("echo fine")
        assert (said["ended"][1], record["interrupted"]) == (0, False)
        pids.add(said["pid"])
    # Who was signalled makes no other attempt: nobody knows which of them a signal would have struck.
    assert len(pids) == 6


def test_a_signal_to_one_that_waits_concerns_no_attempt(driver: Driver) -> None:
    """Nor does it keep the next from being stopped by its own."""
    first, _ = driver.make("true")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(first["pid"], number)
        said, record = driver.make("echo fine")
        assert (said["ended"][1], record["interrupted"], record["failure"]) == (0, False, None)
        assert said["pid"] == first["pid"]
    os.kill(first["pid"], signal.SIGHUP)
    said, record = driver.make("sleep 30", {"signal": signal.SIGTERM}, grace_seconds=0.2)
    assert record["failure"].startswith("stopped by SIGTERM") and said["pid"] == first["pid"]


def test_what_cannot_be_ended_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "send", lambda pid, number: None)
    monkeypatch.setattr(workers, "STRAY_SECONDS", 0.02)
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as stray:
        others = {pid for pid in process_tree()[os.getpid()] if pid != stray.pid}
        assert workers.end_strays(others) == [stray.pid]
        assert stray.poll() is None
        monkeypatch.setattr(workers, "STRAY_SECONDS", float("inf"))
        assert workers.end_strays({*others, stray.pid}) == []


def test_one_that_is_killed_is_told_of_and_replaced(driver: Driver) -> None:
    first, record = driver.make("kill -9 $PPID")
    assert (first["ended"], record) == (["the attempt", -9], None)
    for _ in range(2):
        second, _ = driver.make("true")
        os.kill(second["pid"], 9)  # while it waits
        driver.bench.wait_until(lambda pid=second["pid"]: not driver.bench.alive(pid), "it ends")
        third, record = driver.make("echo fine")
        assert (third["ended"][1], record["stdout"]["text"]) == (0, "fine\n")
        assert len({first["pid"], second["pid"], third["pid"]}) == 3
    assert driver.bench.processes() == []


def test_one_that_hangs_in_a_read_makes_no_other_attempt(bench: Any) -> None:
    """Nobody knows when that read comes back: its process ends, by the status that it would have said."""
    driver = Driver(bench, HANGING + DRIVER)
    entry = bench.input(bench.file("in", b"seven.."), None)
    first, record = driver.make("true", inputs=[entry], walltime_seconds=0.1)
    assert (first["ended"], record["exceeded"]) == (["the attempt", 1], "walltime_seconds")
    second, record = driver.make("echo fine")
    assert (second["ended"][1], record["stdout"]["text"]) == (0, "fine\n")
    assert first["pid"] != second["pid"] and not bench.alive(first["pid"])
    assert driver.close() == 0


def test_a_description_that_is_longer_than_a_pipe_holds(driver: Driver) -> None:
    text = "x" * 100_000
    said, record = driver.make("printf %s $LONG | wc -c", environment={"set": {"LONG": text}, "record": []})
    assert (said["ended"][1], record["stdout"]["text"].strip()) == (0, "100000")
