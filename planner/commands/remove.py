"""`pirene remove`: take a run off the pool."""

from __future__ import annotations

import time

import click

from planner.commands.status import show
from provenance.commands.context import Invocation, pass_invocation

_NOT_THERE = 1


@click.command()
@click.argument("run")
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def remove(invocation: Invocation, run: str, output_format: str) -> int:
    """Take RUN (its folder, its id or the name of its workflow) off the pool, and wait until HTCondor has done so.

    What has ended by then counts; `pirene run` goes on from there. Ends with 0 when the run was removed, with 1 when
    HTCondor's queue had nothing of it.
    """
    from planner.engines.pool.removal import remove_run
    from planner.pool_report import pool_report
    from planner.summary import summarize
    from provenance.answers.runs import find_run
    from provenance.store import Store

    store = Store.open_existing(invocation.store)
    found = find_run(store, run)
    jobs = remove_run(store, found)
    invocation.note(
        f"{jobs} jobs of {found.name} were removed from HTCondor's queue, DAGMan included."
        if jobs
        else f"There is nothing to remove: {found.name} ({found.submit_dir}) is not in HTCondor's queue."
    )
    show(invocation, summarize(store, found, time.time()), output_format, pool_report(store, found))
    return 0 if jobs else _NOT_THERE
