"""`pirene analyze`: why a run failed, with all that is needed to look into it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation
from query.terminal_text import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from provenance.failures import FailedCheck, Failure
    from provenance.runs import Run

_LINES_SHOWN = 20


@click.command()
@click.argument("run", required=False)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def analyze(invocation: Invocation, run: str | None, output_format: str) -> int:
    """Say why RUN failed: its folder, its id or the name of its workflow (default: the newest run).

    Ends with 0 when nothing failed, 1 when something did, 3 while the run is not complete.
    """
    from planner.summary import EXIT_CODES, summarize
    from provenance.failures import failures, not_run
    from provenance.runs import find_run
    from provenance.store import Store

    store = Store.open(invocation.store)
    found = find_run(store, run)
    summary = summarize(store, found, time.time())
    failed, waiting = failures(store, found.run), not_run(store, found.run)
    if output_format == "json":
        click.echo(
            json.dumps(
                {
                    **summary.as_json(),
                    "failures": [_as_json(failure, found.submit_dir) for failure in failed],
                    "not_run": [{"job": job.id, "reason": job.reason} for job in waiting],
                }
            )
        )
    else:
        click.echo(summary.as_text())
        for failure in failed:
            click.echo("\n" + "\n".join(_as_text(failure, found.submit_dir)))
        if waiting:
            click.echo(f"\nnot run ({len(waiting)}):")
            for job in waiting:
                click.echo(f"  {harmless(job.id)}: {harmless(job.reason or '')}")
        step = summary.next_step() if summary.status != "failed" else _after_mending(found)
        if step is not None:
            invocation.note(step)
    return EXIT_CODES[summary.status]


def _after_mending(run: Run) -> str | None:
    folder = harmless(str(run.submit_dir))
    return f"Once it is mended, `pirene run {folder}` goes on." if run.kind == "workflow" else None


def _as_json(failure: Failure, run_dir: Path) -> dict[str, object]:
    return {
        "job": failure.id,
        "status": failure.status,
        "failure": failure.failure,
        "attempts": failure.attempts,
        "command": list(failure.command),
        "exit_code": failure.exit_code,
        "signal": failure.signal,
        "host": failure.host,
        "work_dir": failure.work_dir,
        "record": str(_record(failure, run_dir)),
        "stdout": failure.stdout_tail,
        "stderr": failure.stderr_tail,
        "checks": [
            {
                "name": check.name,
                "url": check.url,
                "stage": check.stage,
                "verdict": check.verdict,
                "class": check.finding,
                "expected_sha256": check.expected_sha256,
                "actual_sha256": check.actual_sha256,
            }
            for check in failure.checks
        ],
    }


def _as_text(failure: Failure, run_dir: Path) -> Iterator[str]:
    yield f"{harmless(failure.id)}: {harmless(failure.failure or failure.status)}"
    if failure.command:
        yield f"  command    {harmless(shlex.join(failure.command))}"
    yield f"  ended      {_how(failure)}, attempt {failure.attempts}" + (f", on {failure.host}" if failure.host else "")
    for check in failure.checks:
        yield from _check_as_text(check)
    if failure.status == "integrity_failed":
        yield "  to do      bring the expected content back and go on with the run;"
        yield "             or, if the change was meant, register it (`pirene files add`) and run the workflow anew"
    yield f"  look at    {harmless(failure.work_dir or str(_work_dir(failure, run_dir)))}"
    yield f"             {harmless(str(_record(failure, run_dir)))}"
    for title, tail in (("stderr", failure.stderr_tail), ("stdout", failure.stdout_tail)):
        if tail.strip():
            yield f"  {title}, the end:"
            yield from (f"    {harmless(line.expandtabs())}" for line in tail.rstrip("\n").split("\n")[-_LINES_SHOWN:])


def _check_as_text(check: FailedCheck) -> Iterator[str]:
    yield f"  {check.stage:<10} {harmless(check.name)}: {check.finding or check.verdict}"
    if check.expected_sha256 is not None or check.actual_sha256 is not None:
        yield f"    expected {check.expected_sha256 or 'nothing known'}"
        yield f"    found    {check.actual_sha256 or 'nothing readable'}"
    if check.url:
        yield f"    at       {harmless(check.url)}"


def _how(failure: Failure) -> str:
    if failure.signal is not None:
        return f"signal {failure.signal}"
    if failure.exit_code is not None:
        return f"exit code {failure.exit_code}"
    return "the executable was not started" if failure.command else "nobody knows how"


def _work_dir(failure: Failure, run_dir: Path) -> Path:
    from planner.run_folder import RunFolder

    return RunFolder(run_dir).work_dir(failure.job, failure.attempts)


def _record(failure: Failure, run_dir: Path) -> Path:
    from planner.run_folder import RunFolder

    return RunFolder(run_dir).record_path(failure.job, failure.attempts)
