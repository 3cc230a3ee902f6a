"""`pirene status`: where a run is, at any time, also while an engine is at work on it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from planner.summary import Summary


@click.command()
@click.argument("run", required=False)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def status(invocation: Invocation, run: str | None, output_format: str) -> int:
    """Say where RUN is: its folder, its id or the name of its workflow (default: the newest run).

    Ends with 0 when it succeeded, 1 when it failed, 3 while it is not complete.
    """
    from planner.summary import EXIT_CODES, summarize
    from provenance.runs import find_run
    from provenance.store import Store

    store = Store.open(invocation.store)
    summary = summarize(store, find_run(store, run), time.time())
    show(invocation, summary, output_format)
    return EXIT_CODES[summary.status]


def show(invocation: Invocation, summary: Summary, output_format: str) -> None:
    """Print a summary; a person is also told what to do now."""
    if output_format == "json":
        click.echo(json.dumps(summary.as_json()))
        return
    click.echo(summary.as_text())
    if (step := summary.next_step()) is not None:
        invocation.note(step)
