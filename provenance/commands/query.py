"""`pirene query`: ask the store."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provenance.commands.completing import complete_query
from provenance.commands.context import Invocation, format_option, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.answers.saved_queries import SavedQuery

# Formats without types hand a value of metadata on as it was written; where they hold JSON, that has types.
_AS_TEXT = {"table": ("metadata", "metadata value"), "csv": ("metadata value",), "parquet": ("metadata value",)}


@click.command()
@click.argument("text", metavar="QUERY", required=False, shell_complete=complete_query)
@param_option
@click.option("--explain", is_flag=True, help="Show the resolved tree, the SQL and DuckDB's plan instead of rows.")
@click.option("--fmt", is_flag=True, help="Print the query laid out well instead of asking it.")
@click.option("--save", "name", metavar="NAME", help="Keep the query in the store: ask it as @NAME(parameter = value).")
@click.option("--saved", is_flag=True, help="List the saved queries, all versions; the last of each name is used.")
@format_option
@pass_invocation
def query(
    invocation: Invocation,
    text: str | None,
    parameters: tuple[str, ...],
    explain: bool,
    fmt: bool,
    name: str | None,
    saved: bool,
    output_format: str,
) -> None:
    """Ask the store.

    \b
    pirene query 'files where kind = "raw" and size > 2 GiB'
    pirene query 'jobs where status = "failed" order by started desc limit 10'
    pirene query 'files upstream of (files where name = "result.txt")'

    `pirene fields` lists what can be asked. Without a query, on a terminal, queries are asked for one by one.
    """
    if sum((explain, fmt, name is not None, saved)) > 1:
        raise click.UsageError("--explain, --fmt, --save and --saved are asked for one at a time")
    if saved:
        _list_saved(invocation, output_format)
    elif text is None and not (explain or fmt or name) and _on_a_terminal():
        _prompt(invocation, parameter_values(parameters), output_format)
    elif text is None:
        raise click.UsageError("expected a query, for example 'files where size > 2 GiB'")
    elif fmt:
        _format(invocation, text)
    elif name is not None:
        _save(invocation, name, text, output_format)
    elif explain:
        _explain(invocation, text, parameter_values(parameters), output_format)
    else:
        _ask(invocation, text, parameter_values(parameters), output_format)


def _on_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _prompt(invocation: Invocation, values: dict[str, object], output_format: str) -> None:
    from provenance.commands.printing import existing_store
    from provenance.commands.prompt import ask_repeatedly
    from query.terminal_text import harmless_lines

    def say(text: str) -> None:
        click.echo(harmless_lines(text), err=True)

    ask_repeatedly(existing_store(invocation), lambda text: _ask(invocation, text, values, output_format), say)


def _ask(invocation: Invocation, text: str, values: dict[str, object], output_format: str) -> None:
    from provenance.answers.ask import answer
    from provenance.answers.json_text import time_text
    from provenance.commands.printing import existing_store, print_rows

    store = existing_store(invocation)
    found = answer(store, text, values)
    for warning in found.warnings:
        invocation.note(f"warning: {warning}")
    for note in found.notes:
        invocation.note(f"note: {note}")
    invocation.detail(f"asked: {found.text}")
    invocation.detail(f"as of commit {found.commit}; now is {time_text(found.now)}")
    rows = found.rows(as_text=_AS_TEXT.get(output_format, ()))
    print_rows(invocation, found.columns, rows, output_format, nothing="nothing matches")


def _explain(invocation: Invocation, text: str, parameters: dict[str, object], output_format: str) -> None:
    """How a query is understood and run; for an empty result, which condition to drop to get any."""
    import json

    from provenance.answers.ask import answer, without_conditions
    from provenance.commands.printing import existing_store, print_document
    from query.context import amount
    from query.terminal_text import harmless, harmless_lines

    store = existing_store(invocation)
    found = answer(store, text, parameters)
    for warning in found.warnings:
        invocation.note(f"warning: {warning}")
    plan = found.plan()
    empty = next(iter(found.rows()), None) is None
    dropped = without_conditions(store, text, parameters, now=found.now, as_of=found.commit) if empty else []
    without = [{"condition": one.condition, "rows": one.rows} for one in dropped]
    if output_format == "json":
        document = {"query": found.text, "tree": found.tree, "sql": found.sql, "parameters": list(found.parameters)}
        print_document(document | {"commit": found.commit, "now": found.now, "plan": plan, "without": without})
        return
    tree = json.dumps(found.tree, indent=2, ensure_ascii=False)
    click.echo(f"query:  {harmless(found.text)}\n")
    click.echo(harmless_lines(f"tree:\n{tree}\n\nsql:\n{found.sql}\n\nparameters: {list(found.parameters)!r}\n"))
    click.echo(harmless_lines(f"plan:\n{plan}"))
    for one in dropped:
        click.echo(harmless(f"nothing matches; without `{one.condition}` {amount(one.rows, 'rows')} would"))


def _format(invocation: Invocation, text: str) -> None:
    """Needs no store: what names mean is not asked."""
    from query.format import laid_out
    from query.parse import has_comments, parse
    from query.terminal_text import harmless_lines

    statement = parse(text)
    if has_comments(text):
        invocation.note("warning: comments are not kept")
    click.echo(harmless_lines(laid_out(statement)))


def _save(invocation: Invocation, name: str, text: str, output_format: str) -> None:
    from provenance.answers.saved_queries import save
    from provenance.commands.printing import open_store

    _print_saved(invocation, [save(open_store(invocation), name, text)], output_format)


def _list_saved(invocation: Invocation, output_format: str) -> None:
    from provenance.answers.saved_queries import versions
    from provenance.commands.printing import existing_store

    _print_saved(invocation, versions(existing_store(invocation)), output_format)


def _print_saved(invocation: Invocation, found: Sequence[SavedQuery], output_format: str) -> None:
    from provenance.commands.printing import Column, print_rows
    from query.vocabulary import FieldType

    columns = [
        Column("name", FieldType.TEXT),
        Column("version", FieldType.INTEGER),
        Column("query", FieldType.TEXT),
        Column("parameters", FieldType.TEXTS),
        Column("at", FieldType.TIME),
        Column("user", FieldType.TEXT),
    ]
    rows = [(each.name, each.version, each.text, list(each.parameters), each.at, each.user) for each in found]
    print_rows(invocation, columns, rows, output_format, nothing="no query was saved yet")
