"""How things are timed here: whole processes, taking turns, and the median of many."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timing:
    """What one command took over several runs, in seconds."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle run; half were quicker."""
        return statistics.median(self.seconds)

    def row(self) -> str:
        """A row of a Markdown table: name, median, quickest, slowest, in milliseconds."""
        figures = (self.median, min(self.seconds), max(self.seconds))
        return f"| {self.name} | " + " | ".join(f"{1000 * seconds:.1f}" for seconds in figures) + " |"


TABLE_HEAD = "| command | median, ms | quickest | slowest |\n|---|---:|---:|---:|"


def once(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes from start to end. CalledProcessError if it fails, after showing what it wrote."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, check=False, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], sep="\n")
        raise subprocess.CalledProcessError(done.returncode, command)
    return seconds


def take_turns(
    commands: Mapping[str, Sequence[str | Path]],
    folder: Path,
    times: int,
    environment: Mapping[str, str] | None = None,
) -> list[Timing]:
    """Each command once to warm up, then all of them in turn, so that a slow spell of the machine hits all alike."""
    for command in commands.values():
        once(command, folder, environment)
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            seconds[name].append(once(command, folder, environment))
    return [Timing(name, tuple(values)) for name, values in seconds.items()]


def compiled_once(folder: Path) -> dict[str, str]:
    """The environment in which Python keeps what it compiled, as it does of packages that were installed: else each
    process of ours would compile the sources again, and DuckDB's would not.
    """
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def peak(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> tuple[float, int]:
    """Seconds that a command takes, and the bytes that it has in memory at most. CalledProcessError if it fails."""
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def machine() -> str:
    """One line about the machine: processor, cores, memory, kernel, Python."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor() or "unknown processor",
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cpu}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}"
    )
