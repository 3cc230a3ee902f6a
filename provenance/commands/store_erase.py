"""`pirene store erase`: take bytes away that must not be kept, and say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.erasure.beyond_erasure import Beyond
    from provenance.erasure.erasure import ErasureReport
    from provenance.store import Store


@click.command()
@click.argument("query", required=False)
@click.option("--reason", metavar="TEXT", help="Why; it stays in the store for ever, so never what is erased.")
@click.option(
    "-k", "--key", "keys", multiple=True, metavar="KEY", help="Erase the values of this key of metadata; repeatable."
)
@click.option("--output", is_flag=True, help="Erase the ends of standard output and error of jobs.")
@click.option("--finish", "finish_only", is_flag=True, help="Finish erasures that were interrupted, and no more.")
@click.option("--yes", is_flag=True, help="Erase; without it nothing is written, and what would go is said.")
@param_option
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@pass_invocation
def erase(
    invocation: Invocation,
    query: str | None,
    reason: str | None,
    keys: tuple[str, ...],
    output: bool,
    finish_only: bool,
    yes: bool,
    parameters: tuple[str, ...],
    output_format: str,
) -> None:
    """Erase what QUERY selects, for good, as of every commit; for privacy law or a leaked secret.

    \b
    'files where ...'              all that is known of these files
    'jobs where ...' --output      the ends of what these jobs printed
    '...' --key KEY                the values of KEY, and all that it ever was

    To say that something does not hold any more, withdraw it (`pirene meta unset`, `pirene files retire`): that keeps
    the history. An erasure leaves a commit with its reason, its counts, the ids of erased files, and nothing of what
    they said. Interrupted, it is finished by repeating it. Lineage through an erased file ends there.

    Named and not touched: rows that hold the same text in arguments, commands, reasons and the like; copies of the
    files, folders of the runs, records on their way in, files of writers at work or killed, stores that it was pulled
    from. Records in quarantine go if they hold an erased text of at least 8 characters.

    It does not reach, and cannot name: copies and backups of the store, versions that a bucket keeps; other stores that
    pulled from this one (erase there too); the PostgreSQL catalog until `pirene store publish` refreshes it; caches of
    other users; what the medium keeps of removed files; metadata of transformations; digests.
    """
    from provenance.commands.printing import existing_store

    if finish_only:
        if query is not None or yes or keys or output or reason is not None:
            raise click.UsageError("--finish goes alone")
        _finish(invocation, existing_store(invocation), output_format)
        return
    if query is None or not reason:
        raise click.UsageError("expected QUERY and --reason TEXT")
    report = _erased(existing_store(invocation), query, parameter_values(parameters), reason, keys, output, yes)
    if output_format == "json":
        from provenance.commands.printing import print_document

        print_document({**report.document(), "dry_run": not yes})
    else:
        _say(invocation, report, yes=yes)


def _finish(invocation: Invocation, store: Store, output_format: str) -> None:
    from provenance.commands.printing import print_document
    from provenance.erasure.erasing import finish
    from query.context import amount

    removed = finish(store)
    if output_format == "json":
        print_document({"schema": "pirene.store-erase/1", "finished": removed})
    else:
        invocation.note(f"{amount(len(removed), 'segments')} of earlier erasures removed")


def _erased(
    store: Store,
    query: str,
    parameters: dict[str, object],
    reason: str,
    keys: tuple[str, ...],
    output: bool,
    yes: bool,
) -> ErasureReport:
    from dataclasses import replace

    from provenance.answers.things import find_things
    from provenance.erasure.erasing import finish
    from provenance.erasure.erasure import Target, erase
    from provenance.users import current_user

    # First: what an interrupted erasure took, the query may not find any more.
    finished = tuple(finish(store)) if yes else ()
    target = Target(tuple(find_things(store, (query,), parameters)), keys, output)
    report = erase(store, target, reason, author=current_user(), dry_run=not yes)
    return replace(report, finished=(*finished, *report.finished))


def _say(invocation: Invocation, report: ErasureReport, *, yes: bool) -> None:
    from query.context import amount
    from query.terminal_text import harmless

    would = "" if yes else "would be "
    if report.finished:
        click.echo(f"{amount(len(report.finished), 'segments')} of an earlier erasure removed")
    if report.is_empty:
        click.echo("nothing to erase")
    for table, count in sorted(report.rows.items()):
        click.echo(f"{table:<14} {count:>10} rows {would}erased")
    if report.cleared:
        click.echo(f"{'invocations':<14} {report.cleared:>10} rows {would}cleared of their output")
    if report.gone:
        click.echo(f"{amount(len(report.gone), 'segments')} {would}removed")
    for name in report.quarantined:
        click.echo(harmless(f"{name} {would}removed"))
    for what, places in _not_reached(report.beyond):
        click.echo(f"not reached: {what}")
        for place in places:
            click.echo(harmless(f"  {place}"))
    if not yes and not report.is_empty:
        invocation.note("nothing was written: --yes erases this for good")
    if report.commit is not None:
        invocation.note(f"commit {report.commit} says so")


def _not_reached(beyond: Beyond) -> list[tuple[str, Sequence[str]]]:
    """(what stays, where it is), for a person."""
    from query.context import amount

    elsewhere = [f"{column}: {amount(rows, 'rows')}" for column, rows in beyond.elsewhere.items()]
    unsearched = f"{amount(beyond.unsearched, 'erased texts')}, too short or too many to be looked for"
    said: list[tuple[str, Sequence[str]]] = [
        ("rows that hold it elsewhere", elsewhere),
        ("records on their way in that hold it; let their commands end, then repeat this", beyond.spooled),
        ("files of writers at work or killed, which may hold it; they go when a day old", beyond.unfinished),
        ("folders of runs, which may hold it", beyond.run_folders),
        ("copies of the files", beyond.copies),
        ("stores that it was pulled from", beyond.stores),
    ]
    return [*(((unsearched, ()),) if beyond.unsearched else ()), *(each for each in said if each[1])]
