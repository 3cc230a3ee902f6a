"""A wrapper that is killed at each of its system calls in turn, or to which the system fails to give a file's bytes.

After each kill there is a whole record or the attempt counts as not made, and the next wrapper makes it. No success is
recorded without the digest of what is there, and no digest of a part of a file.

At every call with PIRENE_TEST_ALL_FAULTS; else at some, spread over all of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
VICTIM = Path(__file__).with_name("attempt_victim.py")
FULL = "PIRENE_TEST_ALL_FAULTS" in os.environ
POINTS = 25
"""Of each kind of fault, in CI."""
INPUT = b"what the job reads\n" * 3000
KILLED = -signal.SIGKILL
NEVER_STRUCK = {"exit_group", "exit", "rt_sigreturn"}
"""Calls after which nothing is left to do, or that strace cannot make fail."""


class Victims:
    """Attempts to disturb: `make` makes one. ``spawned``: commands are started as in workers, by posix_spawn."""

    spawned = False

    def __init__(self, folder: Path) -> None:
        self._log = folder / "strace.log"
        self._maker = subprocess.Popen(
            [sys.executable, "-B", str(VICTIM)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        strace = shutil.which("strace")
        assert strace, "these tests need strace"
        self._strace = strace

    def close(self) -> None:
        assert self._maker.stdin is not None
        self._maker.stdin.close()
        self._maker.wait()
        for end in (self._maker.stdout, self._maker.stderr):
            assert end is not None
            end.close()

    def make(self, description: dict[str, Any], record: Path, *options: str) -> tuple[int, list[str]]:
        """One attempt under strace with these options: how it ended, and the lines of the trace."""
        assert self._maker.stdin is not None and self._maker.stdout is not None
        self._maker.stdin.write(json.dumps([description, str(record), self.spawned]) + "\n")
        self._maker.stdin.flush()
        process = int(self._maker.stdout.readline())
        command = [self._strace, "--decode-fds=path", "-o", str(self._log), *options, "-p", str(process)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            os.kill(process, signal.SIGCONT)
            status = int(self._maker.stdout.readline())
            rest = tracer.stderr.read()
        assert "attached" in attached, attached + rest
        return status, self._log.read_text(errors="replace").splitlines()


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    made = Victims(tmp_path_factory.mktemp("victims"))
    yield made
    made.close()


@pytest.fixture(params=[False, True], ids=["forked", "spawned"])
def both(victims: Victims, request: pytest.FixtureRequest) -> Iterator[Victims]:
    """Commands started in each of the two ways."""
    victims.spawned = request.param
    yield victims
    victims.spawned = False


class Scene:
    """One job that reads a file and makes another from it, in a folder of its own for each attempt."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.source = bench.file("given", INPUT)
        os.utime(self.source, (1, 1))
        self.number = 0

    def fresh(self) -> tuple[dict[str, Any], Path]:
        """A description, and the path of its record."""
        self.number += 1
        folder = self.bench.folder / str(self.number)
        folder.mkdir()
        given = self.bench.input("in", self.bench.digest_of(INPUT), len(INPUT))
        steps = {"pre": ["/bin/true"], "cleanup": ["/bin/true"]}
        description = self.bench.describe(
            ["/bin/sh", "-c", "tr a-z A-Z < in > out; echo made; printf a=1 > $PIRENE_METADATA"],
            work_dir=str(folder / "work"),
            stage_in=[{"from": str(self.source), "to": "in", "copy": False}],
            inputs=[given],
            outputs=[self.bench.output("out")],
            metadata_file=".metadata",
            steps=steps,
        )
        return description, folder / "record.json"

    def holds(self, description: dict[str, Any], record: Path) -> str:
        """What is known of an attempt now: ``none``, or the status of its record, which is whole and true."""
        if not record.exists():
            return "none"
        document = json.loads(record.read_bytes())
        made = Path(description["work_dir"]) / "out"
        if document["status"] == "succeeded":
            assert [entry["verdict"] for entry in document["outputs"]] == ["ok"]
            assert made.read_bytes() == INPUT.upper()
            assert document["inputs"][0]["actual_sha256"] == self.bench.digest_of(INPUT)
            assert document["metadata"]["text"] == "a=1"
        for entry in document["outputs"]:
            assert entry["sha256"] is None or entry["sha256"] == self.bench.digest_of(made.read_bytes())
        for entry in document["inputs"]:
            assert entry["actual_sha256"] in (None, self.bench.digest_of(INPUT))
        return str(document["status"])

    def make_again(self, description: dict[str, Any], record: Path) -> str:
        """What the next wrapper makes of it, once nothing of the first is at work: a fork of it may have to notice yet
        that it is gone.
        """
        self.bench.wait_until(lambda: is_free(record.with_name("record.json.lock")), "all of the wrapper ends")
        path = record.with_name("job.json")
        path.write_text(json.dumps(description))
        command = [sys.executable, "-I", "-S", str(self.bench.wrapper), "--job", str(path), "--record", str(record)]
        subprocess.run(command, check=False, capture_output=True, timeout=60)
        return self.holds(description, record)


