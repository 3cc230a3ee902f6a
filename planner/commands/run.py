"""`pirene run`: plan and execute a workflow, or take up a planned or unfinished run."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.commands.plan_options import PlanOptions, plan_options
from planner.commands.status import show
from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from planner.engine_plan import EnginePlan
    from planner.engines.progress import Watch
    from planner.summary import Summary
    from provenance.store import Store

INTERRUPTED = 130


@click.command()
@click.argument("workflow", metavar="WORKFLOW.yml|RUN_DIR", type=click.Path(exists=True, path_type=Path))
@plan_options
@click.option(
    "-j",
    "--jobs",
    "at_once",
    type=click.IntRange(min=1),
    help="Jobs at once (default: processors; on a pool no limit).",
)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def run(invocation: Invocation, workflow: Path, options: PlanOptions, at_once: int | None, output_format: str) -> int:
    """Plan and execute WORKFLOW.yml, or go on with the run in RUN_DIR where it stopped."""
    from planner.summary import EXIT_CODES

    plan, store = _plan_of(invocation, workflow, options)
    state = _execute(invocation, plan, store, at_once)
    summary = _summary(store, plan)
    show(invocation, summary, output_format)
    if state == "incomplete":
        return INTERRUPTED
    return EXIT_CODES[summary.status]


def _plan_of(invocation: Invocation, workflow: Path, options: PlanOptions) -> tuple[EnginePlan, Store]:
    """The plan in a run folder, or a new one for a workflow file."""
    from planner.plan_folder import read_plan
    from provenance.store import Store

    if workflow.is_dir():
        options.refuse_for_planned(workflow)
        plan = read_plan(workflow)
        return plan, Store.open_existing(invocation.store or plan.store)
    store = Store.open(invocation.store)
    return read_plan(options.make(invocation, workflow, store)), store


def _execute(invocation: Invocation, plan: EnginePlan, store: Store, at_once: int | None) -> str:
    with _Progress(invocation, len(plan.jobs)) as progress:
        if plan.engine == "htcondor":
            from planner.engines.htcondor import run_htcondor

            return run_htcondor(plan, store, at_once=at_once, watch=progress.watch())
        from planner.engines.local import run_local

        return run_local(plan, store, at_once=at_once or os.cpu_count() or 1, watch=progress.watch())


def _summary(store: Store, plan: EnginePlan) -> Summary:
    from planner.summary import summarize
    from provenance.answers.runs import find_run

    return summarize(store, find_run(store, str(plan.run_id)), time.time())


class _Progress:
    """A line on a terminal that says how far the run is; nothing in a pipe, where only notes are said."""

    def __init__(self, invocation: Invocation, total: int) -> None:
        stream = sys.stderr
        self._shown = stream.isatty() and not invocation.quiet
        self._invocation = invocation
        self._bar = click.progressbar(
            length=total, label="jobs", file=stream, item_show_func=lambda text: text, show_pos=True, width=24
        )
        self._last = (-1, -1, -1)

    def __enter__(self) -> _Progress:
        if self._shown:
            self._bar.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            self._bar.render_finish()

    def watch(self) -> Watch:
        """What the engine calls."""
        from planner.engines.progress import Watch

        return Watch(self._progress, self._note)

    def _progress(self, done: int, total: int, running: int, failed: int) -> None:
        if self._shown and (done, running, failed) != self._last:
            self._last = (done, running, failed)
            text = f"{running} running" + (f", {failed} failed" if failed else "")
            self._bar.update(done - self._bar.pos, text)

    def _note(self, text: str) -> None:
        if self._shown:
            click.echo("\r\x1b[K", err=True, nl=False)  # the bar is drawn again at its next step
        self._invocation.note(text)
