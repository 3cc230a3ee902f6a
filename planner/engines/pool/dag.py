"""A plan becomes one DAG file, a few submit descriptions in it, and one file with what is fixed of every job.

The number of files does not depend on the number of jobs. The DAG has a node for every job of the plan, also for those
that are reused, and never changes: which nodes are done is said by the rescue file of each submission (`write_done`).
So a reused job that has to run after all is a line left out of that file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from integrity.archive import ARCHIVE_NAME, write_archive
from planner.engine_plan import READS, EngineJob, EnginePlan
from planner.engines.describe import InputFile, description_of, executable_entry, input_entry
from planner.engines.places import Places
from planner.engines.pool.node_step.how_it_ended import DESCRIPTION_ALTERED, FOLDERS_MISSING, WRAPPER_ALTERED
from planner.engines.pool.node_step.pool import INDEX_BYTES, JOBS_PER_FOLDER
from planner.engines.pool.node_step.refused import NEVER
from planner.engines.pool.pool_folder import PoolFolder
from planner.engines.pool.step_archive import write_steps
from planner.errors import PlannerError
from planner.planned import PlannedFile, PlannedUse
from planner.run_folder import RunFolder

_STEP = "/usr/bin/env python3 -I -S node_step.pyz"
_BIN = "../bin"  # beside the folder that the command runs in, so that no input or output can bear its name
_CHILDREN_PER_LINE = 500
_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9._:+-]")

# What a worker does. The folder out/ is there whatever becomes of the wrapper: a transfer that finds nothing to
# transfer would put the job on hold. The wrapper vouches for all bytes but its own and those that tell it what to
# expect: the shell compares them before they are used. `sh` finds python3 along the worker's own PATH.
_MADE = "mkdir -p work out || exit {folders}"
_ARRIVED = 'echo "{sha256}  {archive}" | sha256sum -c >/dev/null || exit {wrapper}'
_DESCRIBED = "sha256sum -c job.json.sha256 >/dev/null || exit {description}"
_RUN = "cd work || exit {folders}; exec python3 -I -S ../{archive} --job ../job.json --record ../out/record.json"

# A job is held when a file cannot be transferred (codes 12 and 13). Left alone it would stay so until somebody looks;
# removed, its attempt has failed, for the reason that HTCondor gave, and may be tried again.
_TRANSFER_FAILED = "JobStatus == 5 && (HoldReasonCode == 12 || HoldReasonCode == 13)"


def write_pool_folder(plan: EnginePlan, folder: PoolFolder) -> None:
    """Write all files that HTCondor works from, the DAG last; nothing if that is there already."""
    if folder.dag.exists():
        return
    folder.root.mkdir(parents=True, exist_ok=True)
    archive_sha256 = write_archive(folder.root / ARCHIVE_NAME)
    write_steps(folder)
    places = Places(plan, RunFolder(plan.run_dir))
    _write_lines(folder.nodes, _node_lines([_node_document(plan, job, places) for job in plan.jobs]))
    _write_lines(folder.dag, dag_lines(plan, archive_sha256))


def write_done(folder: PoolFolder, done: Iterable[int]) -> None:
    """Say which nodes are done in the rescue file that the next submission starts from, instead of all earlier ones."""
    for old in folder.rescue_files():
        old.unlink()
    _write_lines(folder.first_rescue_file, (f"DONE {job}" for job in done))


def dag_lines(plan: EnginePlan, archive_sha256: str) -> Iterator[str]:
    """The lines of the DAG file; workers run the wrapper of this digest only."""
    names = {commands: f"job{n or ''}" for n, commands in enumerate(dict.fromkeys(_commands(job) for job in plan.jobs))}
    yield f"# Workflow {_label(plan.name)}, run {plan.run_id}: planned by Pirene. A node bears the number of its job."
    for commands, name in names.items():
        yield from _submit_description(plan, archive_sha256, name, commands)
    yield f"SCRIPT DEBUG node_step.log STDERR PRE ALL_NODES {_STEP} pre $JOB"
    yield f"SCRIPT DEBUG node_step.log STDERR POST ALL_NODES {_STEP} post $JOB $RETURN"
    for job in plan.jobs:
        yield f"JOB {job.number} {names[_commands(job)]}"
        yield f'VARS {job.number} label="{_label(job.id)}"'
        if job.retries:
            yield f"RETRY {job.number} {job.retries} UNLESS-EXIT {NEVER}"
    yield from _dependencies(plan.edges)


def _commands(job: EngineJob) -> tuple[tuple[str, str], ...]:
    return tuple(job.submit.items())


def command_on_worker(archive_sha256: str) -> str:
    """What `sh` runs in a job's scratch folder on a worker."""
    steps = (_MADE, _ARRIVED, _DESCRIBED, _RUN)
    return "; ".join(steps).format(
        sha256=archive_sha256,
        archive=ARCHIVE_NAME,
        wrapper=WRAPPER_ALTERED,
        description=DESCRIPTION_ALTERED,
        folders=FOLDERS_MISSING,
    )


