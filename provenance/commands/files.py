"""`pirene files`: register raw files, or retire files that must not be used any more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, format_option, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.raw_files import Registered


@click.group()
def files() -> None:
    """Register files, or retire them."""


@files.command(short_help="Register files and all files below folders.")
@click.argument("paths", metavar="[PATH...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--table",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a column `path` (relative to its folder); the other columns are metadata keys.",
)
@click.option(
    "-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata of all these files; again: a list."
)
@click.option("--name", metavar="TEMPLATE", help="Logical name, as in '{site}/{name}'; also {stem}, {sha256}, {KEY}.")
@click.option("--site", default="local", show_default=True, metavar="NAME", help="The site where these copies are.")
@click.option("--checksum", metavar="sha256:HEX", help="The digest that the one file must have.")
@format_option
@pass_invocation
def add(
    invocation: Invocation,
    paths: tuple[Path, ...],
    table: Path | None,
    metadata: tuple[str, ...],
    name: str | None,
    site: str,
    checksum: str | None,
    output_format: str,
) -> None:
    """Register files, and all files below folders: one commit, every byte hashed.

    The logical name of a file is its path below the folder that was given, or its base name. Registering the same
    content at the same place again changes nothing but the time of its last verification.
    """
    from provenance.commands.printing import open_store
    from provenance.metadata import parse_assignments
    from provenance.raw_files import add_files
    from provenance.users import current_user
    from query.context import amount

    if not paths and table is None:
        raise click.UsageError("name the files to register: PATH... or --table FILE")
    store = open_store(invocation)
    done = add_files(
        store,
        paths,
        table=table,
        metadata=parse_assignments(metadata),
        name=name,
        site=site,
        sha256=_declared(checksum),
        author=current_user(),
    )
    store.project()
    if output_format == "table":
        new = sum(file.new for file in done.files)
        invocation.note(f"{amount(new, 'new files')}, {len(done.files) - new} known already")
    else:
        _print_registered(invocation, done.files, output_format)


def _print_registered(invocation: Invocation, registered: Sequence[Registered], output_format: str) -> None:
    from provenance.commands.printing import Column, print_rows
    from provenance.designators import file_id
    from provenance.storable import storable
    from query.vocabulary import FieldType

    text = FieldType.TEXT
    columns = [
        Column("name", text),
        Column("path", text),
        Column("url", text),
        Column("id", text),
        Column("sha256", FieldType.DIGEST),
        Column("size", FieldType.SIZE),
        Column("new", FieldType.BOOLEAN),
    ]
    rows = (
        (
            storable(file.name),
            storable(str(file.path)),
            file.url,
            file_id(*file.file),
            file.sha256,
            file.size_bytes,
            file.new,
        )
        for file in registered
    )
    print_rows(invocation, columns, rows, output_format, nothing="no files")


@files.command(short_help="Say that files must not be used any more.")
@click.argument("what", metavar="QUERY|NAME|DIGEST|PATH...", nargs=-1, required=True)
@param_option
@click.option("--reason", metavar="TEXT", help="Why, for those who ask later.")
@pass_invocation
def retire(invocation: Invocation, what: tuple[str, ...], parameters: tuple[str, ...], reason: str | None) -> None:
    """Say that files must not be used any more: no selection finds them, no job is reused for them.

    Nothing is deleted, and the history stays. `pirene files add` of the same file takes it back.
    """
    from provenance.commands.printing import open_store
    from provenance.retirement import retire_files, wanted_files
    from provenance.users import current_user
    from query.context import amount

    store = open_store(invocation)
    keys = wanted_files(store, what, parameter_values(parameters))
    retired = retire_files(store, keys, reason=reason, author=current_user())
    store.project()
    invocation.note(f"{amount(retired, 'files')} retired, {len(keys) - retired} retired already")


def _declared(checksum: str | None) -> bytes | None:
    if checksum is None:
        return None
    algorithm, _, digits = checksum.rpartition(":")
    if algorithm not in ("", "sha256") or len(digits) != 64:
        raise click.UsageError(f"--checksum {checksum!r}: expected sha256: and 64 hex digits")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise click.UsageError(f"--checksum {checksum!r}: expected sha256: and 64 hex digits") from None
