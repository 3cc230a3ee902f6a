"""`pirene files add` beside `openssl dgst -sha256` over the same files, two processes at a time.

`openssl` reads and hashes. Pirene also looks whether a file changes while it is read, asks the store what it knows of
each place, writes two tables and a commit, syncs them, and brings the DuckLake catalog up to date.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from measure import TABLE_HEAD, Timing, once

SMALL_FILES = 10_000
SMALL_BYTES = 10_000
BATCH_FILES = 500
LARGE_FILES = 4
LARGE_BYTES = 1 << 30
MANY_FILES = 200_000
DECLARED_FILES = (200_000, 1_000_000)
TIMES = 5
_BLOCK_BYTES = 1 << 20


def write_small(folder: Path) -> None:
    """SMALL_FILES files in a hundred folders, all different."""
    for number in range(SMALL_FILES):
        place = folder / f"{number % 100:02d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"exposure-{number:05d}.fits").write_bytes(os.urandom(SMALL_BYTES))


def write_large(folder: Path) -> None:
    """LARGE_FILES files; a block of random bytes again and again, for nobody compresses it here."""
    folder.mkdir()
    block = os.urandom(_BLOCK_BYTES)
    for number in range(LARGE_FILES):
        with (folder / f"large-{number}.dat").open("wb") as stream:
            for _ in range(LARGE_BYTES // _BLOCK_BYTES):
                stream.write(block)


def write_many(folder: Path) -> None:
    """MANY_FILES tiny files, a thousand in a folder."""
    for number in range(MANY_FILES):
        place = folder / f"{number // 1000:03d}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"exposure-{number:06d}.fits").write_bytes(b"%d" % number)


def write_table(path: Path, files: int) -> None:
    """A table of files in an archive, with their digests and three keys each: nothing of them is read."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write("path,sha256,size,site,night,serial\n")
        for number in range(files):
            place = f"root://archive.example//survey/{number // 1000:05d}/image-{number:07d}.fits"
            night = f"2016-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
            sha256 = hashlib.sha256(b"%d" % number).hexdigest()
            stream.write(f"{place},{sha256},{1_000_000 + number},site-{number % 12},{night},{number}\n")


def section(scratch: Path) -> str:
    """The section of the report."""
    write_small(scratch / "small")
    write_large(scratch / "large")
    write_many(scratch / "many")
    (scratch / "one").mkdir()
    (scratch / "one" / "file").write_bytes(b"x")
    seconds: dict[str, list[float]] = {name: [] for name in ("one", "small", "openssl small", "large", "openssl large")}
    for number in range(TIMES + 1):  # the first time warms up
        for name in ("one", "small", "large"):
            seconds[name].append(_add(scratch, name))
            if name != "one":
                seconds[f"openssl {name}"].append(once(["sh", "-c", _OPENSSL[name]], scratch / name))
        if number == 0:
            seconds = {name: [] for name in seconds}
    timings = {name: Timing(_SHOWN[name], tuple(values)) for name, values in seconds.items()}
    start_up, small, large = (timings[name].median for name in ("one", "small", "large"))
    return "\n".join(
        [
            "## Registering files",
            "",
            f"{SMALL_FILES} files of {SMALL_BYTES // 1000} KB and {LARGE_FILES} files of {LARGE_BYTES >> 30} GiB, in",
            f"the page cache, each time into a new store; {TIMES} times, taking turns.",
            "",
            TABLE_HEAD,
            *(timing.row() for timing in timings.values()),
            "",
            f"Small files: **{(small - start_up) / timings['openssl small'].median:.2f}** times `openssl` beyond the",
            "start-up, which is what one file takes (aim: at most 3). Large files:",
            f"**{large / timings['openssl large'].median:.2f}** times, start-up included (aim: at most 1.3).",
            f"{MANY_FILES} files take at most **{_used(scratch, 'many')[0] / 1e6:.0f} MB** of memory; one takes "
            f"{_used(scratch, 'one')[0] / 1e6:.0f} MB.",
            "",
            "From a table with digests and three keys, nothing read:",
            "",
            "| files | memory, MB | seconds |",
            "|---:|---:|---:|",
            *(_declared(scratch, files) for files in DECLARED_FILES),
        ]
    )


_OPENSSL = {
    "small": f"find . -type f -print0 | xargs -0 -P2 -n {BATCH_FILES} openssl dgst -sha256 > /dev/null",
    "large": "find . -type f -print0 | xargs -0 -P2 -n 2 openssl dgst -sha256 > /dev/null",
}
_SHOWN = {
    "one": "`pirene files add`, one file",
    "small": "`pirene files add`, small files",
    "openssl small": f"`xargs -P2 -n {BATCH_FILES} openssl dgst -sha256`, small files",
    "large": "`pirene files add`, large files",
    "openssl large": "two `openssl dgst -sha256`, large files",
}


def _command(scratch: Path, *named: str) -> list[str | Path]:
    pirene = Path(sys.executable).with_name("pirene")
    return [pirene, "--store", scratch / "store", "files", "add", *named, "-q"]


def _add(scratch: Path, name: str) -> float:
    shutil.rmtree(scratch / "store", ignore_errors=True)
    return once(_command(scratch, name), scratch)


def _declared(scratch: Path, files: int) -> str:
    write_table(scratch / "files.csv", files)
    memory, seconds = _used(scratch, "--table", "files.csv")
    return f"| {files} | {memory / 1e6:.0f} | {seconds:.0f} |"


def _used(scratch: Path, *named: str) -> tuple[int, float]:
    """The most memory (bytes) that one command had at a time, and the seconds that it took."""
    shutil.rmtree(scratch / "store", ignore_errors=True)
    begun = time.monotonic()
    with subprocess.Popen(_command(scratch, *named), cwd=scratch) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"files add ended with {process.returncode}"
    return usage.ru_maxrss * 1024, time.monotonic() - begun


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="pirene-bench-") as folder:
        print(section(Path(folder)))