def is_free(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def scene(bench: Any) -> Scene:
    return Scene(bench)


def calls_of(lines: list[str]) -> list[tuple[str, int]]:
    """Every call of a trace as (name, the how-manieth of that name): what strace counts by."""
    counts: Counter[str] = Counter()
    found = []
    for line in lines:
        match = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if match and match[1] not in NEVER_STRUCK:
            counts[match[1]] += 1
            found.append((match[1], counts[match[1]]))
    return found


def some_of(points: list[Any], offset: int = 0) -> list[Any]:
    """All points, or a few that are spread over all of them."""
    return points if FULL else points[offset :: max(1, len(points) // POINTS)]


def struck(
    victims: Victims, scene: Scene, call: tuple[str, int], fault: str, *options: str
) -> tuple[int, str, Any, Path]:
    """An attempt to which a fault happens at one call: its exit status, what is known of it, description, record."""
    description, record = scene.fresh()
    name, count = call
    inject = f"inject={name}:{fault}:when={count}"
    status, _ = victims.make(description, record, "-e", f"trace={name}", "-e", inject, *options)
    return status, scene.holds(description, record), description, record


def test_killed_at_any_call_it_leaves_a_whole_record_or_an_attempt_that_can_be_made(
    both: Victims, scene: Scene
) -> None:
    description, record = scene.fresh()
    status, lines = both.make(description, record)
    assert (status, scene.holds(description, record)) == (0, "succeeded")
    calls = calls_of(lines)
    assert len(calls) > 150
    known: Counter[str] = Counter()
    for call in some_of(calls):
        status, held, description, record = struck(both, scene, call, "signal=KILL")
        assert status == KILLED or held == "succeeded", (call, status)
        assert held in ("none", "succeeded"), call
        known[held] += 1
        # The next wrapper clears away what the first left, and makes the attempt, if it was not made.
        assert scene.make_again(description, record) == "succeeded", call
        left = {path.name for path in record.parent.iterdir()} - {"work", "record.json", "job.json"}
        # A wrapper that was killed after its record was there has had no time to tidy up.
        assert left <= ({"record.json.tmp", "record.json.lock"} if held == "succeeded" else set()), (call, left)
    assert known["none"] > 10 and known["succeeded"] > 0


@pytest.mark.parametrize("name", ["setsid", "dup2", "execve"])
def test_a_command_that_is_killed_before_it_began_is_no_success(both: Victims, scene: Scene, name: str) -> None:
    """Between its fork and its exec; the wrapper itself makes none of these calls."""
    description, record = scene.fresh()
    description["steps"] = {}
    status, _ = both.make(description, record, "-f", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when=1")
    assert (status, scene.holds(description, record)) == (1, "failed")
    document = json.loads(record.read_bytes())
    assert (document["signal"], document["outputs"][0]["sha256"]) == (signal.SIGKILL, None)


@pytest.mark.parametrize("error", ["EIO", "ESTALE"] if FULL else ["EIO"])
def test_bytes_that_cannot_be_read_are_no_ground_for_a_digest(victims: Victims, scene: Scene, error: str) -> None:
    description, record = scene.fresh()
    _, lines = victims.make(description, record)
    ours = [line for line in lines if re.match(r"(?:readv|pread64)\(", line)]
    reads = calls_of(ours)
    about = Counter("given" if "/given>" in line else "out" if "/out>" in line else "else" for line in ours)
    assert about["given"] > 1 and about["out"] > 1 and about["else"] == 0  # each to its end
    for call, line in zip(reads, ours, strict=True):
        status, held, _, record = struck(victims, scene, call, f"error={error}")
        document = json.loads(record.read_bytes())
        if "/given>" in line:
            assert (status, held) == (3, "integrity_failed"), call
            entry, digest = document["inputs"][0], "actual_sha256"
            assert document["duration"] is None
        else:
            assert (status, held) == (1, "failed"), call
            entry, digest = document["outputs"][0], "sha256"
        assert (entry["verdict"], entry["finding"], entry[digest]) == ("unreadable", "unreadable", None)
        assert entry["error"] == os.strerror({"EIO": 5, "ESTALE": 116}[error])


@pytest.mark.parametrize(
    ("name", "fault"),
    [("fsync", "error=EIO"), ("write", "error=ENOSPC"), ("link", "error=EIO"), ("fallocate", "error=ENOSPC")],
)
def test_a_record_that_cannot_be_written_is_none(victims: Victims, scene: Scene, name: str, fault: str) -> None:
    description, record = scene.fresh()
    _, lines = victims.make(description, record)
    for call, line in zip(calls_of(lines), (line for line in lines if "(" in line), strict=False):
        if call[0] != name or ("record.json" not in line and name != "fsync"):
            continue
        status, held, description, record = struck(victims, scene, call, fault)
        assert status == 4, (call, status)
        # An fsync of the folder that fails comes after the link: there is a record then, and whoever takes up the run
        # finds it, whole; nobody was told that the attempt had succeeded.
        assert held == "none" or (name, call[1]) == ("fsync", 2)
        assert not record.with_name("record.json.lock").exists()


def test_no_file_is_read_once_more_than_needed(victims: Victims, scene: Scene) -> None:
    """An input is opened and read once to be verified, an output once to be hashed; each a second time only to see
    that it is at its end. To see that an input has not changed no byte of it is read.
    """
    description, record = scene.fresh()
    _, lines = victims.make(description, record)
    sizes = {"given": len(INPUT), "out": len(INPUT)}
    for name, size in sizes.items():
        got = [
            int(line.rpartition("= ")[2])
            for line in lines
            if re.match(r"(?:readv|read|pread64)\(", line) and f"/{name}>" in line
        ]
        assert sum(got) == size and got.count(0) == 1, (name, got)
