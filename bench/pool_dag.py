"""500 jobs of a second on an HTCondor pool, beside a bare DAG of the same commands on the same pool.

Both hand a DAG to DAGMan, transfer one input to and one output from a scratch folder, and run the same script. Pirene
also plans, transfers wrapper and description, verifies, hashes on both sides, and records every job in the store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from measure import TABLE_HEAD, Timing, once

JOBS = 500
TIMES = 3
SLOTS = 8
POOL = Path(__file__).resolve().parents[1] / "tests" / "htcondor-pool"
SHARED = Path("/srv/pool")  # what this machine and the pool both see
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 900
SCRIPT = '#!/bin/sh\nsleep 1\ncat "$1" > "$2"\n'

SUBMIT = """SUBMIT-DESCRIPTION plain {
    executable = work
    arguments = in.txt out.txt
    initialdir = $(JOB)
    should_transfer_files = YES
    when_to_transfer_output = ON_EXIT
    transfer_input_files = in.txt
    transfer_output_files = out.txt
    output = stdout
    error = stderr
}
"""


# The same command with nothing sent but its input.
SUBMIT_INLINE = SUBMIT.replace("executable = work", "executable = /bin/sh\n    transfer_executable = false").replace(
    "arguments = in.txt out.txt", "arguments = \"-c 'sleep 1; cat in.txt > out.txt'\""
)


def write_bare(folder: Path, submit: str = SUBMIT) -> None:
    """A DAG, and a folder with its input for each node."""
    (folder / "work").write_text(SCRIPT)
    (folder / "work").chmod(0o755)
    (folder / "bare.dag").write_text(submit + "".join(f"JOB {job} plain\n" for job in range(JOBS)))
    for job in range(JOBS):
        (folder / str(job)).mkdir()
        (folder / str(job) / "in.txt").write_text(f"{job}\n")


def write_pirene(folder: Path) -> None:
    """The same as a workflow with its catalogs."""
    (folder / "work").write_text(SCRIPT)
    (folder / "work").chmod(0o755)
    jobs = ['pegasus: "5.0"', "name: pool-bench", "jobs:"]
    replicas = ['pegasus: "5.0"', "replicas:"]
    for job in range(JOBS):
        (folder / f"in-{job}.txt").write_text(f"{job}\n")
        replicas.append(f"- {{lfn: in-{job}.txt, pfns: [{{site: local, pfn: in-{job}.txt}}]}}")
        jobs += [
            f"- {{type: job, id: j{job}, name: work, arguments: [in-{job}.txt, out-{job}.txt],",
            f"   uses: [{{lfn: in-{job}.txt, type: input}}, {{lfn: out-{job}.txt, type: output}}]}}",
        ]
    (folder / "bench.yml").write_text("\n".join(jobs) + "\n")
    (folder / "replicas.yml").write_text("\n".join(replicas) + "\n")
    (folder / "transformations.yml").write_text(
        'pegasus: "5.0"\ntransformations:\n- {name: work, sites: [{name: local, pfn: work, type: stageable}]}\n'
    )


def section(_scratch: Path) -> str:
    """The section of the report."""
    subprocess.run([POOL, "up"], check=True, env={**os.environ, "HTCONDOR_SLOTS": str(SLOTS)})
    seconds: dict[str, list[float]] = {"pirene": [], "bare": [], "inline": []}
    for number in range(TIMES):
        with _folder(f"bench-bare-{number}") as folder:
            write_bare(folder)
            seconds["bare"].append(_run_bare(folder))
        with _folder(f"bench-inline-{number}") as folder:
            write_bare(folder, SUBMIT_INLINE)
            seconds["inline"].append(_run_bare(folder))
        with _folder(f"bench-pirene-{number}") as folder:
            write_pirene(folder)
            seconds["pirene"].append(_run_pirene(folder))
    ours = Timing("`pirene run --engine htcondor`, planning included", tuple(seconds["pirene"]))
    theirs = Timing("bare DAG, script and input sent", tuple(seconds["bare"]))
    inline = Timing("bare DAG, input sent, `/bin/sh -c` of the worker", tuple(seconds["inline"]))
    with _folder("bench-plan") as folder:
        write_pirene(folder)
        _give_away(folder)
        once([POOL, "su", _pirene(), "plan", "bench.yml", "-d", "run", "--engine", "htcondor", "-q"], folder)
        files = sum(path.is_file() for path in (folder / "run").rglob("*"))
    return "\n".join(
        [
            f"## {JOBS} jobs of 1 s on an HTCondor pool",
            "",
            f"One input and one output each, a pool of one machine with {SLOTS} slots, {TIMES} times, taking turns",
            "with a bare DAG of the same commands. From the start of the command to DAGMan's end.",
            "",
            TABLE_HEAD,
            ours.row(),
            theirs.row(),
            inline.row(),
            "",
            f"The ratio is **{ours.median / theirs.median:.2f}** (aim: at most 1.4), the difference "
            f"{1000 * (ours.median - theirs.median) / JOBS:.0f} ms a job.",
            f"Against a DAG that sends nothing but the input it is {ours.median / inline.median:.2f}.",
            "To half of all jobs that more than one file is sent to, bare or not, the shadow of HTCondor 25.14 answers",
            "`RetryReqest`, and the starter waits 5 s.",
            "That, not the work, is most of the two upper rows.",
            "",
            f"Planning wrote {files} files (aim: at most 12).",
        ]
    )


def _pirene() -> Path:
    return Path(sys.executable).with_name("pirene")


@contextlib.contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A folder below the shared one, the pool's user's once it is filled."""
    folder = SHARED / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _give_away(folder: Path) -> None:
    subprocess.run(["chown", "-R", "pool", folder], check=True)


def _run_pirene(folder: Path) -> float:
    _give_away(folder)
    command = [POOL, "su", _pirene(), "run", "bench.yml", "-d", "run", "--engine", "htcondor", "-q"]
    seconds = once(command, folder)
    made = len(list((folder / "run" / "output").iterdir()))
    assert made == JOBS, f"{made} of {JOBS} outputs"
    return seconds


def _run_bare(folder: Path) -> float:
    _give_away(folder)
    start = time.perf_counter()
    subprocess.run([POOL, "tool", "condor_submit_dag", "-f", "bare.dag"], cwd=folder, check=True, capture_output=True)
    log = folder / "bare.dag.dagman.out"
    while not (log.exists() and "EXITING WITH STATUS" in log.read_text()[-2000:]):
        assert time.perf_counter() - start < PATIENCE_SECONDS, f"DAGMan does not end: {log}"
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - start
    made = len(list(folder.glob("*/out.txt")))
    assert made == JOBS, f"{made} of {JOBS} outputs"
    return seconds
