"""What `audit` and `scrub` have in common: how far they are, and their report in the format that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.audits.recording import Stage
    from provenance.commands.context import Invocation
    from provenance.store import Store


Command = TypeVar("Command", bound=Callable[..., Any])


def report_format_option(command: Command) -> Command:
    """The ``--format`` of every report; the parameter is called ``output_format``."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(("table", "json", "html", "junit")),
        default="table",
        show_default=True,
        help="For people on a terminal or in a browser, for programs, for continuous integration.",
    )(command)


def of_store(invocation: Invocation, stage: Stage, look: Callable[[Store], Report]) -> Report:
    """The report of a look at the store that is meant, which has to be there; what is derived from it is brought up to
    date. Raises NotAStoreError and what ``look`` raises.
    """
    from provenance import location
    from provenance.audits.hindrance import OBSTACLES, unopened
    from provenance.commands.printing import existing_store

    try:
        store = existing_store(invocation)
    except OBSTACLES as error:
        return unopened(location.find(invocation.store), stage, error)
    report = look(store)
    if report.obstacle is None:
        store.project()
    return report


@contextmanager
def looked_at(invocation: Invocation) -> Iterator[Callable[[int], None]]:
    """A count of the copies that were looked at, on a terminal; nothing in a pipe, nor with ``-q``."""
    if invocation.quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    bar: Any
    with click.progressbar(length=0, label="copies read", show_eta=False, show_percent=False, file=sys.stderr) as bar:

        def advance(count: int) -> None:
            bar.length += count
            bar.update(count)

        yield advance


def repair_plan_option(command: Command) -> Command:
    """The ``--repair-plan`` of every report; the parameter is called ``with_repair_plan``."""
    return click.option(
        "--repair-plan",
        "with_repair_plan",
        is_flag=True,
        help="Say what brings damaged files back: copies that are left, and the smallest set of jobs to run again.",
    )(command)


def print_report(invocation: Invocation, report: Report, output_format: str, *, with_repair_plan: bool) -> None:
    """Print a report on standard output; for people with ``-q`` what is found, and no more."""
    from provenance.commands.printing import print_document, standard_output

    match output_format:
        case "json":
            print_document(report.document())
        case "html":
            from provenance.reports.page import page

            standard_output().write(page(report).encode())
        case "junit":
            from provenance.reports.junit import junit

            standard_output().write(junit(report))
        case "table":
            from provenance.reports.terminal import in_brief, lines

            is_brief = invocation.quiet and not with_repair_plan
            for line in in_brief(report) if is_brief else lines(report, with_repair_plan=with_repair_plan):
                click.echo(line)
        case _:
            raise ValueError(output_format)
