"""What an attempt that did not succeed had saved, handed to the next attempt of its job.

A file of type `checkpoint` is a job's own: it is written by one attempt and read by the next. It is taken from the work
folder of the newest attempt that has recorded one, if that attempt was to compute the same: it failed by itself, or was
stopped, or ran out of time, and had the inputs that the next one will have, by their digests. What an attempt saved
whose record is missing, or that was refused for its inputs, vouches for nothing. The wrapper verifies a checkpoint like
every input; one that does not match is left out from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.describe import InputFile
from planner.engines.hand_over import planned_input
from planner.run_folder import RunFolder, below
from provenance.checked_json import MalformedError
from provenance.identity import produced_file
from provenance.ingest.record_files import record_bytes
from provenance.ingest.record_reader import read_record
from provenance.ingest.records import Record

ROLE = "checkpoint"


def checkpoints_for(
    plan: EnginePlan, folder: RunFolder, job: EngineJob, attempt: int, inputs: Sequence[InputFile]
) -> list[InputFile]:
    """The checkpoints that ``attempt`` of a job, with these other inputs, goes on from; those that there are none of
    are left out. Before the first attempt they are what the replica catalog has under their names.
    """
    uses = {use.name: use for use in job.uses if use.role == ROLE}
    found: dict[str, InputFile] = {}
    bad: set[tuple[int | None, int | None]] = set()
    for record in _earlier(folder, job.number, attempt) if uses else ():
        bad |= {(seen.source, seen.file) for seen in record.inputs if seen.role == ROLE and seen.finding is not None}
        if record.status == "failed" and _had(record, inputs):
            for name, saved in _saved(plan, folder, job, record).items():
                if (saved.source, saved.file) not in bad:
                    found.setdefault(name, saved)
    for name, use in uses.items():
        if name not in found and (raw := plan.files.get(name)) is not None and (raw.source, raw.file) not in bad:
            found[name] = planned_input(use, raw)
    return list(found.values())


def _earlier(folder: RunFolder, job: int, attempt: int) -> Iterator[Record]:
    """What earlier attempts recorded, the newest first, back to one that succeeded: it is done with its checkpoint."""
    for number in range(attempt - 1, 0, -1):
        try:
            record = read_record(record_bytes(folder.record_path(job, number)))
        except (FileNotFoundError, MalformedError):
            continue
        if record.status == "succeeded":
            return
        yield record


def _had(record: Record, inputs: Sequence[InputFile]) -> bool:
    """Whether an attempt read what these inputs are to be, and they did not change under it."""
    read = {seen.name: seen.actual_sha256 for seen in record.inputs if seen.role not in (ROLE, "executable")}
    wanted: Mapping[str, bytes | None] = {file.name: file.sha256 for file in inputs}
    return not record.changed_inputs and read == wanted and None not in wanted.values()


def _saved(plan: EnginePlan, folder: RunFolder, job: EngineJob, record: Record) -> dict[str, InputFile]:
    """The checkpoints that an attempt has recorded and that are in its work folder, by name; folders are not."""
    work_dir = folder.work_dir(job.number, record.attempt)
    saved = {}
    for position, output in enumerate(record.outputs):
        path = below(work_dir, output.name)
        if output.role == ROLE and output.kind == "file" and path.exists():
            file = produced_file(job.number, record.attempt, position)
            saved[output.name] = InputFile(
                name=output.name,
                role=ROLE,
                path=str(path),
                sha256=output.sha256,
                size_bytes=output.size_bytes,
                digest_origin="produced",
                source=plan.run,
                file=file,
                url=None,
                optional=True,
            )
    return saved
