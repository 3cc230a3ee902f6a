"""`pirene meta`: show all that is known of workflows, jobs and files; set metadata on them, or take it away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provenance.commands.completing import complete_query
from provenance.commands.context import Invocation, format_option, param_option, parameter_values, pass_invocation

if TYPE_CHECKING:
    from provenance.answers.facts import Thing
    from provenance.metadata import Value
    from provenance.store import Store

_WHAT = "QUERY | RUN [JOB] | FILE"


@click.group()
def meta() -> None:
    """Show, set or withdraw metadata.

    What is meant is said by a query ('jobs where ...'), by a run (folder, id, the start of one, or workflow name), by
    a run and the id of a job in it, or by the name, digest, id or path of a file.
    """


@meta.command("list", short_help="Show what was given, reported and measured.")
@click.argument("what", metavar=_WHAT, nargs=-1, required=True, shell_complete=complete_query)
@click.option("--history", "with_history", is_flag=True, help="Everything that was ever said, withdrawals too.")
@param_option
@format_option
@pass_invocation
def list_(
    invocation: Invocation, what: tuple[str, ...], with_history: bool, parameters: tuple[str, ...], output_format: str
) -> None:
    """Show what the user gave (static, set), what jobs reported (runtime) and what was measured."""
    from provenance.answers.facts import facts, history
    from provenance.commands.printing import Column, existing_store, print_rows
    from query.vocabulary import FieldType

    store = existing_store(invocation)
    things = _things(store, what, parameters)
    text = FieldType.TEXT
    columns = [
        Column("entity", text),
        Column("id", text),
        Column("of", text),
        Column("key", text),
        Column("value", "metadata value"),
        Column("text", text),
        Column("origin", text),
        Column("author", text),
        Column("at", FieldType.TIME),
    ]
    if with_history:
        columns += [Column("withdrawn", FieldType.BOOLEAN), Column("commit", FieldType.INTEGER)]
    for_people = output_format == "table"
    rows = (
        (
            thing.kind,
            thing.id,
            thing.label,
            fact.key,
            fact.text if for_people and fact.text is not None else fact.value,
            fact.text,
            fact.origin,
            fact.author,
            fact.at,
            *((fact.withdrawn, fact.commit) if with_history else ()),
        )
        for thing, fact in (history if with_history else facts)(store, things)
    )
    shown = [0, 2, 3, 4, 6, 7] + ([9, 10] if with_history else [])
    if for_people:
        # The id is for programs; a person sees what was meant, and its source text: `1.10` is not `1.1`.
        columns = [columns[index] for index in shown]
        rows = (tuple(row[index] for index in shown) for row in rows)
    print_rows(invocation, columns, rows, output_format, nothing="nothing matches")


@meta.command("set", short_help="Set metadata; the history stays.")
@click.argument("what", metavar=f"{_WHAT} KEY=VALUE...", nargs=-1, required=True, shell_complete=complete_query)
@click.option("-m", "--metadata", multiple=True, metavar="KEY=VALUE", help="What to set; the same key again: a list.")
@param_option
@pass_invocation
def set_(invocation: Invocation, what: tuple[str, ...], metadata: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    """Set metadata on everything that is meant; the history stays, and `as of` sees it."""
    from provenance.commands.printing import existing_store
    from provenance.metadata import parse_assignments

    words, assignments = _divide(what, metadata)
    if not assignments:
        raise click.UsageError("nothing to set: give KEY=VALUE or -m KEY=VALUE")
    store = existing_store(invocation)
    things = _things(store, words, parameters)
    values = parse_assignments(assignments)
    _say(store, [(thing, key, value) for thing in things for key, value in values.items()])
    invocation.note(f"set on {_counted(things)}" if things else "nothing matches: nothing was set")


@meta.command("unset", short_help="Withdraw keys; the history stays.")
@click.argument("what", metavar=f"{_WHAT}", nargs=-1, required=True, shell_complete=complete_query)
@click.option(
    "-k", "--key", "keys", multiple=True, required=True, metavar="KEY", help="The key to withdraw; repeatable."
)
@param_option
@pass_invocation
def unset(invocation: Invocation, what: tuple[str, ...], keys: tuple[str, ...], parameters: tuple[str, ...]) -> None:
    """Withdraw keys from everything that is meant; the history stays, and `as of` sees it."""
    from provenance.answers.facts import with_keys
    from provenance.commands.printing import existing_store

    store = existing_store(invocation)
    things = _things(store, what, parameters)
    found = with_keys(store, things, keys)
    _say(store, [(thing, key, None) for thing, held in found for key in held])
    for key in keys:
        holders = [thing for thing, held in found if key in held]
        said = f"withdrawn from {_counted(holders)}" if holders else "nothing that is meant has this key"
        invocation.note(f"{key}: {said}")


def _divide(words: tuple[str, ...], metadata: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is meant, and the assignments: ``KEY=VALUE`` words count as those, save the first word."""
    meant = [words[0]]
    assignments: list[str] = []
    for word in words[1:]:
        (assignments if "=" in word else meant).append(word)
    return tuple(meant), (*assignments, *metadata)


def _things(store: Store, words: tuple[str, ...], parameters: tuple[str, ...]) -> list[Thing]:
    from provenance.answers.things import find_things

    if len(words) > 2:
        raise click.UsageError(f"expected {_WHAT}, found {len(words)} words (quote a query as one)")
    return find_things(store, words, parameter_values(parameters))


def _say(store: Store, sayings: Sequence[tuple[Thing, str, Value | None]]) -> None:
    """One commit that sets keys of things, or (value None) withdraws them."""
    from provenance.history.commits import CommitKind
    from provenance.metadata_rows import add_metadata
    from provenance.segments.batch import Batch
    from provenance.users import current_user

    batch, at, who = Batch(), dt.datetime.now(dt.UTC), current_user()
    for thing, key, value in sayings:
        add_metadata(
            batch,
            thing.kind,
            thing.source,
            thing.number,
            key,
            value,
            origin="set",
            author=who,
            at=at,
            withdrawn=value is None,
        )
    store.commit(CommitKind.METADATA, batch, author=who)
    store.project()


def _counted(things: Sequence[Thing]) -> str:
    return f"{len(things)} {things[0].kind}{'' if len(things) == 1 else 's'}"
