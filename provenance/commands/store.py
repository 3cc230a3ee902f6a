"""`pirene store`: look after the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, format_option, pass_invocation
from provenance.commands.publish import publish
from provenance.commands.store_check import check
from provenance.commands.store_erase import erase

if TYPE_CHECKING:
    from provenance.store_summary import StoreSummary


@click.group()
def store() -> None:
    """Look after the store."""


store.add_command(publish)
store.add_command(check)
store.add_command(erase)


@store.command()
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@pass_invocation
def info(invocation: Invocation, output_format: str) -> None:
    """Say which store this is, where it is, what it holds and what waits in it."""
    from provenance.commands.printing import existing_store, print_document
    from provenance.store_summary import summarize

    summary = summarize(existing_store(invocation))
    if output_format == "json":
        print_document(summary.document())
    else:
        _print_summary(summary)


def _print_summary(summary: StoreSummary) -> None:
    """The summary for a person; what there is nothing of is left out."""
    from provenance.answers.json_text import time_text
    from query.context import amount
    from query.terminal_text import harmless

    writable = ", read-only" if summary.read_only else ""
    lines = [
        ("store", summary.store),
        ("at", f"{harmless(summary.location)} (format {summary.format}{writable})"),
        ("created", f"{time_text(summary.created)}"),
        ("commits", f"{summary.commits}" + _newest(summary)),
        ("data", f"{summary.live_bytes} bytes; {summary.superseded_bytes} more were merged into these"),
    ]
    if summary.erasures:
        said = f"{amount(len(summary.erasures), 'times')}, the last by commit {summary.erasures[-1].number}"
        lines.append(("erased", f"{said}: {harmless(_reason(summary))}"))
    if summary.orphaned_bytes:
        lines.append(("orphans", f"{summary.orphaned_bytes} bytes of writers at work, or killed"))
    if summary.spooled:
        lines.append(("spool", f"{amount(summary.spooled, 'files')}, {summary.spooled_bytes} bytes on their way in"))
    lines.append(("catalog", _catalog(summary)))
    for name, text in lines:
        click.echo(f"{name:<9} {text}")
    for table, size in summary.tables.items():
        click.echo(f"  {table:<16} {size.rows:>12} rows {size.size_bytes:>14} bytes")
    if summary.quarantined:
        click.echo(f"{amount(len(summary.quarantined), 'things')} in quarantine:")
    for one in summary.quarantined:
        click.echo(harmless(f"  {one.what} {one.sha256[:12]}: {one.reason}"))


def _reason(summary: StoreSummary) -> str:
    erased = summary.erasures[-1].erased
    return erased.reason if erased else ""


def _newest(summary: StoreSummary) -> str:
    from provenance.answers.json_text import time_text

    return f", the newest at {time_text(summary.newest_commit)}" if summary.newest_commit else ""


def _catalog(summary: StoreSummary) -> str:
    from query.terminal_text import harmless

    path = harmless(str(summary.catalog.path or "nowhere"))
    if summary.catalog.problem is not None:
        return f"{path} cannot be read: {harmless(summary.catalog.problem)}"
    if summary.catalog.newest is None:
        return f"none at {path}"
    return f"{path} shows commit {summary.catalog.newest}"


@store.command()
@pass_invocation
def compact(invocation: Invocation) -> None:
    """Merge small segments, and remove what writers left that were killed long ago; no answer changes."""
    from provenance.commands.printing import existing_store
    from provenance.orphans import remove_orphans
    from query.context import amount

    opened = existing_store(invocation)
    made = opened.compact()
    removed = remove_orphans(opened)
    opened.project()
    if made is None:
        invocation.note("there is nothing to merge")
    else:
        invocation.note(f"commit {made.number} puts {len(made.segments)} segments in place of {len(made.replaces)}")
    if removed:
        invocation.note(f"{amount(len(removed), 'files')} of killed writers removed")


@store.command()
@format_option
@pass_invocation
def commits(invocation: Invocation, output_format: str) -> None:
    """List the commits, oldest first."""
    from provenance.commands.printing import Column, existing_store, print_rows
    from query.vocabulary import FieldType

    opened = existing_store(invocation)
    columns = [
        Column("number", FieldType.INTEGER),
        Column("time", FieldType.TIME),
        Column("kind", FieldType.TEXT),
        Column("author", FieldType.TEXT),
        Column("records", FieldType.INTEGER),
        Column("rows", FieldType.INTEGER),
        Column("size", FieldType.SIZE),
        Column("tables", FieldType.TEXTS),
    ]
    rows = (
        (
            commit.number,
            commit.time,
            commit.kind.value,
            commit.author,
            commit.records,
            sum(segment.rows for segment in commit.segments),
            sum(segment.size for segment in commit.segments),
            [segment.table for segment in commit.segments],
        )
        for commit in opened.commits()
    )
    print_rows(invocation, columns, rows, output_format, nothing="no commits yet")
