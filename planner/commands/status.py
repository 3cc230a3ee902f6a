"""`pirene status`: where a run is, at any time, also while an engine is at work on it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from planner.pool_report import PoolReport
    from planner.summary import Summary


@click.command()
@click.argument("run", required=False)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def status(invocation: Invocation, run: str | None, output_format: str) -> int:
    """Say where RUN is: its folder, its id or the name of its workflow (default: the newest run).

    Of a run on the pool it also says what HTCondor has of it, whether or not anybody watches the run.

    Ends with 0 when it succeeded, 1 when it failed, 3 while it is not complete.
    """
    from planner.pool_report import pool_report
    from planner.summary import EXIT_CODES, summarize
    from provenance.answers.runs import find_run
    from provenance.store import Store

    store = Store.open_existing(invocation.store)
    found = find_run(store, run)
    pool = pool_report(store, found)
    summary = summarize(store, found, time.time())
    show(invocation, summary, output_format, pool)
    return EXIT_CODES[summary.status]


def show(invocation: Invocation, summary: Summary, output_format: str, pool: PoolReport | None = None) -> None:
    """Print a summary, and what HTCondor says of a run on the pool; a person is also told what to do now."""
    if output_format == "json":
        click.echo(json.dumps({**summary.as_json(), **({"pool": pool.as_json()} if pool else {})}))
        return
    click.echo(summary.as_text())
    for line in pool.as_text() if pool else ():
        click.echo(line)
    step = next_step(summary, pool)
    if step is not None:
        invocation.note(step)


def next_step(summary: Summary, pool: PoolReport | None) -> str | None:
    """What to do now: what the pool is at matters only while the run is not over."""
    if pool is not None and summary.state == "running":
        return pool.next_step() or summary.next_step()
    return summary.next_step()
