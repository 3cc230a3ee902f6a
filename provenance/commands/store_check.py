"""`pirene store check`: is the store what its commits say, and what of it can be mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from provenance.check.findings import Finding, Report


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended without loss, and say what cannot.")
@click.option("--rebuild", is_flag=True, help="Make the DuckLake catalog anew from the commits.")
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.pass_context
@pass_invocation
def check(invocation: Invocation, context: click.Context, repair: bool, rebuild: bool, output_format: str) -> None:
    """Read the whole store and say what is not as its commits say.

    Every commit, every segment with its digest and counts (those that were merged into others too), every invocation
    record's digest, every reference between tables, every row of wide tables. Writers may be at work meanwhile.

    \b
    --repair  makes damaged segments again from others that hold the same rows, if that gives the
              bytes that were committed; removes what killed writers left, a day after;
              makes anew what is made from the commits. Nothing else is touched.

    Exit code 0: clean; 1: damage was found (and is left, with --repair); 3: not everything could be read. What is
    stale, left by killed writers or in quarantine is named and is no damage.
    """
    from functools import partial

    from provenance.check.mending import check_and_mend
    from provenance.commands.printing import print_document
    from provenance.commands.progress import progress_bar
    from provenance.location import find

    storage = find(invocation.store)  # and not opened: one whose store.json is damaged is looked at too
    report = check_and_mend(storage, repair=repair, rebuild=rebuild, progress=partial(progress_bar, invocation))
    if output_format == "json":
        print_document(report.document())
    else:
        _print(invocation, report)
    context.exit(report.verdict.exit_code)


def _print(invocation: Invocation, report: Report) -> None:
    """The report for a person: what was done, what is wrong, what is worth knowing, and the verdict last."""
    from query.context import amount
    from query.terminal_text import harmless

    for one in report.repairs:
        click.echo(harmless(f"{'mended' if one.done else 'not mended'}: {one.path}: {one.what}"))
    for finding in report.findings:
        _print_finding(finding)
    looked_at = [amount(report.commits, "commits"), amount(report.segments, "segments")]
    looked_at += [f"{report.size_bytes} bytes", amount(report.rows, "rows")]
    click.echo(f"{report.verdict.value}: {', '.join(looked_at)} checked in {harmless(report.location)}")


def _print_finding(finding: Finding) -> None:
    from query.terminal_text import harmless

    click.echo(harmless(f"{finding.kind.value}: {finding.path}"))
    click.echo(harmless(f"  expected  {finding.expected}"))
    click.echo(harmless(f"  found     {finding.found}"))
    click.echo(harmless(f"  do        {finding.advice}"))
