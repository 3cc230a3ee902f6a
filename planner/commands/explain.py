"""`pirene explain`: why each job of a plan runs or not."""

from __future__ import annotations

import json
from pathlib import Path

import click

from provenance.commands.context import Invocation, pass_invocation


@click.command()
@click.argument("run", metavar="[RUN|DIR]", required=False)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def explain(invocation: Invocation, run: str | None, output_format: str) -> None:
    """Say why each job of a run (its folder, its id, a workflow's name; default: the newest) runs or not.

    Answers come from the store, so they outlive the run folder.
    """
    from planner.explanation import explain_folder, explain_run
    from query.terminal_text import harmless

    if run is not None and (Path(run) / "plan").is_dir():
        rows = explain_folder(Path(run))
    else:
        from provenance.store import Store

        rows = explain_run(Store.open_existing(invocation.store), run)
    if output_format == "json":
        click.echo(json.dumps([row.as_json() for row in rows]))
        return
    names = [harmless(row.job) for row in rows]
    width = max(map(len, names), default=0)
    for name, row in zip(names, rows, strict=True):
        ground = f" ({row.ground})" if row.ground else ""
        click.echo(f"{name:<{width}}  {row.decision + ground:<17}  {harmless(row.reason)}")
