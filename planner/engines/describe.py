"""A planned job and the files it will read become a job description, the document that the wrapper works from.

See docs/formats/invocation.md. Both engines describe attempts alike; they differ in where inputs come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.engine_plan import EngineJob, EnginePlan
from planner.job_steps import steps_of
from planner.run_folder import below
from provenance.copies.replicas import file_url

SCHEMA = "pirene.job/1"
METADATA_FILE = ".pirene-metadata"


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that an attempt reads: where it is now, and what it must be.

    ``path`` is absolute; ``sha256`` None means that nothing is known of it yet: the wrapper's digest is the first.
    ``url`` is that of the replica that is read, None for a file that never was one (an intermediate).
    """

    name: str
    role: str
    path: str
    sha256: bytes | None
    size_bytes: int | None
    digest_origin: str | None
    source: int | None
    file: int | None
    url: str | None
    optional: bool = False


def describe(
    plan: EnginePlan, job: EngineJob, attempt: int, inputs: Iterable[InputFile], work_dir: Path
) -> dict[str, object]:
    """The description of one attempt in ``work_dir``, where inputs are staged in as symlinks; what the
    command is meant to rewrite, an inout or a checkpoint, as a copy.
    """
    files = list(inputs)
    digests = {file.name: file.sha256 for file in files if file.sha256 is not None}
    all_known = len(digests) == len(files)
    key = job.key(digests) if all_known else None
    return {
        **description_of(plan, job, job.executable),
        "attempt": attempt,
        "work_dir": str(work_dir),
        "stage_in": [_stage_in(file, work_dir) for file in files],
        "inputs": [executable_entry(job, job.executable), *(input_entry(file) for file in files)],
        "reuse_key": key.hex() if key else None,
    }


def description_of(plan: EnginePlan, job: EngineJob, executable: str) -> dict[str, object]:
    """What all attempts of a job share, wherever they run. ``executable``: where it is then."""
    return {
        "schema": SCHEMA,
        "run_id": str(plan.run_id),
        "job": job.number,
        "id": job.id,
        "transformation": {"namespace": job.namespace, "name": job.name, "version": job.version},
        "site": job.site,
        "argv": [executable, *job.arguments],
        "environment": {"set": dict(job.environment), "clear": False, "record": sorted(job.environment)},
        "stdin": job.stdin,
        "stdout": job.stdout,
        "stderr": job.stderr,
        "outputs": outputs_of(job),
        "metadata_file": METADATA_FILE,
        "protection": {"level": job.protection},
        "walltime_seconds": job.walltime_seconds,
        "checkpoint": {"after_seconds": job.checkpoint_seconds},
        "limits": {} if job.cpu_seconds is None else {"cpu_seconds": job.cpu_seconds},
        "steps": steps_of(job.environment),
    }


def outputs_of(job: EngineJob) -> list[dict[str, object]]:
    """The `outputs` of a job description: their order is that of `EngineJob.outputs`."""
    return [
        {"name": use.name, "path": use.name, "role": use.role, "optional": use.optional or use.role == "checkpoint"}
        for use in job.outputs
    ]


def _stage_in(file: InputFile, work_dir: Path) -> Mapping[str, object]:
    below(work_dir, file.name)
    return {"from": file.path, "to": file.name, "copy": file.role in ("inout", "checkpoint")}


def input_entry(file: InputFile) -> dict[str, object]:
    """One entry of `inputs` of a job description."""
    return {
        "name": file.name,
        "path": file.name,
        "role": file.role,
        "sha256": file.sha256.hex() if file.sha256 else None,
        "size": file.size_bytes,
        "digest_origin": file.digest_origin,
        "optional": file.optional,
        "url": file.url,
        "source": file.source,
        "file": file.file,
    }


def executable_entry(job: EngineJob, path: str) -> dict[str, object]:
    """The entry of `inputs` for a job's executable, which is at ``path`` when it is verified."""
    return {
        "name": job.executable,
        "path": path,
        "role": "executable",
        "sha256": job.executable_sha256.hex() if job.executable_sha256 else None,
        "size": None,
        "digest_origin": job.executable_digest_origin,
        "optional": False,
        "url": file_url(job.executable),
        "source": None,
        "file": None,
    }
