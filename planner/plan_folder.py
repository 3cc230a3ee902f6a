"""The plan folder: what a run does, frozen, in a form that people can compare and engines can read.

    RUN/plan/lock.json        what was asked and what was chosen: canonical JSON; names the digests of all the rest
    RUN/plan/jobs.parquet     (and uses, files, edges) planner/plan_tables.py
    RUN/plan/workflow.yml     the workflow file, byte for byte

The folder appears under its name when it is whole: it is written beside it and renamed. A plan whose files are not
those that its lock file names is refused; nobody edits a plan, one plans again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.engine_plan import EnginePlan
from planner.errors import PlannerError, naming
from planner.plan_tables import jobs_of, metadata_from_json, metadata_to_json, tables_of
from planner.planned import FrozenSelection, Plan, PlannedFile
from planner.regular_files import read_regular
from planner.version import VERSION

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "pirene.plan/1"
FOLDER = "plan"
LOCK = "lock.json"
_WORKFLOW = "workflow.yml"


class PlanFolderError(PlannerError):
    """A folder holds no plan, or one that is not as it was written."""


@dataclass(frozen=True, slots=True)
class StagedPlan:
    """A plan that is written and not yet under its name. ``plan_sha256`` is the digest of its lock file."""

    folder: Path
    run_dir: Path
    plan_sha256: bytes
    made_run_dir: bool

    def publish(self) -> None:
        """Give the folder its name. Raises PlanFolderError if there is a plan already."""
        try:
            self.folder.rename(self.run_dir / FOLDER)
        except OSError as error:
            self.discard()
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            raise _already_planned(self.run_dir) from error
        _sync_folder(self.run_dir)

    def discard(self) -> None:
        """Remove what was written, and a run folder that was made for it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.made_run_dir:
            with contextlib.suppress(OSError):  # somebody has put something there meanwhile
                self.run_dir.rmdir()


def stage_plan(plan: Plan) -> StagedPlan:
    """Write a finished plan beside its place in its run folder. Raises PlanFolderError if a plan is there already."""
    refuse_planned(plan.run_dir)
    made = not plan.run_dir.exists()
    plan.run_dir.mkdir(parents=True, exist_ok=True)
    folder = plan.run_dir / f".{FOLDER}-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        lock = _write_plan(folder, plan)
    except BaseException:
        StagedPlan(folder, plan.run_dir, b"", made).discard()
        raise
    return StagedPlan(folder, plan.run_dir, hashlib.sha256(lock).digest(), made)


def _write_plan(folder: Path, plan: Plan) -> bytes:
    """Write the files of a plan, the lock file last; its bytes."""
    digests = {name: _write_table(folder / f"{name}.parquet", table) for name, table in tables_of(plan).items()}
    if plan.workflow.path is not None:
        _write(folder / _WORKFLOW, read_regular(plan.workflow.path))
    lock = json.dumps(_lock(plan, digests), indent=1, sort_keys=True).encode("ascii") + b"\n"
    _write(folder / LOCK, lock)
    _sync_folder(folder)
    return lock


def refuse_planned(run_dir: Path) -> None:
    """Raise PlanFolderError if there is a plan in the folder."""
    if (run_dir / FOLDER).exists():
        raise _already_planned(run_dir)


def read_plan(run_dir: Path) -> EnginePlan:
    """The plan in a run folder. Raises PlanFolderError if there is none, or if a file is not as it was written."""
    folder = Path(os.path.abspath(run_dir)) / FOLDER  # noqa: PTH100 - the name that the user gave, symlinks included
    data, lock = _read_lock(folder)
    try:
        return _plan_of(folder, lock, hashlib.sha256(data).digest())
    except (KeyError, TypeError, ValueError) as error:
        raise _changed(folder / LOCK, f"{type(error).__name__}: {error}") from error


def _plan_of(folder: Path, lock: Mapping[str, Any], sha256: bytes) -> EnginePlan:
    """What the lock file and the tables say."""
    tables = {name: _read_table(folder / f"{name}.parquet", entry["sha256"]) for name, entry in lock["tables"].items()}
    jobs, files = jobs_of(tables["jobs"], tables["uses"], tables["files"])
    edges = tuple(zip(tables["edges"]["parent"].to_pylist(), tables["edges"]["child"].to_pylist(), strict=True))
    run, workflow, options, store = lock["run"], lock["workflow"], lock["options"], lock["store"]
    return EnginePlan(
        run_id=uuid.UUID(run["id"]),
        run=run["source"],
        name=workflow["name"],
        # The folder may have been moved since; outputs stay where the plan says.
        run_dir=folder.parent,
        output_dir=Path(run["output_dir"]),
        engine=options["engine"],
        store=store["location"],
        store_id=store["id"],
        planned=dt.datetime.fromisoformat(run["planned"]),
        plan_sha256=sha256,
        copy_reused=options["copy_reused"],
        jobs=jobs,
        edges=edges,
        files=files,
        metadata=metadata_from_json(json.dumps(workflow["metadata"]) if workflow["metadata"] else None),
        warnings=tuple(lock["warnings"]),
    )


