"""A finished plan as rows of one `plan` commit: the run, its jobs, what it saw first, what it found damaged, what the
user said.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
from pathlib import Path
from typing import TypedDict

from integrity.digest import Stat
from planner.errors import PlannerError
from planner.plan_metadata import add_plan_metadata
from planner.planned import FrozenSelection, Plan, PlannedFile, PlannedJob, first_sights
from planner.version import VERSION
from provenance.copies.observations import still_news
from provenance.copies.replicas import add_event, by_url
from provenance.history.commits import Commit, CommitKind
from provenance.history.snapshot import Snapshot
from provenance.identity import registered_file
from provenance.registration.registration import Registration, add_new_file
from provenance.segments.batch import Batch
from provenance.urls import copy_url
from provenance.users import current_user


class _Copy(TypedDict):
    source: int
    file: int
    url: str | None
    site: str | None


class OvertakenError(PlannerError):
    """Others have registered a file that a plan was about to: it has to be made again."""


def record_plan(plan: Plan, plan_sha256: bytes, base: Snapshot | None = None) -> Commit | None:
    """Commit a finished plan. ``plan_sha256`` is the digest of its lock file, ``base`` a state of the store from before
    the plan was begun.

    Raises OvertakenError if the plan rests on what is no longer so, StoreError if the store cannot take it.
    """
    store = plan.request.store
    first = store.snapshot()
    begun = first if base is None else base

    def rows(snapshot: Snapshot) -> Batch:
        batch = _rows(plan, plan_sha256, snapshot)
        if snapshot.number == begun.number:
            return batch
        _require_first_sights(plan, snapshot)
        return still_news(store, batch, base=begun, newest=snapshot)

    return store.commit(
        CommitKind.PLAN,
        rows(first),
        author=current_user(),
        rebase=lambda newest, _: rows(newest),
        base=first,
    )


def record_failure(plan: Plan, reason: str) -> None:
    """Say of a plan that was committed that it came to nothing: no run folder has it."""
    batch = Batch()
    now = dt.datetime.now(dt.UTC)
    batch.add("workflow_states", run=plan.run, state="failed", at=now, reason=reason)
    plan.request.store.commit(CommitKind.PLAN, batch, author=current_user())


def _require_first_sights(plan: Plan, snapshot: Snapshot) -> None:
    """What the plan calls new must be new, and what it takes the place of be there: two plans may have met a file at
    once, and it is one file.
    """
    new = {copy_url(file.url): file for file in first_sights(plan)}
    for url, holder in by_url(plan.request.store, list(new), snapshot=snapshot).items():
        if new[url].replaces != holder.id:
            raise OvertakenError(f"{new[url].path}: somebody else has just registered it", hint="Plan again.")
        del new[url]
    for file in new.values():
        if file.replaces is not None:
            raise OvertakenError(f"{file.path}: what was there has just been given up", hint="Plan again.")


def _rows(plan: Plan, plan_sha256: bytes, snapshot: Snapshot) -> Batch:
    """All that a plan says, to a store in this state."""
    batch = Batch()
    user = current_user()
    _add_workflow(batch, plan, plan_sha256, user)
    for job in plan.jobs:
        _add_job(batch, plan.run, job)
    for parent, child in plan.edges:
        batch.add("job_edges", run=plan.run, parent=parent, child=child)
    for selection in plan.selections.values():
        _add_selection(batch, plan.run, selection)
    for file in first_sights(plan):
        _add_first_sight(batch, plan, file)
    for file in plan.verified:
        add_event(batch, "verified", **_copy(file), at=plan.planned, stat=_stat(file))
    for number, (file, actual, finding) in enumerate(plan.findings):
        _add_finding(batch, plan, number, file, actual, finding)
    add_plan_metadata(batch, plan, user, snapshot)
    return batch


def _add_workflow(batch: Batch, plan: Plan, plan_sha256: bytes, user: str) -> None:
    batch.add(
        "workflows",
        run=plan.run,
        run_id=str(plan.run_id),
        kind="workflow",
        name=plan.workflow.name,
        user_name=user,
        host=socket.gethostname(),
        submit_dir=str(plan.run_dir),
        output_dir=str(plan.output_dir),
        engine=plan.request.engine,
        planner_version=VERSION,
        workflow_sha256=plan.workflow.sha256,
        plan_sha256=plan_sha256,
        planned=plan.planned,
    )
    batch.add("workflow_states", run=plan.run, state="planned", at=plan.planned)


def _add_job(batch: Batch, run: int, job: PlannedJob) -> None:
    assert job.transformation is not None
    reused_run, reused_job = job.reused_from or (None, None)
    batch.add(
        "jobs",
        run=run,
        job=job.number,
        id=job.job.id,
        type=job.job.type,
        namespace=job.transformation.namespace,
        name=job.transformation.name,
        version=job.transformation.version,
        arguments=job.arguments,
        environment=[f"{name}={value}" for name, value in sorted(job.environment.items())],
        site=job.site,
        executable=job.executable,
        executable_sha256=job.executable_sha256,
        reuse_key=job.reuse_key,
        decision=job.decision,
        ground=job.ground,
        reason=job.reason,
        changed=job.changed,
        reused_run=reused_run,
        reused_job=reused_job,
    )


def _add_selection(batch: Batch, run: int, selection: FrozenSelection) -> None:
    batch.add(
        "selections",
        run=run,
        name=selection.name,
        query=selection.query,
        tree=selection.tree,
        parameters=json.dumps(dict(selection.parameters), default=str, sort_keys=True),
        now=selection.now,
        store_commit=selection.store_commit,
        sources=[file.source for file in selection.files],
        files=[file.file for file in selection.files],
    )


def _add_first_sight(batch: Batch, plan: Plan, file: PlannedFile) -> None:
    if file.replaces is not None:
        source, number = file.replaces
        reason = f"planning {plan.workflow.name} found other content there"
        place: _Copy = {**_copy(file), "source": source, "file": number}
        add_event(batch, "replaced", **place, at=plan.planned, reason=reason)
    entry = Registration(
        name=file.name,
        url=copy_url(file.url),
        site=file.site,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        digest_origin=file.digest_origin,
        stat=_stat(file),
        kind="folder" if Path(file.path).is_dir() else "file",
        owner=file.owner,
    )
    add_new_file(batch, entry, (file.source, file.file), plan.planned)


def _add_finding(batch: Batch, plan: Plan, number: int, file: PlannedFile, actual: bytes | None, finding: str) -> None:
    """A copy that was found gone or damaged: a check, and what that means for the copy."""
    verdict = finding if finding in ("missing", "unreadable") else "mismatch"
    batch.add(
        "checks",
        source=plan.run,
        number=registered_file(number),
        run=plan.run,
        file_source=file.source,
        file=file.file,
        name=file.name,
        url=copy_url(file.url),
        site=file.site,
        stage="audit",
        expected_sha256=file.sha256,
        actual_sha256=actual,
        actual_size_bytes=file.size_bytes if actual is not None else None,
        verdict=verdict,
        finding=finding,
        digest_origin=file.digest_origin,
        protection="none",
        at=plan.planned,
        host=socket.gethostname(),
    )
    event = {"mismatch": "quarantined", "missing": "missing"}.get(verdict)
    if event is not None:
        reason = f"{finding} found while planning {plan.workflow.name}"
        add_event(batch, event, **_copy(file), at=plan.planned, reason=reason)


def _copy(file: PlannedFile) -> _Copy:
    return {"source": file.source, "file": file.file, "url": copy_url(file.url), "site": file.site}


def _stat(file: PlannedFile) -> Stat | None:
    """The stat of a copy as it was when its bytes were last read; None if they never were."""
    if file.modified_ns is None or file.changed_ns is None or file.inode is None or file.device is None:
        return None
    assert file.size_bytes is not None
    return Stat(
        size=file.size_bytes,
        mtime_ns=file.modified_ns,
        ctime_ns=file.changed_ns,
        inode=file.inode,
        device=file.device,
    )
