"""`pirene plan`: plan a workflow without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.commands.plan_options import PlanOptions, plan_options
from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from planner.engine_plan import EnginePlan


@click.command()
@click.argument("workflow", metavar="WORKFLOW.yml", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plan_options
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def plan(invocation: Invocation, workflow: Path, options: PlanOptions, output_format: str) -> None:
    """Plan WORKFLOW.yml: freeze its inputs, decide what has to run, and write it all to a run folder."""
    import json

    from planner.plan_folder import read_plan
    from provenance.store import Store
    from query.terminal_text import harmless

    store = Store.open(invocation.store)
    made = read_plan(options.make(invocation, workflow, store))
    if output_format == "json":
        click.echo(json.dumps(_as_json(made)))
        return
    reused = sum(job.decision == "reuse" for job in made.jobs)
    click.echo(harmless(f"{made.name}: {len(made.jobs)} jobs, {len(made.jobs) - reused} to run, {reused} reused"))
    click.echo(f"  plan     {harmless(str(made.run_dir))}")
    click.echo(f"  outputs  {harmless(str(made.output_dir))}")
    invocation.note(f"`pirene run {made.run_dir}` runs it; `pirene explain {made.run_dir}` says why.")


def _as_json(plan: EnginePlan) -> dict[str, object]:
    reused = sum(job.decision == "reuse" for job in plan.jobs)
    return {
        "run": str(plan.run_id),
        "workflow": plan.name,
        "run_dir": str(plan.run_dir),
        "output_dir": str(plan.output_dir),
        "store": plan.store,
        "jobs": {"total": len(plan.jobs), "run": len(plan.jobs) - reused, "reused": reused},
        "warnings": list(plan.warnings),
    }