def _submit_description(
    plan: EnginePlan, archive_sha256: str, name: str, commands: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """One for all jobs that ask the same of HTCondor."""
    command = command_on_worker(archive_sha256).replace('"', '""')  # as arguments have it that are quoted themselves
    yield f"SUBMIT-DESCRIPTION {name} {{"
    for key, value in {
        "universe": "vanilla",
        "executable": "/bin/sh",
        "transfer_executable": "false",
        "arguments": f"\"-c '{command}'\"",
        "shard": f"$(JOB) / {JOBS_PER_FOLDER}",
        "initialdir": "nodes/$INT(shard)/$(JOB)",
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT",
        "transfer_input_files": "../../../kickstart.pyz, in/",
        "transfer_output_files": "out",
        "output": "stdout",
        "error": "stderr",
        "description": "$(label)",
        "periodic_remove": _TRANSFER_FAILED,
        "My.PireneRun": f'"{plan.run_id}"',
        **dict(commands),
    }.items():
        yield f"    {key} = {value}"
    yield "}"


def _dependencies(edges: Iterable[tuple[int, int]]) -> Iterator[str]:
    children: dict[int, list[str]] = {}
    for parent, child in edges:
        children.setdefault(parent, []).append(str(child))
    for parent, names in children.items():
        for start in range(0, len(names), _CHILDREN_PER_LINE):
            yield f"PARENT {parent} CHILD {' '.join(names[start : start + _CHILDREN_PER_LINE])}"


def _node_lines(documents: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The offset of every job's line and its sha256, 85 bytes each with the newline, then the lines themselves."""
    lines = [json.dumps(document, separators=(",", ":")) for document in documents]
    offset = len(lines) * INDEX_BYTES
    for line in lines:
        yield f"{offset:019d} {hashlib.sha256(line.encode('ascii')).hexdigest()}"
        offset += len(line) + 1
    yield from lines


def _node_document(plan: EnginePlan, job: EngineJob, places: Places) -> dict[str, object]:
    """What node steps need to know of a job."""
    staged = job.executable_type == "stageable"
    where = f"{_BIN}/{Path(job.executable).name}" if staged else job.executable
    if not staged and not where.startswith("/"):
        raise PlannerError(f"job {job.id}: expected an absolute path of an executable on the pool, found {where!r}")
    key = job.key_around_inputs()
    return {
        "run": plan.run,
        "description": {
            **description_of(plan, job, where),
            "work_dir": None,
            "deliver": "../out",
            "inputs": [{**executable_entry(job, where), "url": None}],
        },
        "inputs": [_input(plan, use) for use in job.uses if use.role in READS],
        "executable": {"from": job.executable, "to": where} if staged else None,
        "key": None if key is None else {"before": key[0].hex(), "after": key[1].hex()},
        "places": [_place(plan, job, use, places) for use in job.outputs],
    }


def _input(plan: EnginePlan, use: PlannedUse) -> dict[str, object]:
    """An input as far as it is known now: ``from`` is where it is, if no job of this run makes it (anew)."""
    if use.producer is None:
        known = plan.files.get(use.name)
    else:
        reused = plan.jobs[use.producer - 1].reused.get(use.name)
        known = reused.file if reused else None
    # The worker sees a copy: what it finds says nothing of the replica at its URL.
    entry = input_entry(_input_file(use, known))
    return {"producer": use.producer, "entry": entry, "from": known.path if known and known.path else None}


def _input_file(use: PlannedUse, known: PlannedFile | None) -> InputFile:
    if known is None:
        return InputFile(use.name, use.role, "", None, None, None, None, None, None, use.optional)
    found = (known.sha256, known.size_bytes, known.digest_origin, known.source, known.file)
    return InputFile(use.name, use.role, known.path, *found, None, use.optional)


def _place(plan: EnginePlan, job: EngineJob, use: PlannedUse, places: Places) -> dict[str, object]:
    place = places.of(job, use)
    # Relative to the run folder where it lies in it: a run folder may be moved.
    inside = place.path.is_relative_to(plan.run_dir)
    return {"place": str(place.path.relative_to(plan.run_dir) if inside else place.path), "url": place.url}


def _label(text: str) -> str:
    """A name as a submit description can hold it, for people who look at the queue."""
    return _NOT_IN_A_LABEL.sub("_", text)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file; it is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="ascii", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
