"""What `audit` and `scrub` have in common: how far they are, and their report in the format that was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.commands.context import Invocation


Command = TypeVar("Command", bound=Callable[..., Any])


def report_format_option(command: Command) -> Command:
    """The ``--format`` of every report; the parameter is called ``output_format``."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(("table", "json")),
        default="table",
        show_default=True,
        help="How to print: for people, or for programs.",
    )(command)


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


def print_report(report: Report, output_format: str) -> None:
    """Print a report on standard output."""
    from provenance.commands.printing import print_document
    from provenance.reports.terminal import lines

    match output_format:
        case "json":
            print_document(report.document())
        case "table":
            for line in lines(report):
                click.echo(line)
        case _:
            raise ValueError(output_format)
