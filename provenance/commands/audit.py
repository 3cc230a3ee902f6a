"""`pirene audit`: report on the integrity of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation
from provenance.commands.reporting import repair_plan_option, report_format_option

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.store import Store


@click.command()
@click.argument("scope", metavar="[RUN|QUERY]", required=False)
@repair_plan_option
@report_format_option
@click.pass_context
@pass_invocation
def audit(
    invocation: Invocation, context: click.Context, scope: str | None, output_format: str, with_repair_plan: bool
) -> None:
    """Read every copy of every file in the scope and report what is not as it should be.

    Without an argument the scope is everything. Exit code 0: clean; 1: damage was found; 3: not everything could be
    verified; 4: tampering.
    """
    from provenance.audits.audits import audit_store
    from provenance.commands.reporting import looked_at, of_store, print_report
    from provenance.users import current_user

    def look(store: Store) -> Report:
        with looked_at(invocation) as advance:
            return audit_store(store, asked=scope, author=current_user(), advance=advance)

    report = of_store(invocation, "audit", look)
    print_report(invocation, report, output_format, with_repair_plan=with_repair_plan)
    context.exit(report.exit_code)
