"""`pirene log`: the tamper-evident log of the store, and the keys that sign it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from integrity.attestation.statement import Attested
    from integrity.log.note import VerifierKey
    from provenance.check.tampering import LogReport
    from provenance.evidence.claim import Claim
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

    from provenance import location
    from provenance.check.tampering import check_log
    from provenance.commands.printing import existing_store, print_document
    from provenance.commands.progress import progress_bar
    from provenance.log.growth import rebuild as make_anew

    report = check_log(location.find(invocation.store), progress=partial(progress_bar, invocation))
    if output_format == "json":
        print_document(report.document())
    else:
        _print_report(report)
    if rebuild:
        made = make_anew(existing_store(invocation))
        invocation.note(f"the log was made anew: {made.size if made else 0} commits")
    context.exit(report.verdict.exit_code)


@log.command()
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a new file.")
@pass_invocation
def checkpoint(invocation: Invocation, output: Path | None) -> None:
    """Export what the log is now, signed: to be kept elsewhere, where who can change the store cannot change it.

    `pirene log verify --since FILE` proves later that the store was only added to.
    """
    from provenance.commands.printing import existing_store, write_new
    from provenance.evidence.history import new_checkpoint

    write_new(new_checkpoint(existing_store(invocation)), output)


@log.command()
@click.argument("what", metavar="FILE|DIGEST")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a new file.")
@pass_invocation
def prove(invocation: Invocation, what: str, output: Path | None) -> None:
    """Write a proof that the store has recorded a file, or an invocation record, with its content.

    It is one text (C2SP tlog-proof) that `pirene log verify PROOF` checks anywhere, with nothing but a public key.
    """
    from provenance.commands.printing import existing_store, write_new
    from provenance.evidence.proving import prove as proof_of

    write_new(proof_of(existing_store(invocation), what), output)


@log.command()
@click.argument("proof", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option(
    "--since", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A checkpoint that was exported."
)
@_KEY
@_FORMAT
@click.pass_context
@pass_invocation
def verify(
    invocation: Invocation,
    context: click.Context,
    proof: Path | None,
    since: Path | None,
    keys: tuple[str, ...],
    output_format: str,
) -> None:
    """Verify a proof or an attestation, without any store; or, with --since, that the store was only added to since a
    checkpoint.

    Exit code 0: it is proven; 4: it is not, or not signed by a key that is trusted.
    """
    from integrity.log.checkpoint import opened_checkpoint
    from provenance.commands.printing import existing_store, print_document

    if proof is not None and since is not None:
        raise click.UsageError(f"PROOF ({proof}) and --since are two questions: ask one at a time")
    if proof is not None:
        with _named(proof):
            _verify_file(proof.read_bytes(), _trusted(keys), output_format)
        return
    if since is None:
        raise click.UsageError("say what to verify: PROOF, or --since FILE")
    from functools import partial

    from provenance.check.tampering import check_log
    from provenance.commands.progress import progress_bar
    from provenance.evidence.history import continued, require_its_own

    trusted, store = _trusted(keys), existing_store(invocation)
    with _named(since):
        checkpoint = opened_checkpoint(since.read_bytes(), trusted)
        require_its_own(store, checkpoint)  # before all of the store is read
    report = check_log(store.storage, trusted=trusted, progress=partial(progress_bar, invocation))
    result = continued(store, checkpoint, report.examination, besides=report.altered)
    print_document(result.document()) if output_format == "json" else _print_continuation(result)
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


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors about what is in a file name it."""
    from integrity.errors import EvidenceError

    try:
        yield
    except EvidenceError as error:
        raise EvidenceError(f"{path}: {error}", hint=error.hint) from error


def _verify_file(data: bytes, trusted: tuple[VerifierKey, ...], output_format: str) -> None:
    """A proof, or the envelope of an attestation."""
    from provenance.commands.printing import print_document

    if not data.startswith(b"{"):
        from provenance.evidence.claim import proven

        claim = proven(data, trusted)
        print_document(claim.document()) if output_format == "json" else _print_claim(claim)
        return
    from integrity.attestation.statement import opened_statement

    attested = opened_statement(data, trusted)
    print_document(attested.document()) if output_format == "json" else _print_attested(attested)


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


def _print_claim(claim: Claim) -> None:
    from query.context import amount
    from query.terminal_text import harmless

    what = "invocation record" if claim.kind == "record" else f"file {claim.name or ''}".strip()
    size = "" if claim.size_bytes is None else f", {claim.size_bytes} bytes"
    checkpoint = claim.checkpoint
    click.echo(harmless(f"proven: {what} with sha256 {claim.sha256}{size}"))
    if claim.digest_origin is not None:
        click.echo(harmless(f"  its digest was {claim.digest_origin}"))
    click.echo(harmless(f"  recorded at {claim.time} by {claim.author or 'nobody who is named'}"))
    signer = "" if claim.signed_by is None else f", signed by {claim.signed_by.name}"
    click.echo(harmless(f"  in commit {claim.commit} of store {claim.store}{signer}"))
    signers = ", ".join(key.name for key in checkpoint.signers)
    click.echo(harmless(f"  in a log of {amount(checkpoint.checkpoint.size, 'commits')}, signed by {signers}"))


def _print_attested(attested: Attested) -> None:
    from query.context import amount
    from query.terminal_text import harmless

    signers = ", ".join(key.name for key in attested.signers)
    click.echo(harmless(f"attested: {amount(len(attested.subject), 'files')}, signed by {signers}"))
    for name, sha256 in attested.subject:
        click.echo(harmless(f"  {sha256}  {name}"))


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
