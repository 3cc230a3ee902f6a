"""The launcher: wrappers for many jobs at once, told to stop, outliving the engine and the launcher itself."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LAUNCHER = Path(__file__).resolve().parents[2] / "integrity" / "launcher.py"


class Engine:
    """The other end of a launcher."""

    def __init__(self, bench: Any, **options: Any) -> None:
        self.bench = bench
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )

    def record(self, job: int) -> Path:
        return Path(self.bench.folder) / f"{job}.json"

    def read(self, job: int) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.record(job).read_bytes())
        return document

    def ask(self, request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
        self.process.stdin.flush()

    def start(self, job: int, script: str, **changes: Any) -> None:
        changes = {"job": job, "work_dir": f"{self.bench.folder}/work/{job}", **changes}
        description = self.bench.describe(["/bin/sh", "-c", script]) | changes
        self.ask({"start": description, "record": str(self.record(job))})

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return reply

    def hear_end(self, count: int = 1) -> list[dict[str, Any]]:
        ends: list[dict[str, Any]] = []
        while len(ends) < count:
            reply = self.hear()
            if "ended" in reply:
                ends.append(reply)
        return ends

    def close(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout=20)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # of what was still to be sent
                stream.close()


@pytest.fixture
def engine(bench: Any) -> Iterator[Engine]:
    one = Engine(bench)
    yield one
    one.end()


def test_one_job(engine: Engine) -> None:
    engine.start(3, "echo hello; echo made > out", outputs=[engine.bench.output("out")])
    started = engine.hear()
    assert (started["started"], started["attempt"]) == (3, 2)
    assert engine.hear() == {"ended": 3, "attempt": 2, "status": 0, "record": True}
    record = engine.read(3)
    assert (record["status"], record["pid"]) == ("succeeded", started["pid"])
    assert record["stdout"]["text"] == "hello\n"
    assert record["outputs"][0]["sha256"] == engine.bench.digest_of(b"made\n")
    assert engine.close() == 0
    assert engine.process.stderr is not None and engine.process.stderr.read() == b""


def test_many_jobs_at_once(engine: Engine) -> None:
    for job in range(1, 61):
        engine.start(job, f"exit {job % 3}")
    ends = engine.hear_end(60)
    assert sorted(end["ended"] for end in ends) == list(range(1, 61))
    assert all(end["record"] for end in ends)
    assert {end["ended"]: end["status"] for end in ends} == {job: int(job % 3 > 0) for job in range(1, 61)}
    assert [engine.read(job)["exit_code"] for job in range(1, 61)] == [job % 3 for job in range(1, 61)]


def test_each_wrapper_waits_for_its_own_orphans(engine: Engine) -> None:
    engine.start(1, "setsid sh -c 'sleep 0.4; echo late > out' & exit 0", outputs=[engine.bench.output("out")])
    engine.start(2, "exit 0")
    assert [end["ended"] for end in engine.hear_end(2)] == [2, 1]
    assert engine.read(1)["outputs"][0]["sha256"] == engine.bench.digest_of(b"late\n")


def test_the_statuses_of_wrappers(engine: Engine) -> None:
    engine.start(1, "exit 1")
    assert engine.hear_end() == [{"ended": 1, "attempt": 2, "status": 1, "record": True}]
    engine.start(2, "exit 0", argv=[])
    assert engine.hear_end() == [{"ended": 2, "attempt": 2, "status": 2, "record": False}]
    engine.start(3, "exit 0", inputs=[engine.bench.input("/no/such/file")])
    assert engine.hear_end() == [{"ended": 3, "attempt": 2, "status": 3, "record": True}]
    engine.start(1, "exit 0")
    assert engine.hear_end() == [{"ended": 1, "attempt": 2, "status": 4, "record": True}]


def test_a_job_has_nothing_of_the_launchers(engine: Engine) -> None:
    engine.start(1, "cat; (ls -l /proc/$$/fd >fds); grep -e '->' fds | sed 's/.* -> //'; ls -l /proc/$PPID/fd >&2")
    engine.hear_end()
    record = engine.read(1)
    names = sorted(name.split(":")[0] for name in record["stdout"]["text"].splitlines())
    # Its standard streams, and the lock, which shows that the job is alive.
    assert names == sorted(["/dev/null", "pipe", "pipe", f"{engine.record(1)}.lock"])
    # The wrapper: standard streams, its lock, its wake-up pipe and the ends of the command's pipes, nothing of stdin's.
    inherited = f"pipe:[{os.fstat(engine.process.stdin.fileno()).st_ino}]"  # type: ignore[union-attr]
    assert inherited not in record["stderr"]["text"]


def test_unusable_requests_are_answered_and_survived(engine: Engine) -> None:
    for line in (
        "{",
        "[]",
        "{}",
        '{"start": 5}',
        '{"start": {"job": 1, "attempt": 1}}',
        '{"stop": "x"}',
        "[" * 100_000,
    ):
        assert engine.process.stdin is not None
        engine.process.stdin.write(line.encode() + b"\n")
        engine.process.stdin.flush()
        assert engine.hear()["error"].startswith("unusable request")
    engine.start(1, "exit 0")
    assert engine.hear_end()[0]["status"] == 0


def test_stop_ends_all_jobs_and_each_has_a_record(engine: Engine) -> None:
    for job in (1, 2, 3):
        engine.start(job, "echo > up; setsid sleep 1000 & sleep 1000")
    for job in (1, 2, 3):
        engine.bench.wait_until((Path(engine.bench.folder) / f"work/{job}/up").exists, "the job runs")
    engine.ask({"stop": int(signal.SIGTERM)})
    assert {(end["status"], end["record"]) for end in engine.hear_end(3)} == {(1, True)}
    assert all(engine.read(job)["interrupted"] for job in (1, 2, 3))
    assert engine.bench.processes() == []


def test_stop_of_one_job(engine: Engine) -> None:
    engine.start(1, "sleep 1000")
    engine.start(2, "sleep 0.5")
    engine.ask({"stop": int(signal.SIGTERM), "job": 1})
    assert [(end["ended"], end["status"]) for end in engine.hear_end(2)] == [(1, 1), (2, 0)]
    assert engine.read(2)["status"] == "succeeded"


def test_a_stop_right_behind_a_start_is_not_lost(engine: Engine) -> None:
    for job in range(1, 21):
        engine.start(job, "sleep 1000")
        engine.ask({"stop": int(signal.SIGTERM), "job": job})
    ends = engine.hear_end(20)
    assert {(end["status"], end["record"]) for end in ends} == {(1, True)}
    assert all(engine.read(job)["interrupted"] for job in range(1, 21))
    assert engine.bench.processes() == []


def test_when_the_engine_dies_wrappers_finish_and_nothing_more_starts(engine: Engine) -> None:
    engine.start(1, "echo > up; sleep 0.4; echo done > out", outputs=[engine.bench.output("out")])
    engine.bench.wait_until((Path(engine.bench.folder) / "work/1/up").exists, "the job runs")
    assert engine.process.stdout is not None and engine.process.stdin is not None
    engine.process.stdout.close()
    os.kill(engine.process.pid, signal.SIGSTOP)
    engine.start(2, "echo > up")
    engine.process.stdin.close()
    os.kill(engine.process.pid, signal.SIGCONT)
    assert engine.process.wait(timeout=20) == 0
    assert engine.read(1)["status"] == "succeeded"
    assert not engine.record(2).exists() and not (Path(engine.bench.folder) / "work/2").exists()


def test_when_the_launcher_is_killed_wrappers_finish(engine: Engine) -> None:
    engine.start(1, "echo > up; sleep 0.4; echo done > out", outputs=[engine.bench.output("out")])
    engine.bench.wait_until((Path(engine.bench.folder) / "work/1/up").exists, "the job runs")
    engine.process.kill()
    engine.process.wait()
    assert not engine.record(1).exists()
    engine.bench.wait_until(engine.record(1).exists, "the wrapper wrote its record")
    assert engine.read(1)["status"] == "succeeded"


def test_a_killed_wrapper_leaves_no_process_behind(engine: Engine) -> None:
    engine.start(1, "setsid sh -c 'setsid sleep 1000 & echo > up; sleep 1000' & exec sleep 1000")
    pid = engine.hear()["pid"]
    engine.start(2, "sleep 0.6; exit 7")
    engine.bench.wait_until((Path(engine.bench.folder) / "work/1/up").exists, "the job runs")
    os.kill(pid, signal.SIGKILL)
    assert engine.hear_end() == [{"ended": 1, "attempt": 2, "status": -9, "record": False}]
    left = [Path(f"/proc/{process}/cmdline").read_bytes() for process in engine.bench.processes()]
    assert not [line for line in left if b"1000" in line], "all of the killed wrapper's job"
    assert engine.hear_end()[0]["ended"] == 2
    assert engine.read(2)["exit_code"] == 7, "and nothing of another's"


def test_told_to_end_it_stops_its_jobs(engine: Engine) -> None:
    engine.start(1, "echo > up; sleep 1000")
    engine.bench.wait_until((Path(engine.bench.folder) / "work/1/up").exists, "the job runs")
    engine.process.terminate()
    assert engine.process.wait(timeout=20) == 0
    assert engine.read(1)["interrupted"] is True
    assert engine.bench.processes() == []


def test_an_engine_that_does_not_read_its_replies_holds_nothing_up(engine: Engine) -> None:
    # More replies than a pipe takes, for an engine that only ever writes.
    for _ in range(3000):
        engine.ask({"nonsense": "x" * 50})
    engine.start(1, "exit 0")
    engine.bench.wait_until(engine.record(1).exists, "the job ran")


def test_a_lock_that_the_engine_hands_down_is_held_by_wrappers_and_not_by_jobs(bench: Any) -> None:
    path = Path(bench.folder) / "lock"
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = Engine(bench, pass_fds=(lock.fileno(),))

    def of_job() -> list[int]:
        return [pid for pid in bench.processes() if b"sleep\x001000" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    try:
        engine.start(1, "setsid sleep 1000 >/dev/null 2>&1 & sleep 0.5; kill $!")
        bench.wait_until(lambda: of_job() != [], "the job runs")
        held = [str(link.readlink()) for pid in of_job() for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert held and str(path) not in held
    finally:
        engine.end()
    with path.open() as again:
        with pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(again, fcntl.LOCK_EX)
        assert engine.record(1).exists(), "the wrapper that outlived the launcher held it to its end"


def test_it_is_in_a_session_of_its_own(engine: Engine) -> None:
    engine.start(1, "exit 0")
    engine.hear_end()
    assert os.getsid(engine.process.pid) == engine.process.pid != os.getsid(0)


def best_of(rounds: int, act: Callable[[], None]) -> float:
    """Seconds of the quickest of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        act()
        times.append(time.monotonic() - begin)
    return min(times)


def test_a_job_costs_little_more_than_starting_an_interpreter_would(engine: Engine) -> None:
    jobs = iter(range(1, 1000))

    def through_the_launcher() -> None:
        for _ in range(40):
            engine.start(next(jobs), "exit 0", argv=["/bin/true"])
        engine.hear_end(40)

    def bare_interpreter() -> None:
        for _ in range(4):
            subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)

    assert best_of(3, through_the_launcher) / 40 < best_of(3, bare_interpreter) / 4
