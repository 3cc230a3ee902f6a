"""`pirene exec`: one command in the current folder, verified and recorded, without a workflow."""

from __future__ import annotations

import click

from planner.commands.run import INTERRUPTED
from planner.job_choices import PROTECTION
from provenance.commands.context import Invocation, pass_invocation


class _OptionsBeforeCommand(click.Command):
    """A command that takes another command: an option it does not know was most likely meant for that one."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """As click does it, with a message that says what to do."""
        try:
            return super().parse_args(context, arguments)
        except click.NoSuchOption as error:
            raise click.UsageError(
                f"{error.message} Write `--` before COMMAND if it is an option of that.", context
            ) from None


@click.command("exec", cls=_OptionsBeforeCommand)
@click.option("--in", "inputs", multiple=True, metavar="FILE", help="A file that the command reads (repeat it).")
@click.option("--out", "outputs", multiple=True, metavar="FILE", help="A file that the command makes (repeat it).")
@click.option(
    "--inout", "inouts", multiple=True, metavar="FILE", help="A file that the command changes in place (repeat it)."
)
@click.option("-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata of this job (repeat it).")
@click.option(
    "--reuse",
    is_flag=True,
    help="Do not run it if the same command made its outputs before. What comes on standard input does not count.",
)
@click.option(
    "--protect",
    "protection",
    type=click.Choice(PROTECTION),
    default=PROTECTION[0],
    show_default=True,
    help="Use verified inputs in place and look at them again (guard); or let the command read private copies (copy), "
    "or sealed memory (seal), of those inputs that are arguments of it.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_invocation
def exec_command(
    invocation: Invocation,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    inouts: tuple[str, ...],
    metadata: tuple[str, ...],
    reuse: bool,
    protection: str,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND here: its inputs are verified first, its outputs hashed after, all of it is recorded.

    Write `--` before COMMAND. Inputs that the store knows must still have the recorded digest. Ends with 0 when the
    command succeeded and made all of its outputs, with 130 when it was interrupted, else with 1.
    """
    from planner.command_inputs import SingleCommand
    from planner.single_command import run_command
    from provenance.store import Store

    request = SingleCommand(inputs, outputs, inouts, metadata, reuse, command, protection)
    result = run_command(Store.open(invocation.store), request)
    if result.reused_from is not None:
        invocation.note(f"not run: reused from {result.reused_from}")
    for sentence in result.said:
        invocation.note(f"warning: {sentence}")
    if result.failure is not None:
        invocation.note(f"pirene exec: {result.failure}")
    if result.refused:
        invocation.note("If that file was changed on purpose, register its new version: `pirene files add FILE`.")
    if result.failure is None:
        return 0
    return INTERRUPTED if result.interrupted else 1
