"""`pirene files`: register raw files, or retire files that must not be used any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, format_option, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.registration.metadata_table import Declared
    from provenance.registration.raw_files import RawFiles, Registered

_INCOMPLETE = 3


@click.group()
def files() -> None:
    """Register files, or retire them."""


@files.command(short_help="Register files and all files below folders.")
@click.argument("paths", metavar="[PATH|PATTERN|URL...]", nargs=-1)
@click.option(
    "--table",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV, JSON lines or Parquet; column `path` (relative to its folder), the others are metadata keys.",
)
@click.option(
    "-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="Metadata of all these files; again: a list."
)
@click.option(
    "--path-metadata", metavar="TEMPLATE", help="Metadata from each path below its folder, as '{site}/{year}/{name}'."
)
@click.option("--name", metavar="TEMPLATE", help="Logical name, as in '{site}/{name}'; also {stem}, {sha256}, {KEY}.")
@click.option("--site", default="local", show_default=True, metavar="NAME", help="The site where these copies are.")
@click.option("--tree", "trees", is_flag=True, help="Each folder is one file (Zarr, MeasurementSet).")
@click.option("--checksum", metavar="sha256:HEX", help="The digest that the one file must have: it is read.")
@click.option("--md5", metavar="HEX", help="Declared for the one file, which is not read now.")
@click.option("--adler32", metavar="HEX", help="Likewise.")
@click.option("--crc32c", metavar="HEX", help="Likewise.")
@click.option("--size", metavar="BYTES", type=click.IntRange(0, (1 << 63) - 1), help="The size of the one file.")
@click.option("--keep-going", is_flag=True, help="Leave out what cannot be registered, say so, and end with 3.")
@format_option
@click.pass_context
@pass_invocation
def add(
    invocation: Invocation,
    context: click.Context,
    paths: tuple[str, ...],
    table: Path | None,
    metadata: tuple[str, ...],
    path_metadata: str | None,
    name: str | None,
    site: str,
    trees: bool,
    checksum: str | None,
    md5: str | None,
    adler32: str | None,
    crc32c: str | None,
    size: int | None,
    keep_going: bool,
    output_format: str,
) -> None:
    """Register files, and all files below folders, every byte hashed: in one commit, above 100 000 files in several.

    A pattern in quotes (`'raw/**/*.fits'`) is expanded here. The logical name of a file is its path below the folder
    that was given, or its base name. Registering the same content at the same place again changes nothing but the time
    of its last verification. Files with declared checksums (here or in columns of the table), and those at URLs of
    other machines, are not read: `pirene verify` does it later. Interrupted, nothing is registered.
    """
    from provenance.commands.printing import open_store
    from provenance.commands.reading_progress import PointOfNoReturn, ReadingProgress
    from provenance.metadata import parse_assignments
    from provenance.registration.raw_files import add_files
    from provenance.users import current_user

    if not paths and table is None:
        raise click.UsageError("name the files to register: PATH... or --table FILE")
    if "" in paths:
        raise click.UsageError("a path is empty")
    given = parse_assignments(metadata)
    store = open_store(invocation)
    point = PointOfNoReturn()
    try:
        with ReadingProgress(invocation) as progress:
            done = add_files(
                store,
                paths,
                table=table,
                metadata=given,
                path_metadata=path_metadata,
                name=name,
                site=site,
                sha256=_digest(checksum),
                declared=_declared({"md5": md5, "adler32": adler32, "crc32c": crc32c}, size),
                trees=trees,
                keep_going=keep_going,
                author=current_user(),
                progress=progress,
                committing=lambda: point,
            )
        store.project()
        _say(invocation, done, output_format)
        exit_code = _INCOMPLETE if done.left_out else 0
        del done  # it may be a million files, and what follows takes memory of its own
        store.promote()
    except KeyboardInterrupt:
        invocation.note("all files were registered" if point.passed else "nothing was registered")
        raise
    context.exit(exit_code)


def _say(invocation: Invocation, done: RawFiles, output_format: str) -> None:
    from query.context import amount
    from query.terminal_text import harmless

    if output_format == "table":
        invocation.note(f"{amount(done.files.new, 'new files')}, {len(done.files) - done.files.new} known already")
    else:
        _print_registered(invocation, done.files, output_format)
    if done.not_believed:
        # However quiet: who gets a damaged file must not have been told that all is well.
        said = f"damaged or missing before, not read now, and so still that: {amount(len(done.not_believed), 'files')}"
        click.echo(harmless(f"{said} ({done.not_believed[0]}); `pirene audit` reads what is there"), err=True)
    for each in done.left_out:
        click.echo(harmless(f"not registered: {each.path}: {each.reason}"), err=True)


def _print_registered(invocation: Invocation, registered: Iterable[Registered], output_format: str) -> None:
    from provenance.answers.designators import file_id
    from provenance.commands.printing import Column, print_rows
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
            storable(file.path),
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
    from provenance.commands.printing import existing_store
    from provenance.registration.retirement import retire_files, wanted_files
    from provenance.users import current_user
    from query.context import amount

    store = existing_store(invocation)
    keys = wanted_files(store, what, parameter_values(parameters))
    retired = retire_files(store, keys, reason=reason, author=current_user())
    store.project()
    invocation.note(f"{amount(retired, 'files')} retired, {len(keys) - retired} retired already")


def _digest(checksum: str | None) -> bytes | None:
    """The sha256 that is to be checked; None: none is."""
    if checksum is None:
        return None
    return bytes.fromhex(_parsed("--checksum", checksum, "sha256").removeprefix("sha256:"))


def _declared(checksums: Mapping[str, str | None], size: int | None) -> Declared | None:
    """What is said of the one file without its being read; None: nothing is."""
    from provenance.registration.metadata_table import Declared

    given = [_parsed(f"--{name}", text, name) for name, text in checksums.items() if text is not None]
    return Declared(tuple(given), size) if given or size is not None else None


def _parsed(option: str, text: str, algorithm: str) -> str:
    from integrity.checksum import ChecksumError, parse_checksum

    try:
        return parse_checksum(text, algorithm)
    except ChecksumError as error:
        raise click.UsageError(f"{option}: {error}") from error
