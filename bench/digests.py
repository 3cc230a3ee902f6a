"""What verification costs: large files beside openssl, several on several cores, many small ones, and a real case."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from measure import TABLE_HEAD, Timing, compiled_once, once, take_turns

ROOT = Path(__file__).resolve().parents[1]
LARGE_BYTES = int(os.environ.get("PIRENE_BENCH_LARGE_BYTES", 1 << 30))
SMALL_FILES, SMALL_BYTES = 1000, 10_000
TIMES = 5
BLOCK_BYTES = 1 << 20
CASE = ROOT / "datasets" / "co2-el-nino"


def section(scratch: Path) -> str:
    """The section of the report."""
    timings = {timing.name: timing for timing in _timed(scratch)}
    openssl, one, two, none, many = (timings[name].median for name in ("openssl", "one", "two", "none", "many"))
    checked, wall, jobs = _real_case(scratch)
    gib, speed, beyond = LARGE_BYTES / 2**30, 2 * one / two, many - none
    return "\n".join(
        [
            "## Verification",
            "",
            f"The wrapper around `/bin/true` with inputs to verify, beside `openssl dgst -sha256`; {TIMES} times,",
            "taking turns, files in the page cache.",
            "",
            TABLE_HEAD,
            *(Timing(_SHOWN[name].format(gib=gib), timing.seconds).row() for name, timing in timings.items()),
            "",
            f"A file of {gib:.2g} GiB takes **{one / openssl:.2f} times** what openssl takes (aim: at most 1.15),",
            f"start of the wrapper included. Two such files: **{speed:.2f} times** its speed (aim: at least 1.7).",
            f"{SMALL_FILES} files of {SMALL_BYTES // 1000} KB take **{beyond:.3f} s** beyond a start without inputs",
            f"(aim: under 0.15). Load of the machine meanwhile: {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores.",
            "",
            f"In the case of `datasets/co2-el-nino`, {jobs} jobs one after the other, all looks at inputs and outputs",
            f"take {checked:.2f} of {wall:.1f} s: **{100 * checked / wall:.1f} %** of its time (aim: under 2). That",
            "counts the waiting for files that were written less than 20 ms ago.",
        ]
    )


_SHOWN = {
    "openssl": "`openssl dgst -sha256`, {gib:.2g} GiB",
    "one": "wrapper, one input of {gib:.2g} GiB",
    "two": "wrapper, two inputs of {gib:.2g} GiB",
    "none": "wrapper, no input",
    "many": f"wrapper, {SMALL_FILES} inputs of {SMALL_BYTES // 1000} KB",
}


def _timed(scratch: Path) -> list[Timing]:
    files = [_file(scratch / name, LARGE_BYTES, seed) for seed, name in enumerate(("one", "two"))]
    small = [_file(scratch / "small" / str(number), SMALL_BYTES, number) for number in range(SMALL_FILES)]
    commands: dict[str, Sequence[str | Path]] = {"openssl": ["openssl", "dgst", "-sha256", files[0][0]]}
    for name, inputs in {"one": files[:1], "two": files, "none": [], "many": small}.items():
        commands[name] = _wrapper(scratch, name, inputs)
    timings = take_turns(commands, scratch, TIMES, compiled_once(scratch))
    for path, _ in files:
        path.unlink()
    return timings


def _file(path: Path, size_bytes: int, seed: int) -> tuple[Path, str]:
    """A file of bytes that no file system can leave out, and its digest."""
    path.parent.mkdir(exist_ok=True)
    block = hashlib.shake_256(b"%d" % seed).digest(min(BLOCK_BYTES, size_bytes))
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size_bytes // len(block)):
            file.write(block)
            digest.update(block)
    return path, digest.hexdigest()


def _wrapper(scratch: Path, name: str, inputs: Sequence[tuple[Path, str]]) -> list[str | Path]:
    """A command that makes one attempt, also if it is given again: a record is never written over."""
    entries = [
        {"name": path.name, "path": str(path), "role": "input", "sha256": digest, "digest_origin": "recorded"}
        for path, digest in inputs
    ]
    job = {
        "schema": "pirene.job/1",
        "run_id": "0193563c-0f2e-7000-8000-000000000001",
        "job": 1,
        "id": name,
        "attempt": 1,
        "work_dir": str(scratch / "work"),
        "argv": ["/bin/true"],
        "inputs": entries,
    }
    description = scratch / f"{name}.json"
    description.write_text(json.dumps(job))
    record = scratch / f"{name}.record"
    script = f'rm -f {record}; exec "$0" -I -S "$1" --job {description} --record {record}'
    return ["/bin/sh", "-c", script, sys.executable, ROOT / "integrity" / "kickstart.py"]


def _real_case(scratch: Path) -> tuple[float, float, int]:
    """(seconds of all looks at files, seconds of the run, jobs) of the case of datasets/, one job at a time."""
    folder = scratch / "case"
    folder.mkdir()
    shutil.copytree(CASE / "raw", folder / "raw")
    pirene = [sys.executable, "-m", "planner.cli", "--store", str(folder / "store")]
    environment = {**compiled_once(scratch), "PYTHONPATH": str(ROOT)}
    once([*pirene, "files", "add", "--table", "raw/metadata.csv"], folder, environment)
    once([*pirene, "run", str(CASE / "co2-el-nino.yml"), "-d", "run", "-j", "1"], folder, environment)
    records = [json.loads(path.read_bytes()) for path in (folder / "run" / "records").rglob("*.json")]
    looks = [look for record in records for key in ("inputs", "changed_inputs", "outputs") for look in record[key]]
    status = folder / "status.json"
    once(["/bin/sh", "-c", f'"$0" -m planner.cli --store store status run --format json > {status}', sys.executable],
         folder, environment)  # fmt: skip
    return sum(look["seconds"] for look in looks), json.loads(status.read_text())["duration_seconds"], len(records)
