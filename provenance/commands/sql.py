"""`pirene sql`: ask the store in SQL."""

from __future__ import annotations

import click

from provenance.commands.context import Invocation, format_option, param_option, parameter_values, pass_invocation


@click.command()
@click.argument("statement", metavar="'SELECT ...'", required=False)
@param_option
@click.option("--schema", is_flag=True, help="List the tables and views, with the meaning of each column.")
@format_option
@pass_invocation
def sql(
    invocation: Invocation, statement: str | None, parameters: tuple[str, ...], schema: bool, output_format: str
) -> None:
    """Ask the store in SQL (that of DuckDB), over its tables and some views.

    \b
    pirene sql 'SELECT status, count(*) FROM job_overview GROUP BY status'
    pirene sql 'FROM file_overview WHERE size_bytes > $size' -p size=1000000

    One statement, which only reads: nothing can be written, no other file read, nothing attached or installed.
    `pirene sql --schema` lists what there is.
    """
    from provenance.answers.read_only_sql import ask
    from provenance.commands.printing import Column, existing_store, print_rows
    from query.vocabulary import FieldType

    if schema == (statement is not None):
        raise click.UsageError("expected a statement, or --schema")
    if statement is None:
        columns = [Column(name, FieldType.TEXT) for name in ("view", "column", "type", "unit", "meaning")]
        print_rows(invocation, columns, _schema(), output_format, nothing="nothing can be asked")
        return
    result = ask(existing_store(invocation), statement, parameter_values(parameters))
    print_rows(invocation, result.columns, result.rows, output_format, nothing="no rows")


def _schema() -> list[tuple[str, str, str, str | None, str]]:
    from provenance.answers.published_views import PUBLISHED, unit

    return [
        (view.name, column.name, column.kind.value, unit(column), column.meaning)
        for view in PUBLISHED
        for column in view.columns
    ]
