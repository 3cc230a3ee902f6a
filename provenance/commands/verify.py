"""`pirene verify`: check files against what the store knows of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from provenance.commands.context import Invocation, format_option, pass_invocation


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: object


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_option
@click.pass_context
@pass_invocation
def verify(invocation: Invocation, context: click.Context, paths: tuple[Path, ...], output_format: str) -> None:
    """Check files, and all files below folders, against what the store knows of them.

    Every byte is read. Exit code 0: all are as expected; 1: at least one is not, or is missing; 3: at least one could
    not be read or is unknown.
    """
    from provenance.commands.printing import open_store, print_rows
    from provenance.storable import storable
    from provenance.verification import exit_code
    from provenance.verification import verify as verify_paths
    from query.vocabulary import FieldType

    results = verify_paths(open_store(invocation), paths)
    text, digest = FieldType.TEXT, FieldType.DIGEST
    columns = [
        _Column("path", text),
        _Column("name", text),
        _Column("verdict", text),
        _Column("expected_sha256", digest),
        _Column("actual_sha256", digest),
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
