"""`pirene store`: look after the store."""

from __future__ import annotations

import click

from provenance.commands.context import Invocation, format_option, pass_invocation
from provenance.commands.publish import publish


@click.group()
def store() -> None:
    """Look after the store."""


store.add_command(publish)


@store.command()
@click.option("--format", "output_format", type=click.Choice(("table", "json")), default="table", show_default=True)
@pass_invocation
def info(invocation: Invocation, output_format: str) -> None:
    """Say where the store is and what it holds."""
    from provenance.commands.printing import open_store, print_document
    from provenance.output import time_text
    from provenance.schema import TABLES
    from query.terminal_text import harmless

    opened = open_store(invocation)
    snapshot = opened.snapshot()
    tables = {table.name: snapshot.segments(table.name) for table in TABLES}
    document = {
        "store": opened.store_id,
        "path": opened.storage.location,
        "created": opened.created,
        "commits": snapshot.number,
        "newest_commit": snapshot.time,
        "size_bytes": sum(segment.size for segments in tables.values() for segment in segments),
        "segments": sum(len(segments) for segments in tables.values()),
        "rows": {name: sum(segment.rows for segment in segments) for name, segments in tables.items()},
    }
    if output_format == "json":
        print_document(document)
        return
    click.echo(f"store     {opened.store_id}")
    click.echo(f"at        {harmless(opened.storage.location)}")
    click.echo(f"created   {time_text(opened.created)}")
    click.echo(
        f"commits   {snapshot.number}" + (f", the newest at {time_text(snapshot.time)}" if snapshot.time else "")
    )
    click.echo(f"data      {document['size_bytes']} bytes in {document['segments']} segments")
    for name, segments in tables.items():
        click.echo(f"  {name:<16} {sum(segment.rows for segment in segments):>12} rows")


@store.command()
@pass_invocation
def compact(invocation: Invocation) -> None:
    """Merge small segments, and remove what writers left that were killed long ago; no answer changes."""
    from provenance.commands.printing import open_store
    from provenance.orphans import remove_orphans
    from query.context import amount

    opened = open_store(invocation)
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
    from provenance.commands.printing import Column, open_store, print_rows
    from query.vocabulary import FieldType

    opened = open_store(invocation)
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
