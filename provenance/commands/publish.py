"""`pirene store publish`: the DuckLake catalog, for others to read the store with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, pass_invocation

if TYPE_CHECKING:
    from provenance.store import Store


@click.command()
@click.argument("url", required=False, metavar="[postgresql://USER@HOST/DATABASE]")
@click.option("--schema", metavar="NAME", help="The schema of the database, one for each store.  [default: public]")
@pass_invocation
def publish(invocation: Invocation, url: str | None, schema: str | None) -> None:
    """Bring the DuckLake catalog up to date: the one beside the data, or one in a PostgreSQL database.

    Any DuckLake client reads the store through it: what to type in DuckDB is printed. A schema is made if it is not
    there. Passwords are best left to ~/.pgpass or PGPASSWORD.
    """
    from provenance.commands.printing import existing_store

    if url is None and schema is not None:
        raise click.UsageError("--schema is for a PostgreSQL database: give its URL")
    opened = existing_store(invocation)
    if url is None:
        click.echo(_on_sqlite(opened))
    else:
        click.echo(_on_postgres(invocation, opened, url, schema or "public"))


def _on_sqlite(opened: Store) -> str:
    from provenance.ducklake.lake import absolute_data_path, project

    place = project(opened)
    moved = f"DATA_PATH {_quoted(absolute_data_path(opened))}, OVERRIDE_DATA_PATH true, " if place.is_relative else ""
    return f"ATTACH {_quoted(f'ducklake:sqlite:{place.path}')} AS lake ({moved}READ_ONLY);"


def _on_postgres(invocation: Invocation, opened: Store, url: str, schema: str) -> str:
    from provenance.ducklake.lake_postgres import address, publish
    from query.context import amount

    published = publish(opened, address(url, schema))
    if published.before is None:
        invocation.note(f"{published.address}: made, {amount(published.newest, 'commits')}")
    else:
        invocation.note(f"{published.address}: {amount(published.newest - published.before, 'commits')} added")
    place = _quoted(f"ducklake:postgres:{published.connection}")
    return f"ATTACH {place} AS lake (METADATA_SCHEMA {_quoted(schema)}, READ_ONLY);"


def _quoted(text: str) -> str:
    from provenance.segments.relations import quoted

    return quoted(text)
