"""From a workflow file to a plan: all passes, in order.

Each pass takes a plan and returns a new one in which more is filled in; what a pass needs, an earlier one has made.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path

from planner.catalogs.find import find_catalogs
from planner.catalogs.model import Catalogs
from planner.passes.build_graph import build_graph
from planner.passes.check_names import check_names
from planner.passes.check_runnable import check_runnable
from planner.passes.expand_jobs import expand_jobs
from planner.passes.locate_inputs import locate_inputs
from planner.passes.resolve_jobs import resolve_jobs
from planner.passes.reuse import reuse
from planner.passes.select_inputs import select_inputs
from planner.plan_folder import refuse_planned
from planner.planned import Plan, PlanRequest
from planner.workflow_file import read_workflow
from provenance.identity import new_run_id, source_of

PASSES: tuple[Callable[[Plan], Plan], ...] = (
    select_inputs,  # selections -> concrete files
    expand_jobs,  # foreach, select, outputs-of -> jobs and their uses
    check_names,  # names that folders can hold
    resolve_jobs,  # transformations -> executables, environment, settings
    build_graph,  # files and jobDependencies -> edges
    locate_inputs,  # raw inputs -> occurrences with digests
    reuse,  # jobs that need not run, each with a reason
    check_runnable,  # what runs can be started
)

_STORAGE = ("localStorage", "sharedStorage")
_LONGEST_NAME = 60
_SHORT_ID = 8


def make_plan(request: PlanRequest) -> Plan:
    """The plan for a request. Raises PlannerError, QueryError or StoreError for whatever cannot be planned.

    Nothing is written: planner/plan_folder.py and planner/record_plan.py do that.
    """
    workflow = read_workflow(request.workflow)
    catalogs = find_catalogs(workflow)
    run_id = new_run_id()
    run_dir = _absolute(request.run_dir or Path("runs") / _folder_name(workflow.name, run_id))
    refuse_planned(run_dir)
    plan = Plan(
        request=request,
        workflow=workflow,
        catalogs=catalogs,
        run_id=run_id,
        run=source_of(run_id),
        run_dir=run_dir,
        output_dir=_output_dir(request, catalogs, run_dir),
        planned=dt.datetime.now(dt.UTC),
        warnings=(*workflow.warnings, *catalogs.warnings),
    )
    for each in PASSES:
        plan = each(plan)
    return plan


def _folder_name(name: str, run_id: uuid.UUID) -> str:
    """NAME-SHORTID: what a file system and a shell take without quoting, and the end of the id, which differs most."""
    safe = re.sub(r"[^\w.+-]+", "_", name).strip("._-")[:_LONGEST_NAME] or "workflow"
    return f"{safe}-{run_id.hex[-_SHORT_ID:]}"


def _output_dir(request: PlanRequest, catalogs: Catalogs, run_dir: Path) -> Path:
    """Where outputs go: as asked for, else the storage of the site local, else the run folder."""
    if request.output_dir is not None:
        return _absolute(request.output_dir)
    local = catalogs.sites.get("local")
    if local is not None:
        for kind in _STORAGE:
            for directory in local.directories:
                if directory.type == kind:
                    return _absolute((local.place.file.parent if local.place.file else Path.cwd()) / directory.path)
    return run_dir / "output"


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - the name that the user gave, symlinks included
