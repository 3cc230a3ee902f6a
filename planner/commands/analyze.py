"""`pirene analyze`: why a run failed, with all that is needed to look into it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from planner.commands.status import next_step
from provenance.commands.context import Invocation, pass_invocation
from query.terminal_text import harmless

if TYPE_CHECKING:
    from pathlib import Path

    from planner.pool_report import PoolReport
    from provenance.answers.failures import FailedCheck, Failure, JobEvent, Recovery
    from provenance.answers.runs import Run

_LINES_SHOWN = 20
_JOBS_SHOWN = 20  # of those that did not fail


@click.command()
@click.argument("run", required=False)
@click.option("--format", "output_format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@pass_invocation
def analyze(invocation: Invocation, run: str | None, output_format: str) -> int:
    """Say why RUN failed: its folder, its id or the name of its workflow (default: the newest run).

    Ends with 0 when nothing failed, 1 when something did, 3 while the run is not complete.
    """
    from planner.pool_report import befell, pool_report
    from planner.summary import EXIT_CODES, summarize
    from provenance.answers.failures import failures, not_run, recoveries
    from provenance.answers.runs import find_run
    from provenance.store import Store

    store = Store.open_existing(invocation.store)
    found = find_run(store, run)
    pool = pool_report(store, found)
    on_pool = befell(store, found) if pool else {}
    summary = summarize(store, found, time.time())
    failed, waiting = failures(store, found.run), not_run(store, found.run)
    recovered = recoveries(store, found.run)
    if output_format == "json":
        document = {
            **summary.as_json(),
            "failures": [_as_json(failure, found.submit_dir) | _on_pool(failure, pool, on_pool) for failure in failed],
            "not_run": [{"job": job.id, "reason": job.reason} for job in waiting],
            "recoveries": [_recovery_as_json(each) for each in recovered],
        }
        click.echo(json.dumps(document | ({"pool": _pool_as_json(pool, on_pool)} if pool else {})))
        return EXIT_CODES[summary.status]
    click.echo(summary.as_text())
    for line in pool.as_text() if pool else ():
        click.echo(line)
    for failure in failed:
        click.echo("\n" + "\n".join(_as_text(failure, found.submit_dir, pool, on_pool.get(failure.job, []))))
    if waiting:
        click.echo(f"\nnot run ({len(waiting)}):")
        for job in waiting:
            click.echo(f"  {harmless(job.id)}: {harmless(job.reason or '')}")
    if recovered:
        click.echo(f"\ninputs that did not match, and what was done ({len(recovered)}):")
        for each in recovered:
            click.echo(f"  {each.at:%Y-%m-%d %H:%M:%S} {harmless(each.id)} {each.state}: {harmless(each.reason)}")
    if pool:
        click.echo("\n".join(_pool_as_text(pool, on_pool, {failure.job for failure in failed})))
    step = next_step(summary, pool) if summary.status != "failed" else _after_mending(found)
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


def _as_text(failure: Failure, run_dir: Path, pool: PoolReport | None, events: Sequence[JobEvent]) -> Iterator[str]:
    yield f"{harmless(failure.id)}: {harmless(failure.failure or failure.status)}"
    if failure.command:
        yield f"  command    {harmless(shlex.join(failure.command))}"
    yield f"  ended      {_how(failure)}, attempt {failure.attempts}" + (f", on {failure.host}" if failure.host else "")
    for check in failure.checks:
        yield from _check_as_text(check)
    if failure.status == "integrity_failed":
        yield "  to do      bring the expected content back and go on with the run;"
        yield "             or, if the change was meant, register it (`pirene files add`) and run the workflow anew"
    for event in events:
        yield f"  HTCondor   {_event_line(event)}"
    # The folder in which a job of the pool ran is gone; this one has what HTCondor brought back.
    folder = pool.folder_of(failure.job) if pool else failure.work_dir or _work_dir(failure, run_dir)
    yield f"  look at    {harmless(str(folder))}"
    yield f"             {harmless(str(_record(failure, run_dir)))}"
    for title, tail in (("stderr", failure.stderr_tail), ("stdout", failure.stdout_tail)):
        if tail.strip():
            yield f"  {title}, the end:"
            yield from (f"    {harmless(line.expandtabs())}" for line in tail.rstrip("\n").split("\n")[-_LINES_SHOWN:])


def _recovery_as_json(recovery: Recovery) -> dict[str, object]:
    return {
        "job": recovery.id,
        "attempt": recovery.attempt,
        "state": recovery.state,
        "at": recovery.at.isoformat(),
        "reason": recovery.reason,
    }


def _on_pool(failure: Failure, pool: PoolReport | None, on_pool: Mapping[int, Sequence[JobEvent]]) -> dict[str, object]:
    """What HTCondor says of a job that failed; nothing of a local run's."""
    if pool is None:
        return {}
    return {
        "htcondor": [_event_as_json(event) for event in on_pool.get(failure.job, [])],
        "node_dir": str(pool.folder_of(failure.job)),
    }


def _pool_as_json(pool: PoolReport, on_pool: Mapping[int, Sequence[JobEvent]]) -> dict[str, object]:
    jobs = [
        {"job": pool.ids[job], "events": [_event_as_json(event) for event in events]} for job, events in on_pool.items()
    ]
    return {**pool.as_json(), "jobs": jobs, "dagman_out": str(pool.dagman_out)}


def _event_as_json(event: JobEvent) -> dict[str, object]:
    return {"state": event.state, "at": event.at.isoformat(), "reason": event.reason}


def _pool_as_text(pool: PoolReport, on_pool: Mapping[int, Sequence[JobEvent]], shown: Container[int]) -> Iterator[str]:
    """What befell jobs that did not fail, and where to look for more."""
    others = {job: events for job, events in on_pool.items() if job not in shown}
    if others:
        yield f"\non the pool ({len(others)} jobs):"
    for job, events in list(others.items())[:_JOBS_SHOWN]:
        yield f"  {harmless(pool.ids[job])}"
        yield from (f"    {_event_line(event)}" for event in events)
    if len(others) > _JOBS_SHOWN:
        yield f"  and {len(others) - _JOBS_SHOWN} more: --format json has them all"
    yield f"\nDAGMan's own account: {harmless(str(pool.dagman_out))}"


def _event_line(event: JobEvent) -> str:
    """What befell a job, in HTCondor's words."""
    return f"{event.at:%Y-%m-%d %H:%M:%S} {event.state}: {harmless(event.reason or 'HTCondor does not say why')}"


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
