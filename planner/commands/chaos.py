"""`pirene chaos`: try out whether damage to a run's files would be noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from planner.chaos.trials import Outcome


@click.command()
@click.argument("run", required=False)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="Trials of each kind.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one picks other files and places.")
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.pass_context
@pass_invocation
def chaos(
    invocation: Invocation, context: click.Context, run: str | None, count: int, seed: int, output_format: str
) -> None:
    """Damage copies of a run's files in every way, at every point of the pipeline and every protection level, and say
    what was noticed.

    The files themselves are only read, their store is not written to. RUN is a run folder, an id or the name of a
    workflow; default: the newest run. Exit code 0: all damage was noticed before anything was made of it, or kept off
    the job; 1: some was not.
    """
    import random

    from planner.chaos.specimens import specimens_of
    from planner.chaos.trials import SCHEMA, kinds, summed_up, trials
    from provenance.answers.runs import find_run
    from provenance.commands.printing import existing_store, print_document
    from provenance.commands.progress import progress_bar

    store = existing_store(invocation)
    found = find_run(store, run)
    chance = random.Random(seed)
    specimens = specimens_of(store, found, chance)
    with progress_bar(invocation, "trying", len(list(kinds())) * count) as advance:
        outcomes = summed_up(trials(specimens, count, chance), advance)
    tried = sum(outcome.tried for outcome in outcomes)
    kept_off = sum(outcome.kept_off for outcome in outcomes)
    missed = sum(len(outcome.missed) for outcome in outcomes)
    if output_format == "json":
        document = {
            "schema": SCHEMA,
            "run": found.run_id,
            "workflow": found.name,
            "seed": seed,
            "tried": tried,
            "detected": tried - kept_off - missed,
            "kept_off": kept_off,
            "outcomes": [outcome.document() for outcome in outcomes],
        }
        print_document(document)
    else:
        _print_table(outcomes, tried, kept_off, missed)
    context.exit(1 if missed else 0)


def _print_table(outcomes: list[Outcome], tried: int, kept_off: int, missed: int) -> None:
    """One row for each point, protection level and fault, then the sum."""
    from query.terminal_text import harmless

    click.echo(f"{'point':<17} {'level':<6} {'fault':<17} {'noticed':>9}  by, as")
    for outcome in outcomes:
        kind = f"{outcome.point:<17} {outcome.level:<6} {outcome.fault:<17}"
        if not outcome.tried:
            click.echo(f"{kind} {'-':>9}  no file of this run can have it")
            continue
        noticed = f"{outcome.tried - outcome.kept_off - len(outcome.missed)} of {outcome.tried}"
        stages = ", ".join(stage for stage, _ in outcome.stages)
        findings = ", ".join(finding for finding, _ in outcome.findings)
        said = [f"{stages}: {findings}"] if stages else []
        said += [f"{outcome.kept_off} kept off the job"] if outcome.kept_off else []
        click.echo(f"{kind} {noticed:>9}  {'; '.join(said) or 'nobody'}")
        for name in outcome.missed:
            click.echo(f"  MISSED in {harmless(name)}")
    click.echo("")
    click.echo(f"{tried - kept_off - missed} of {tried} faults were noticed before anything was made of the bytes.")
    if kept_off:
        click.echo(f"{kept_off} did not reach the job: it read what was verified, from sealed memory.")