def _lock(plan: Plan, digests: dict[str, tuple[int, str]]) -> dict[str, Any]:
    request = plan.request
    metadata = metadata_to_json(plan.workflow.metadata)
    return {
        "schema": SCHEMA,
        "pirene": VERSION,
        "run": {
            "id": str(plan.run_id),
            "source": plan.run,
            "planned": plan.planned.isoformat(),
            "output_dir": str(plan.output_dir),
        },
        "workflow": {
            "name": plan.workflow.name,
            "format": plan.workflow.format_version,
            "file": str(plan.workflow.path) if plan.workflow.path else None,
            "sha256": plan.workflow.sha256.hex(),
            "metadata": json.loads(metadata) if metadata else {},
        },
        "options": {
            "engine": request.engine,
            "reuse": request.reuse and plan.workflow.reuse.enabled,
            "reuse_policy": request.reuse_policy if request.reuse_policy is not None else plan.workflow.reuse.query,
            "trust": sorted(plan.workflow.reuse.trust if request.trust is None else request.trust),
            "force": sorted(request.force),
            "parameters": _plain(request.parameters),
            "copy_reused": request.copy_reused,
            "on_mismatch": request.on_mismatch,
            "protection": request.protection,
        },
        "store": {"location": request.store.storage.location, "id": request.store.store_id},
        "selections": {name: _selection(each) for name, each in plan.selections.items()},
        "properties": dict(plan.catalogs.properties),
        "tables": {name: {"rows": rows, "sha256": digest} for name, (rows, digest) in digests.items()},
        "warnings": list(plan.warnings),
    }


def _selection(selection: FrozenSelection) -> dict[str, Any]:
    return {
        "query": selection.query,
        "tree": json.loads(selection.tree),
        "parameters": _plain(selection.parameters),
        "now": selection.now.isoformat(),
        "store_commit": selection.store_commit,
        "files": [_chosen(file) for file in selection.files],
    }


def _chosen(file: PlannedFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "sha256": file.sha256.hex() if file.sha256 else None,
        "size_bytes": file.size_bytes,
        "url": file.url,
        "source": file.source,
        "file": file.file,
    }


def _plain(value: object) -> Any:
    """Parameters as JSON: what JSON has no type for (a time, a number as it was written) is its text."""
    return json.loads(json.dumps(value, default=str))


def _read_lock(folder: Path) -> tuple[bytes, dict[str, Any]]:
    path = folder / LOCK
    try:
        data = read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise PlanFolderError(
            f"{folder.parent}: there is no plan in this folder",
            hint="`pirene plan WORKFLOW.yml -d DIR` makes one; `pirene run WORKFLOW.yml` plans and runs.",
        ) from None
    try:
        lock = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _changed(path, f"it is no JSON: {error}") from error
    if not isinstance(lock, dict) or lock.get("schema") != SCHEMA:
        found = lock.get("schema") if isinstance(lock, dict) else type(lock).__name__
        raise PlanFolderError(f"{path}: expected a plan of schema {SCHEMA}, found {found!r}", hint="Plan again.")
    return data, lock


def _read_table(path: Path, expected: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise _changed(path, "it is missing") from None
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise _changed(path, f"expected sha256 {expected}, found {found}")
    # In this thread alone: a plan's tables are small, and pools of threads cost a command more than they save it.
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(use_threads=False)


def _write_table(path: Path, table: pa.Table) -> tuple[int, str]:
    """Write one table; its rows and its digest (hex)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    _write(path, data)
    return table.num_rows, hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    with naming(path), path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _already_planned(run_dir: Path) -> PlanFolderError:
    return PlanFolderError(
        f"{run_dir}: there is a plan in this folder already",
        hint=f"`pirene run {run_dir}` runs it; give another folder with -d to plan again.",
    )


def _changed(path: Path, what: str) -> PlanFolderError:
    return PlanFolderError(
        f"{path}: the plan is not as it was written: {what}", hint="Plan again, into another folder."
    )
