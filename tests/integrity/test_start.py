"""How commands are started: a fork and posix_spawn give the same, and one of them is always at hand.

A command that was started by posix_spawn does not die with its wrapper: who starts a killed attempt again, after the
launcher has died in the same moment, waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrity.wrapper.processes import started, ticks
from planner.engines.survivors import wait_for_survivors
from planner.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
WRAPPER = """
import json, os, signal, sys
from integrity.wrapper.run import run_attempt

request = json.load(sys.stdin)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, lambda number, frame: None)
here, files = os.getcwd(), sorted(os.listdir("/proc/self/fd"))
status = run_attempt(request["job"], request["record"], parent_ends_strays=request["spawned"])
print(json.dumps([status, (here, files) == (os.getcwd(), sorted(os.listdir("/proc/self/fd")))]))
"""
ALL_THAT_IT_GETS = """
import ctypes, json, os, sys

death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death), 0, 0, 0)
kinds = [os.readlink("/proc/self/fd/%d" % number).split(":")[0] for number in (0, 1, 2)]
files = [(int(name), "/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd")]
more = [os.readlink(path) for number, path in files if number > 2 and os.path.exists(path)]
with open("got.json", "w") as file:
    json.dump(
        {
            "argv": sys.argv[1:],
            "environment": sorted((name.hex(), value.hex()) for name, value in os.environb.items()),
            "folder": os.getcwd(),
            "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
            "umask": os.umask(0o22),
            "dies_by": death.value,
            "streams": kinds,
            "more": more,
        },
        file,
    )
