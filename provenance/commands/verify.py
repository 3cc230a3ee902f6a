"""`pirene verify`: check files against what the store knows of them."""

from __future__ import annotations

from pathlib import Path

import click

from provenance.commands.context import Invocation, format_option, pass_invocation


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_option
@click.pass_context
@pass_invocation
def verify(invocation: Invocation, context: click.Context, paths: tuple[Path, ...], output_format: str) -> None:
    """Check files, and all files below folders, against what the store knows of them.

    Every byte is read. A file of which only foreign checksums were declared is checked by those, and its sha256 is
    recorded.

    Exit code 0: all are as expected; 1: at least one is not, or is missing; 3: at least one could not be read or is
    unknown.
    """
    from provenance.audits.verification import exit_code
    from provenance.audits.verification import verify as verify_paths
    from provenance.commands.printing import Column, existing_store, print_rows
    from provenance.storable import storable
    from provenance.users import current_user
    from query.vocabulary import FieldType

    store = existing_store(invocation)
    before = store.snapshot()
    results = verify_paths(store, paths, author=current_user())
    if store.snapshot().number > before.number:
        store.project()
    text, digest = FieldType.TEXT, FieldType.DIGEST
    columns = [
        Column("path", text),
        Column("name", text),
        Column("verdict", text),
        Column("expected_sha256", digest),
        Column("actual_sha256", digest),
    ]
    rows = (
        (
            storable(str(result.path)),
            storable(result.name),
            result.verdict,
            result.expected_sha256,
            result.actual_sha256,
        )
        for result in results
    )
    print_rows(invocation, columns, rows, output_format, nothing="no files there")
    context.exit(exit_code(results))
