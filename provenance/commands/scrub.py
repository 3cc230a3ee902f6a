"""`pirene scrub`: check copies over time, or a sample of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation
from provenance.commands.quantities import bandwidth as bytes_per_second
from provenance.commands.quantities import duration, sample_size
from provenance.commands.reporting import repair_plan_option, report_format_option

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.audits.scrubs import SampleSize
    from provenance.store import Store


@click.command()
@click.argument("scope", metavar="[RUN|QUERY]", required=False)
@click.option(
    "--max-duration", callback=duration, metavar="DURATION", help="Begin no further copy after this time: 30min, 2h."
)
@click.option(
    "--bandwidth",
    callback=bytes_per_second,
    metavar="BYTES",
    help="Read no faster than so many bytes a second: 50MB, 20MiB.",
)
@click.option(
    "--sample", callback=sample_size, metavar="COPIES", help="Read only so many copies, drawn by chance: 1000, 1%."
)
@click.option(
    "--from", "commit", type=click.IntRange(min=0), metavar="COMMIT", help="Go on with the sample drawn there."
)
@repair_plan_option
@report_format_option
@click.pass_context
@pass_invocation
def scrub(
    invocation: Invocation,
    context: click.Context,
    scope: str | None,
    max_duration: float | None,
    bandwidth: float | None,
    sample: SampleSize | None,
    commit: int | None,
    output_format: str,
    with_repair_plan: bool,
) -> None:
    """Read copies of files and compare them with what is recorded: those that failed before first, then those that were
    never verified, then those that were verified longest ago.

    What was read is recorded as it is read: the next scrub goes on where this one stops. Exit code 0: all copies in the
    scope were read and are good; 1: damage was found; 3: not all were read, or some could not be verified.
    """
    from provenance.audits.scrubs import Limits, scrub_store
    from provenance.commands.reporting import looked_at, of_store, print_report
    from provenance.users import current_user

    if commit is not None and sample is None:
        raise click.UsageError("--from goes on with a sample: give its --sample as well")
    limits = Limits(max_duration, bandwidth, sample, commit)

    def look(store: Store) -> Report:
        with looked_at(invocation) as advance:
            return scrub_store(store, asked=scope, limits=limits, author=current_user(), advance=advance)

    report = of_store(invocation, "scrub", look)
    print_report(invocation, report, output_format, with_repair_plan=with_repair_plan)
    context.exit(report.exit_code)