"""
OF_THE_C_LIBRARY = 0b11 << 31
"""Its own signals, 32 and 33: posix_spawn of glibc leaves them ignored, as system(3) does."""
SPAWNED = [False, True]


def attempt(bench: Any, name: str, spawned: bool, argv: list[str], **changes: Any) -> dict[str, Any]:
    """The record of an attempt, which left folder and files of its wrapper as they were."""
    record = bench.folder / f"{name}.json"
    request = {"job": bench.describe(argv, **changes), "record": str(record), "spawned": spawned}
    done = subprocess.run(
        [sys.executable, "-c", WRAPPER],
        cwd=bench.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
    )
    document: dict[str, Any] = json.loads(record.read_bytes())
    assert json.loads(done.stdout) == [int(document["status"] != "succeeded"), True], done.stderr
    return document


def test_a_command_gets_the_same_however_it_is_started(bench: Any) -> None:
    seen = []
    for spawned in SPAWNED:
        script = "grep -E '^Sig(Blk|Ign)' /proc/self/status > signals; exec \"$@\""
        python = [sys.executable, "-I", "-S", "-c", ALL_THAT_IT_GETS]
        argv = ["/bin/sh", "-c", script, "sh", *python, "", "a\nb", "\udcffx"]
        environment = {"set": {"ODD": "\udcfe=x", "BENCH": str(bench.folder)}, "clear": False, "record": []}
        record = attempt(bench, f"one-{spawned}", spawned, argv, environment=environment)
        assert record["status"] == "succeeded", record
        masks = [int(mask, 16) & ~OF_THE_C_LIBRARY for mask in (bench.work / "signals").read_text().split()[1::2]]
        seen.append({"masks": masks, **json.loads((bench.work / "got.json").read_text())})
    dies_by = [got.pop("dies_by") for got in seen]
    assert dies_by == [signal.SIGKILL, 0]
    locks = [got.pop("more") for got in seen]
    assert locks == [[], [str(bench.folder / "one-True.json.lock")]]
    forked, by_posix_spawn = seen
    assert by_posix_spawn == forked
    assert forked["masks"] == [0, 1 << signal.SIGHUP - 1 | 1 << signal.SIGUSR1 - 1]
    assert forked["argv"] == ["", "a\nb", "\udcffx"] and forked["leads"] == [True, True]
    assert forked["folder"] == str(bench.work)


@pytest.mark.parametrize(
    ("name", "data", "mode", "code", "why"),
    [
        ("missing", None, 0, 127, "there is no such file"),
        ("lost", b"#!/no/such/interpreter\n", 0o755, 126, "the interpreter that its first line"),
        ("text", b"neither\n", 0o755, 126, "it is neither a program for this machine nor a script"),
        ("closed", b"#!/bin/sh\n", 0o644, 126, "it is not executable, or it is a folder"),
    ],
)
def test_why_a_program_cannot_be_run_is_said_however_it_is_started(
    bench: Any, name: str, data: bytes | None, mode: int, code: int, why: str
) -> None:
    if data is not None:
        bench.file(f"work/{name}", data).chmod(mode)
    said = []
    for spawned in SPAWNED:
        record = attempt(bench, f"one-{spawned}", spawned, [f"./{name}"])
        said.append((record["failure"], record["exit_code"], record["duration"], record["outputs"]))
    assert said[0] == said[1]
    assert why in said[1][0] and said[1][1] == code


@pytest.mark.parametrize("spawned", SPAWNED)
def test_every_step_is_started_alike(bench: Any, spawned: bool) -> None:
    steps = {name: ["/bin/sh", "-c", f"echo {name} >> log"] for name in ("setup", "pre", "post", "cleanup")}
    record = attempt(bench, "one", spawned, ["/bin/sh", "-c", "echo main >> log; exit 0"], steps=steps)
    assert record["status"] == "succeeded"
    assert (bench.work / "log").read_text().split() == ["setup", "pre", "main", "post", "cleanup"]


@pytest.mark.parametrize("changes", [{"limits": {"open_files": 64}}, {"walltime_seconds": 60}])
def test_what_has_a_limit_dies_with_its_wrapper(bench: Any, changes: dict[str, Any]) -> None:
    argv = [sys.executable, "-I", "-S", "-c", ALL_THAT_IT_GETS]
    assert attempt(bench, "one", True, argv, **changes)["status"] == "succeeded"
    assert json.loads((bench.work / "got.json").read_text())["dies_by"] == signal.SIGKILL


KEEPS = "exec sleep 1000"
CLOSES = (
    f'exec {sys.executable} -I -S -c \'import os, time; os.closerange(3, 4096); open("up", "w"); time.sleep(1000)\''
)
LEAVES = "setsid sleep 1000 & exit 0"


@pytest.fixture
def launcher(bench: Any) -> Iterator[subprocess.Popen[bytes]]:
    """One that is stopped and waited for at the end, with all of its jobs."""
    command = [sys.executable, "-I", "-S", str(bench.launcher)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()
    for pid in bench.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("script", [f"touch up; {KEEPS}", CLOSES, f"touch up; {LEAVES}"])
def test_a_command_that_outlives_wrapper_and_launcher_is_waited_for(
    bench: Any, launcher: subprocess.Popen[bytes], script: str
) -> None:
    """Both are killed in the same moment: neither has one to end what the other left."""
    folder, notes = RunFolder(bench.folder / "run"), list[str]()
    record = folder.record_path(1, 1)
    record.parent.mkdir(parents=True)
    request = {"start": bench.describe(["/bin/sh", "-c", script], job=1, attempt=1), "record": str(record)}
    assert launcher.stdin is not None and launcher.stdout is not None
    launcher.stdin.write(json.dumps(request).encode() + b"\n")
    launcher.stdin.flush()
    wrapper = json.loads(launcher.stdout.readline())["pid"]
    bench.wait_until((bench.work / "up").exists, "the job runs")
    if LEAVES in script:
        children = Path(f"/proc/{wrapper}/task/{wrapper}/children")
        bench.wait_until(lambda: b"setsid" not in commands_of(children) and commands_of(children), "it is left alone")
    for number in (signal.SIGSTOP, signal.SIGKILL):
        os.kill(launcher.pid, number)
        os.kill(wrapper, number)
    launcher.wait()
    bench.wait_until(lambda: not bench.alive(wrapper), "the wrapper is gone")
    left = bench.processes()
    assert left, "else there is nothing to tell"
    assert not wait_for_survivors(folder, stopped=lambda: bool(notes), note=notes.append)
    assert [note.startswith("waiting for 1 jobs that an earlier engine had started") for note in notes] == [True]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert wait_for_survivors(folder, stopped=lambda: False, note=notes.append)
    assert not record.exists() and not record.with_name(f"{record.name}.lock").exists()


def commands_of(children: Path) -> bytes:
    """The command lines of the processes in a list of the system; one that has just ended has none."""
    lines = []
    for pid in children.read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    return b"\n".join(lines)


def test_the_clock_tells_when_a_process_was_started() -> None:
    """So that nobody need ask the system for it, which takes until the program is loaded."""
    before = int(ticks())
    with subprocess.Popen(["sleep", "1000"]) as process:
        after = int(ticks())
        assert before <= int(started(process.pid)) <= after
        process.kill()
    assert started(process.pid) == "?"
