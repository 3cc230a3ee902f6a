"""`pirene log`: the tamper-evident log of the store, and the keys that sign it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from integrity.log.note import VerifierKey
    from provenance.check.tampering import LogReport
    from provenance.evidence.history import Continuation

_FORMAT = click.option(
    "--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True
)
_KEY = click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY|FILE",
    help="A public key to trust, or a file with some; then no others are.",
)


@click.group()
def log() -> None:
    """Prove that nothing in the store was changed: check, export, verify."""


@log.command()
@click.option("--rebuild", is_flag=True, help="After checking, make the files of the log anew from the commits.")
@_FORMAT
@click.pass_context
@pass_invocation
def check(invocation: Invocation, context: click.Context, rebuild: bool, output_format: str) -> None:
    """Compare log, commits, segments and what is made from them, and name every place that was altered.

    Every byte below commits/, segments/ and log/ that differs from what was recorded is exit code 4, also in what was
    merged into others. Nothing is written, unless --rebuild says so.

    Exit code 0: all is as recorded; 1: something else is damaged; 3: not everything could be read, or is signed by a
    key that is trusted; 4: tampering.
    """
    from functools import partial

    from provenance.check.tampering import check_log
    from provenance.commands.printing import open_store, print_document, storage_of
    from provenance.commands.progress import progress_bar
    from provenance.log.growth import rebuild as make_anew

    report = check_log(storage_of(invocation), progress=partial(progress_bar, invocation))
    if output_format == "json":
        print_document(report.document())
    else:
        _print_report(report)
    if rebuild:
        made = make_anew(open_store(invocation))
        invocation.note(f"the log was made anew: {made.size if made else 0} commits")
    context.exit(report.verdict.exit_code)


@log.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a new file.")
@pass_invocation
def checkpoint(invocation: Invocation, output: Path | None) -> None:
    """Export what the log is now, signed: to be kept elsewhere, where who can change the store cannot change it.

    `pirene log verify --since FILE` proves later that the store was only added to.
    """
    from provenance.commands.printing import open_store
    from provenance.evidence.history import new_checkpoint

    _write(new_checkpoint(open_store(invocation)), output)


@log.command()
@click.option(
    "--since", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A checkpoint that was exported."
)
@_KEY
@_FORMAT
@click.pass_context
@pass_invocation
def verify(
    invocation: Invocation, context: click.Context, since: Path | None, keys: tuple[str, ...], output_format: str
) -> None:
    """Prove that since a checkpoint the history of the store was only appended to.

    Exit code 0: it was; 4: it was not, or the checkpoint is not signed by a key that is trusted.
    """
    from integrity.log.checkpoint import opened_checkpoint
    from provenance.commands.printing import open_store, print_document
    from provenance.evidence.history import continued

    if since is None:
        raise click.UsageError("say what to verify: --since FILE")
    result = continued(open_store(invocation), opened_checkpoint(since.read_bytes(), _trusted(keys)))
    if output_format == "json":
        print_document(result.document())
    else:
        _print_continuation(result)
    context.exit(0 if result.holds else 4)


@log.command()
@click.option("--rotate", is_flag=True, help="Make a new one; the old one stays trusted for what it signed.")
@pass_invocation
def key(invocation: Invocation, rotate: bool) -> None:
    """Show the public key of this user, to be given to others; it is made on first use."""
    from provenance.log.keys import key_folder
    from provenance.users import current_user

    folder = key_folder()
    found = folder.rotate(current_user()) if rotate else folder.signing_key(current_user())
    click.echo(found.verifier().text)
    invocation.note(f"the private key is {folder.signing_path}; trusted keys of others are in {folder.trusted_path}")


@log.command()
@click.argument("public_key", metavar="KEY")
@click.option("--as", "why", default="", metavar="TEXT", help="Whose it is, and how you know; kept beside it.")
@pass_invocation
def trust(invocation: Invocation, public_key: str, why: str) -> None:
    """Trust a public key: what it signed counts as proven. Get it from whoever it belongs to, not from the store."""
    from integrity.log.note import VerifierKey
    from provenance.log.keys import key_folder

    try:
        parsed = VerifierKey.parse(public_key)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="KEY") from None
    folder = key_folder()
    added = folder.trust(parsed, why)
    invocation.note(f"{parsed.name} {'is trusted from now on' if added else 'was trusted already'}")


def _trusted(keys: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    """The keys that were named, each as itself or as a file with some; without any those that the user trusts."""
    from integrity.log.keys import read_keys
    from integrity.log.note import VerifierKey
    from provenance.log.keys import trusted_keys

    if not keys:
        return trusted_keys()
    found: list[VerifierKey] = []
    for named in keys:
        try:
            found.append(VerifierKey.parse(named))
        except ValueError as error:
            path = Path(named)
            if not path.is_file():
                raise click.BadParameter(f"neither a file nor a key: {error}", param_hint="--key") from None
            found += read_keys(path)
    return tuple(found)


def _write(data: bytes, output: Path | None) -> None:
    from provenance.commands.printing import standard_output

    if output is None:
        standard_output().write(data)
        return
    with output.open("xb") as file:
        file.write(data)


def _print_report(report: LogReport) -> None:
    """The report for a person: what is wrong, and the verdict last."""
    from integrity.findings import Verdict
    from query.context import amount
    from query.terminal_text import harmless

    for finding in report.findings:
        said = "note" if finding.verdict is Verdict.CLEAN else finding.verdict.value
        click.echo(harmless(f"{said}: {finding.path}: expected {finding.expected}, found {finding.found}"))
        if finding.advice:
            click.echo(harmless(f"  {finding.advice}"))
    log_ = report.examination
    looked_at = [amount(log_.size, "commits"), f"{log_.signed} signed by trusted keys"]
    looked_at += [amount(report.segments, "segments"), f"{report.size_bytes} bytes"]
    click.echo(f"{report.verdict.value}: {', '.join(looked_at)} checked in {harmless(report.location)}")
    click.echo(f"the log: {'none' if log_.logged is None else amount(log_.logged, 'commits')}, root {log_.root.hex()}")


def _print_continuation(result: Continuation) -> None:
    from query.context import amount
    from query.terminal_text import harmless

    then = result.since.checkpoint
    signers = ", ".join(key.name for key in result.since.signers)
    click.echo(harmless(f"checkpoint: {amount(then.size, 'commits')}, signed by {signers}"))
    for one in result.altered:
        click.echo(harmless(f"altered: {one.path}: expected {one.expected}, found {one.found}"))
    if result.holds:
        click.echo(f"appended: {amount(result.size - then.size, 'commits')} came since, and nothing else changed")
    elif result.proof is not None:
        click.echo("tampered: the history goes on from the checkpoint, but the places above were altered")
    else:
        click.echo(f"tampered: the {amount(result.size, 'commits')} of today do not continue that history")
