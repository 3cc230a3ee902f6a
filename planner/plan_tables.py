"""The columnar files of a plan folder: which columns they have, and how jobs, uses and files become rows and come back.

Digests are 32 bytes. Paths are kept as URLs, which can name files of any bytes. Mappings are JSON texts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from planner.engine_plan import EngineJob
from planner.planned import OtherCopy, Plan, PlannedFile, PlannedJob, PlannedUse, ReusedOutput
from planner.workflow import Metadata
from provenance.copies.replicas import file_url
from provenance.metadata import Value, Written
from provenance.urls import local_name

if TYPE_CHECKING:
    import pyarrow as pa

RAW = 0
"""In the column ``job`` of files: a raw input of the plan, not an output that a job takes from the past."""

Columns = Mapping[str, tuple[str, list[Any]]]
_JOBS = {
    "number": "int64",
    "id": "string",
    "type": "string",
    "namespace": "string",
    "name": "string",
    "version": "string",
    "arguments": "texts",
    "stdin": "string",
    "stdout": "string",
    "stderr": "string",
    "site": "string",
    "executable": "string",
    "executable_type": "string",
    "executable_sha256": "binary",
    "executable_digest_origin": "string",
    "container_sha256": "binary",
    "environment": "string",
    "submit": "string",
    "retries": "int64",
    "walltime_seconds": "int64",
    "checkpoint_seconds": "int64",
    "cpu_seconds": "int64",
    "salt": "string",
    "deterministic": "bool",
    "on_mismatch": "string",
    "protection": "string",
    "decision": "string",
    "ground": "string",
    "reason": "string",
    "changed": "texts",
    "reuse_key": "binary",
    "reused_run": "int64",
    "reused_job": "int64",
    "reused_run_id": "string",
    "reused_id": "string",
}
_USES = {
    "job": "int64",
    "name": "string",
    "role": "string",
    "producer": "int64",
    "stage_out": "bool",
    "register_replica": "bool",
    "optional": "bool",
    "metadata": "string",
    "expected_sha256": "binary",
}
_FILES = {
    "job": "int64",
    "lfn": "string",
    "source": "int64",
    "file": "int64",
    "url": "string",
    "copy": "string",
    "site": "string",
    "sha256": "binary",
    "size_bytes": "int64",
    "digest_origin": "string",
    "modified_ns": "int64",
    "changed_ns": "int64",
    "inode": "int64",
    "device": "int64",
    "new": "bool",
    "owner": "string",
    "stage_out": "bool",
    "metadata": "string",
    "others": "string",
}
_EDGES = {"parent": "int64", "child": "int64"}


def tables_of(plan: Plan) -> dict[str, pa.Table]:
    """The tables of a finished plan, by name."""
    files = [_file_row(RAW, name, file, stage_out=False) for name, file in sorted(plan.files.items())]
    for job in plan.jobs:
        files.extend(
            _file_row(job.number, name, out.file, stage_out=out.stage_out) for name, out in sorted(job.reused.items())
        )
    return {
        "jobs": _table(_JOBS, (_job_row(job) for job in plan.jobs)),
        "uses": _table(_USES, (_use_row(job, use) for job in plan.jobs for use in job.uses)),
        "files": _table(_FILES, files),
        "edges": _table(_EDGES, plan.edges),
    }


def jobs_of(jobs: pa.Table, uses: pa.Table, files: pa.Table) -> tuple[tuple[EngineJob, ...], dict[str, PlannedFile]]:
    """The jobs and the raw inputs that tables hold."""
    used: dict[int, list[PlannedUse]] = defaultdict(list)
    expected: dict[int, dict[str, bytes]] = defaultdict(dict)
    for row in uses.to_pylist():
        digest = row.pop("expected_sha256")
        job = row.pop("job")
        if digest is not None:
            expected[job][row["name"]] = digest
        used[job].append(PlannedUse(**{**row, "metadata": metadata_from_json(row["metadata"])}))
    reused: dict[int, dict[str, ReusedOutput]] = defaultdict(dict)
    raw: dict[str, PlannedFile] = {}
    for row in files.to_pylist():
        file = _file(row)
        if row["job"] == RAW:
            raw[file.name] = file
        else:
            reused[row["job"]][file.name] = ReusedOutput(file, row["stage_out"])
    return tuple(_job(row, used, reused, expected) for row in jobs.to_pylist()), raw


def metadata_to_json(metadata: Metadata) -> str | None:
    """Metadata as JSON text, None if there is none: [text, type] for a value, {"list": [...]} for a list of values."""
    if not metadata:
        return None
    shown = {
        key: [value.text, value.type]
        if isinstance(value, Written)
        else {"list": [[each.text, each.type] for each in value]}
        for key, value in metadata.items()
    }
    return json.dumps(shown)


def metadata_from_json(text: str | None) -> Metadata:
    """What `metadata_to_json` wrote."""
    if text is None:
        return {}
    found: dict[str, Value] = {}
    for key, value in json.loads(text).items():
        found[key] = tuple(Written(*each) for each in value["list"]) if isinstance(value, dict) else Written(*value)
    return found


def _table(columns: Mapping[str, str], rows: Iterable[tuple[object, ...]]) -> pa.Table:
    import pyarrow as pa

    types = {"texts": pa.list_(pa.string()), "bool": pa.bool_()}
    schema = pa.schema([(name, types.get(kind) or pa.type_for_alias(kind)) for name, kind in columns.items()])
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table([pa.array(column, field.type) for column, field in zip(values, schema, strict=True)], schema=schema)


def _job_row(job: PlannedJob) -> tuple[object, ...]:
    transformation = job.transformation
    assert transformation is not None
    run, number = job.reused_from or (None, None)
    run_id, job_id = job.reused_from_names or (None, None)
    return (
        job.number,
        job.job.id,
        job.job.type,
        transformation.namespace,
        transformation.name,
        transformation.version,
        job.arguments,
        job.job.stdin,
        job.job.stdout,
        job.job.stderr,
        job.site,
        file_url(job.executable),
        job.executable_type,
        job.executable_sha256,
        job.executable_digest_origin,
        job.container_sha256,
        json.dumps(dict(job.environment)),
        json.dumps(dict(job.submit)),
        job.retries,
        job.walltime_seconds,
        job.checkpoint_seconds,
        job.cpu_seconds,
        job.salt,
        job.deterministic,
        job.on_mismatch,
        job.protection,
        job.decision,
        job.ground,
        job.reason,
        job.changed,
        job.reuse_key,
        run,
        number,
        run_id,
        job_id,
    )


def _job(
    row: dict[str, Any],
    uses: Mapping[int, list[PlannedUse]],
    reused: Mapping[int, dict[str, ReusedOutput]],
    expected: Mapping[int, dict[str, bytes]],
) -> EngineJob:
    number = row["number"]
    run, job = row.pop("reused_run"), row.pop("reused_job")
    run_id, job_id = row.pop("reused_run_id"), row.pop("reused_id")
    row.update(
        arguments=tuple(row["arguments"]),
        changed=tuple(row["changed"]),
        executable=_path(row["executable"]),
        environment=json.loads(row["environment"]),
        submit=json.loads(row["submit"]),
    )
    return EngineJob(
        **row,
        uses=tuple(uses.get(number, ())),
        reused_from=None if run is None else (run, job),
        reused_from_names=None if run_id is None else (run_id, job_id),
        reused=reused.get(number, {}),
        expected=expected.get(number, {}),
    )


def _use_row(job: PlannedJob, use: PlannedUse) -> tuple[object, ...]:
    expected = job.expected.get(use.name) if use.role != "input" else None
    return (
        job.number,
        use.name,
        use.role,
        use.producer,
        use.stage_out,
        use.register_replica,
        use.optional,
        metadata_to_json(use.metadata),
        expected,
    )


def _file_row(job: int, name: str, file: PlannedFile, *, stage_out: bool) -> tuple[object, ...]:
    return (
        job,
        name,
        file.source,
        file.file,
        file.url,
        file_url(file.path),
        file.site,
        file.sha256,
        file.size_bytes,
        file.digest_origin,
        file.modified_ns,
        file.changed_ns,
        file.inode,
        file.device,
        file.new,
        file.owner,
        stage_out,
        metadata_to_json(file.metadata),
        _others_to_json(file.others),
    )


def _file(row: Mapping[str, Any]) -> PlannedFile:
    return PlannedFile(
        source=row["source"],
        file=row["file"],
        name=row["lfn"],
        path=_path(row["copy"]),
        url=row["url"],
        site=row["site"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        digest_origin=row["digest_origin"],
        modified_ns=row["modified_ns"],
        changed_ns=row["changed_ns"],
        inode=row["inode"],
        device=row["device"],
        new=row["new"],
        owner=row["owner"],
        metadata=metadata_from_json(row["metadata"]),
        others=_others_from_json(row.get("others")),  # plans from before there was recovery have no such column
    )


def _others_to_json(others: tuple[OtherCopy, ...]) -> str | None:
    return json.dumps([[file_url(other.path), other.url, other.site] for other in others]) if others else None


def _others_from_json(text: str | None) -> tuple[OtherCopy, ...]:
    return tuple(OtherCopy(_path(path), url, site) for path, url, site in json.loads(text)) if text else ()


def _path(url: str) -> str:
    path = local_name(url)
    assert path is not None, url
    return path
