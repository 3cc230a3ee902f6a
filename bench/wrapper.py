"""What the wrapper costs a job: alone, in a list of tasks, and inside the local engine, beside the bare command."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import TABLE_HEAD, Timing, compiled_once, once

from integrity.archive import write_archive
from planner.engines.launch import Ended, Launcher

ROOT = Path(__file__).resolve().parents[1]
TIMES = 20
TASKS = 200
JOBS = 200
BYTES = 1000  # of each input and output
COMMAND = "/bin/true"
PYTHON = [sys.executable, "-I", "-S"]


def section(scratch: Path) -> str:
    """The section of the report."""
    alone = _alone(scratch)
    bare, wrapped, archived = (timing.median for timing in alone)
    task_ms, at_once_ms = (1000 * _in_a_list(scratch, cores) for cores in (1, 2))
    spawn, engine = _in_the_engine(scratch)
    disk_ms = 1000 * _record_on_disk(scratch)
    return "\n".join(
        [
            "## The wrapper",
            "",
            f"Around `{COMMAND}`, with two inputs of {BYTES} bytes to verify and one output to hash. Each job leaves a",
            f"record, which is synced, as is its folder, before the job counts: this alone took {disk_ms:.2f} ms",
            f"here. Whole processes, compiled once, {TIMES} times, taking turns.",
            "",
            TABLE_HEAD,
            *(timing.row() for timing in alone),
            "",
            f"The wrapper takes **{wrapped / bare:.2f} times** the bare start of its interpreter (aim: at most 3), as",
            f"one file on a worker {archived / bare:.2f}. A list of {TASKS} such tasks takes",
            f"**{task_ms:.2f} ms a task** one after the other (aim: under 3), {at_once_ms:.2f} two at a time.",
            f"Inside the local engine a job takes {1000 * engine:.2f} ms from its start to the news of its end:",
            f"**{engine / spawn:.2f} times** the bare spawn of the same command ({1000 * spawn:.2f} ms; aim: 3).",
        ]
    )


def _describe(scratch: Path, number: int = 1) -> dict[str, Any]:
    """A job whose output is there already: the command does nothing, so nothing but the wrapper is timed."""
    work = scratch / "work"
    work.mkdir(exist_ok=True)
    for name in ("a", "b", "out"):
        if not (work / name).exists():
            (work / name).write_bytes(name[:1].encode() * BYTES)
    return {
        "schema": "pirene.job/1",
        "run_id": "0193563c-0f2e-7000-8000-000000000001",
        "job": number,
        "id": f"j{number}",
        "attempt": 1,
        "work_dir": str(work),
        "argv": [COMMAND],
        "inputs": [
            {
                "name": name,
                "path": name,
                "role": "input",
                "sha256": hashlib.sha256(name.encode() * BYTES).hexdigest(),
                "size": BYTES,
                "digest_origin": "recorded",
            }
            for name in ("a", "b")
        ],
        "outputs": [{"name": "out", "path": "out", "role": "output"}],
    }


def _alone(scratch: Path) -> list[Timing]:
    """The bare interpreter, the wrapper as it is installed, and as one file."""
    job, archive = scratch / "job.json", scratch / "kickstart.pyz"
    job.write_text(json.dumps(_describe(scratch)))
    write_archive(archive)
    record = scratch / "record.json"
    options = ["--job", job, "--record", record]
    commands: dict[str, list[str | Path]] = {
        "`python3 -I -S -c pass`": [*PYTHON, "-c", "pass"],
        "the wrapper": [*PYTHON, ROOT / "integrity" / "kickstart.py", *options],
        "the wrapper as one file": [*PYTHON, archive, *options],
    }
    time.sleep(0.1)  # the inputs are no longer so young that they have to be waited for
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TIMES + 1):
        for name, command in commands.items():
            record.unlink(missing_ok=True)
            seconds[name].append(once(command, scratch, compiled_once(scratch)))
    return [Timing(name, tuple(values[1:])) for name, values in seconds.items()]


def _in_a_list(scratch: Path, cores: int) -> float:
    """Seconds of a task in a list of TASKS, the interpreter's start included."""
    records = scratch / f"records-{cores}"
    records.mkdir()
    tasks = scratch / "tasks.jsonl"
    lines = ({"job": _describe(scratch, n), "record": str(records / f"{n}.json")} for n in range(1, TASKS + 1))
    tasks.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [*PYTHON, ROOT / "integrity" / "kickstart.py", "--tasks", tasks, "--cores", str(cores)]
    return once(command, scratch, compiled_once(scratch)) / TASKS


def _in_the_engine(scratch: Path) -> tuple[float, float]:
    """Seconds of a bare spawn, and of a job in the engine's launcher: medians of JOBS, taking turns."""
    records = scratch / "records"
    records.mkdir()
    bare, ours = [], []
    with Launcher(scratch / "run.lock") as launcher:
        for number in range(1, JOBS + 1):
            bare.append(_timed(lambda: subprocess.run([COMMAND], check=True, stdin=subprocess.DEVNULL)))
            description, record = _describe(scratch, number), records / f"{number}.json"
            ours.append(_timed(lambda: _run(launcher, description, record)))  # noqa: B023 - called here and now
            assert json.loads(record.read_bytes())["status"] == "succeeded"
    return statistics.median(bare), statistics.median(ours)


def _run(launcher: Launcher, description: dict[str, Any], record: Path) -> None:
    launcher.start(description, record)
    while not any(isinstance(reply, Ended) for reply in launcher.replies()):
        pass


def _record_on_disk(scratch: Path) -> float:
    """Seconds of the two fsyncs of a record: that of a file of its size, and that of its folder."""
    folder = os.open(scratch, os.O_RDONLY)
    taken = []
    for number in range(TIMES):
        descriptor = os.open(scratch / f"synced-{number}", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x" * 4096)
        taken.append(_timed(lambda: (os.fsync(descriptor), os.fsync(folder))))  # noqa: B023 - called here and now
        os.close(descriptor)
    os.close(folder)
    return statistics.median(taken)


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
