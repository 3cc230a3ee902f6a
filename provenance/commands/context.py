"""What every command shares: which store is meant, how much to say, and the options that all commands spell alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

FORMATS = ("table", "json", "ndjson", "csv", "parquet")
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """The options of the root command. ``store`` is a path or None (the nearest .pirene); it is click's ``ctx.obj``."""

    store: str | None = None
    verbose: int = 0
    quiet: bool = False

    def note(self, text: str) -> None:
        """One line for a person, on stderr, unless ``-q`` was given."""
        if not self.quiet:
            from query.terminal_text import harmless

            click.echo(harmless(text), err=True)

    def detail(self, text: str) -> None:
        """What only a person wants to know who asked for more with ``-v``; on stderr."""
        if self.verbose:
            self.note(text)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def format_option(command: Command) -> Command:
    """The ``--format`` of every listing; the parameter is called ``output_format``."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(FORMATS),
        default="table",
        show_default=True,
        help="How to print: for people, or for programs.",
    )(command)


def param_option(command: Command) -> Command:
    """The ``-p`` of every command that takes a query; the parameter is called ``parameters``."""
    return click.option(
        "-p",
        "--param",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="A value for $NAME in a query; the same name again: a list.",
    )(command)


def parameter_values(assignments: tuple[str, ...]) -> dict[str, object]:
    """The ``-p`` options of a command, read as literals of the language; a name given several times has a list.

    Raises UsageError.
    """
    collected: dict[str, list[str]] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        name = name.removeprefix("$")
        if not equals or not name:
            raise click.UsageError(f"-p {assignment!r}: expected NAME=VALUE")
        collected.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in collected.items()}
