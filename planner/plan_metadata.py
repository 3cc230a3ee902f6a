"""What the user said of a workflow, its jobs and files, as rows.

What is said of a file that is still to be made waits in the plan folder: `add_output_metadata` gives the rows when it
is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from planner.engine_plan import EngineJob, EnginePlan
from planner.planned import Plan, first_sights
from planner.workflow import Metadata
from provenance.history.snapshot import Snapshot
from provenance.identity import FileId, produced_file
from provenance.metadata import Value
from provenance.metadata_rows import EntityName, add_metadata
from provenance.segments.batch import Batch
from provenance.storable import storable


def add_output_metadata(
    batch: Batch, plan: EnginePlan, job: EngineJob, attempt: int, made: Iterable[str], author: str | None = None
) -> None:
    """Add what the workflow says of the outputs that an attempt has really made (``made``, by lfn)."""
    present = set(made)
    for position, use in enumerate(job.outputs):
        if use.name in present:
            number = produced_file(job.number, attempt, position)
            _add_metadata(batch, plan, "file", plan.run, number, use.metadata, author)


def add_plan_metadata(batch: Batch, plan: Plan, user: str, snapshot: Snapshot) -> None:
    """Add what workflow and catalogs say of the run, its jobs, the transformations that they use, and the files that
    are there, as far as a store in the state ``snapshot`` was not told of these already.
    """
    _add_metadata(batch, plan, "workflow", plan.run, 0, plan.workflow.metadata, user)
    for job in plan.jobs:
        _add_metadata(batch, plan, "job", plan.run, job.number, job.metadata, user)
    for file in first_sights(plan):
        _add_metadata(batch, plan, "file", file.source, file.file, file.metadata, user)
    chosen = {file.name for selection in plan.selections.values() for file in selection.files}
    known: dict[FileId, dict[str, Value]] = {}
    for name, file in plan.files.items():
        if not file.new and name not in chosen and file.metadata:
            # One file may be known by several names here: a key has one value at a time, the first that is given.
            known[file.source, file.file] = {**file.metadata, **known.get((file.source, file.file), {})}
    said = _already_said(plan, known, snapshot)
    for (source, number), metadata in known.items():
        fresh = {
            key: value for key, value in metadata.items() if said.get((source, number, storable(key))) != _texts(value)
        }
        _add_metadata(batch, plan, "file", source, number, fresh, user)
    _add_transformations(batch, plan, user)


def _add_transformations(batch: Batch, plan: Plan, user: str) -> None:
    used = {job.transformation.key: job.transformation for job in plan.jobs if job.transformation is not None}
    for number, transformation in enumerate(used.values()):
        namespace, name, version = transformation.key
        subject = f"{namespace + '::' if namespace else ''}{name}{':' + version if version else ''}"
        for key, value in transformation.metadata.items():
            add_metadata(
                batch,
                "transformation",
                plan.run,
                number,
                key,
                value,
                origin="static",
                author=user,
                at=plan.planned,
                subject=subject,
            )


def _add_metadata(
    batch: Batch,
    plan: Plan | EnginePlan,
    entity: EntityName,
    source: int,
    number: int,
    metadata: Metadata,
    author: str | None,
) -> None:
    for key, value in metadata.items():
        add_metadata(batch, entity, source, number, key, value, origin="static", author=author, at=plan.planned)


def _already_said(
    plan: Plan, files: Collection[FileId], snapshot: Snapshot
) -> Mapping[tuple[int, int, str], list[str | None]]:
    """What workflows and catalogs said last of files that the store knows: saying it again would undo a later `meta
    set`.
    """
    if not files:
        return {}
    rows: list[tuple[Any, ...]] = plan.request.store.rows(
        _SAID,
        [[source for source, _ in files], [number for _, number in files]],
        tables=["metadata_in_order"],
        snapshot=snapshot,
    )
    return {(source, number, key): list(texts) for source, number, key, texts in rows}


_SAID = """
    WITH wanted AS (SELECT unnest(?) AS source, unnest(?) AS number),
    said AS (
        SELECT m.* FROM wanted
        JOIN metadata_in_order m ON m.source = wanted.source AND m.number = wanted.number
        WHERE m.entity = 'file' AND m.origin = 'static' AND NOT m.withdrawn
    ),
    newest AS (SELECT source, number, key, max(commit_order) AS commit_order FROM said GROUP BY ALL)
    SELECT source, number, key, list(written ORDER BY position) FROM said
    SEMI JOIN newest USING (source, number, key, commit_order)
    GROUP BY source, number, key
"""


def _texts(value: object) -> list[str | None]:
    values = value if isinstance(value, tuple) else (value,)
    return [each.text for each in values] or [None]
