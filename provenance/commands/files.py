"""`pirene files`: register raw files, or retire files that must not be used any more."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from provenance.commands.add_options import AddOptions, add_options
from provenance.commands.context import Invocation, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.registration.raw_files import RawFiles, Registered
    from provenance.store import Store

_INCOMPLETE = 3


@click.group()
def files() -> None:
    """Register files, or retire them."""


@files.command(short_help="Register files and all files below folders.")
@click.argument("paths", metavar="[PATH|PATTERN|URL...]", nargs=-1)
@add_options
@click.pass_context
@pass_invocation
def add(invocation: Invocation, context: click.Context, paths: tuple[str, ...], options: AddOptions) -> None:
    """Register files, and all files below folders, every byte hashed: in one commit, above 100 000 files in several.

    A pattern in quotes (`'raw/**/*.fits'`) is expanded here. The logical name of a file is its path below the folder
    that was given, or its base name. Registering the same content at the same place again changes nothing but the time
    of its last verification. Files with declared checksums (here or in columns of the table), and those at URLs of
    other machines, are not read: `pirene verify` does it later. Interrupted, nothing is registered.
    """
    from provenance.commands.printing import open_store
    from provenance.metadata import parse_assignments
    from provenance.registration.raw_files import add_files
    from provenance.users import current_user

    if not paths and options.table is None:
        raise click.UsageError("name the files to register: PATH... or --table FILE")
    if "" in paths:
        raise click.UsageError("a path is empty")
    register = functools.partial(
        add_files,
        paths=paths,
        table=options.table,
        metadata=parse_assignments(options.metadata),
        path_metadata=options.path_metadata,
        name=options.name,
        site=options.site,
        sha256=options.digest(),
        declared=options.declared(),
        trees=options.trees,
        keep_going=options.keep_going,
        author=current_user(),
    )
    if not _add(invocation, open_store(invocation), register, options.output_format):
        context.exit(_INCOMPLETE)


def _add(invocation: Invocation, store: Store, register: Callable[..., RawFiles], output_format: str) -> bool:
    """Whether all of it was registered."""
    from provenance.commands.reading_progress import PointOfNoReturn, ReadingProgress

    point = PointOfNoReturn()
    try:
        with ReadingProgress(invocation) as progress:
            done = register(store, progress=progress, committing=lambda: point)
        store.project()
        _say(invocation, done, output_format)
        is_complete = not done.left_out
        del done  # it may be a million files, and what follows takes memory of its own
        store.promote()
    except KeyboardInterrupt:
        invocation.note("all files were registered" if point.passed else "nothing was registered")
        raise
    return is_complete


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
