"""`pirene audit`: report on the integrity of data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from integrity.findings import Finding, Report


@click.command()
@click.argument("scope", metavar="[RUN|QUERY]", required=False)
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.pass_context
@pass_invocation
def audit(invocation: Invocation, context: click.Context, scope: str | None, output_format: str) -> None:
    """Read every copy of every file in the scope and report what is not as it should be.

    Without an argument the scope is everything. Exit code 0: clean; 1: damage was found; 3: not everything could be
    verified; 4: tampering.
    """
    from provenance.answers.designators import is_query
    from provenance.answers.runs import find_run
    from provenance.audits.audits import audit_store
    from provenance.commands.printing import open_store, print_document
    from provenance.users import current_user

    store = open_store(invocation)
    if scope is None:
        report = audit_store(store, author=current_user())
    elif is_query(scope):
        report = audit_store(store, query=scope, author=current_user())
    else:
        report = audit_store(store, run=find_run(store, scope), author=current_user())
    store.project()
    if output_format == "json":
        print_document(report.document())
    else:
        _print_report(report)
    context.exit(report.exit_code)


def _print_report(report: Report) -> None:
    """The report for a person: the verdict, how much it covers, and one paragraph for each finding."""
    from query.context import amount

    coverage = report.coverage
    found = f"{amount(len(report.findings), 'findings')}; " if report.findings else ""
    click.echo(f"{report.verdict.value}: {found}{coverage.verified} of {coverage.replicas} copies read and compared")
    if coverage.never_verified:
        click.echo(f"{coverage.never_verified} copies were never verified")
    if coverage.unprotected:
        click.echo(f"{coverage.unprotected} copies have no digest to compare them with")
    for finding in report.findings:
        _print_finding(finding)


def _print_finding(finding: Finding) -> None:
    from provenance.answers.output import time_text
    from query.terminal_text import harmless

    click.echo("")
    click.echo(
        f"{finding.kind.value}: {harmless(finding.name)}  ({finding.stage}, first seen {time_text(finding.first_seen)})"
    )
    if finding.url:
        click.echo(f"  at        {harmless(finding.url)}")
    click.echo(f"  expected  {_content(finding.expected_sha256, finding.expected_size)}")
    click.echo(f"  found     {_content(finding.actual_sha256, finding.actual_size)}")
    if finding.affected_jobs:
        click.echo(f"  read by   {harmless(', '.join(finding.affected_jobs))}")
    if finding.affected_files:
        click.echo(f"  affects   {harmless(', '.join(finding.affected_files))}")


def _content(sha256: bytes | None, size: int | None) -> str:
    digest = "nothing" if sha256 is None else f"sha256 {sha256.hex()}"
    return digest if size is None else f"{digest}, {size} bytes"
