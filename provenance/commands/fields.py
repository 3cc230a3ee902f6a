"""`pirene fields`: what can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provenance.commands.completing import complete_entity
from provenance.commands.context import Invocation, format_option, pass_invocation

if TYPE_CHECKING:
    from provenance.answers.vocabulary import StoreVocabulary
    from query.vocabulary import Entity, MetadataKey

ENTITIES = ("files", "jobs", "workflows", "replicas", "checks")


def _entity(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The word of the language for an entity; as there, the singular is accepted."""
    plural = None if value is None else value.removesuffix("s") + "s"
    if plural is not None and plural not in ENTITIES:
        raise click.UsageError(f"expected {', '.join(ENTITIES[:-1])} or {ENTITIES[-1]}, found {value!r}")
    return plural


@click.command()
@click.argument(
    "entity", required=False, metavar=f"[{'|'.join(ENTITIES)}]", callback=_entity, shell_complete=complete_entity
)
@format_option
@pass_invocation
def fields(invocation: Invocation, entity: str | None, output_format: str) -> None:
    """List what can be asked: built-in fields, and the metadata keys that the store has seen."""
    from provenance.answers.vocabulary import StoreVocabulary
    from provenance.commands.printing import Column, existing_store, print_rows
    from provenance.reading.views import Reading
    from query.vocabulary import Entity, FieldType

    store = existing_store(invocation)
    shown = _FOR_PEOPLE if output_format == "table" else tuple(_COLUMNS)
    columns = [Column(name, FieldType(_COLUMNS[name]) if name != "forms" else "metadata value") for name in shown]
    with Reading(store, store.snapshot()) as reading:
        vocabulary = StoreVocabulary(reading.rows)
        wanted = [Entity(name) for name in ([entity] if entity else ENTITIES)]
        found = (row for one in wanted for row in _rows(vocabulary, one))
        rows = (
            tuple(row[name] for name in shown) for row in (map(_for_people, found) if shown == _FOR_PEOPLE else found)
        )
        print_rows(invocation, columns, rows, output_format, nothing="nothing can be asked")


_COLUMNS = {
    "entity": "text",
    "name": "text",
    "kind": "text",
    "types": "list of text",
    "forms": "metadata value",
    "values": "integer",
    "things": "integer",
    "lists": "integer",
    "examples": "list of text",
    "meaning": "text",
}
"""What programs get. ``name`` is what a query says; ``kind`` field, path or metadata; ``types`` of a field its one
type, of a path what it leads to, of metadata the forms that values have; ``forms`` how many have each; ``values`` all,
elements of lists one each; ``things`` that have the key, ``lists`` how many of them have a list; ``examples`` all of a
field that has only a few values, some of metadata.
"""
_FOR_PEOPLE = ("entity", "name", "kind", "types", "values", "things", "meaning")


def _rows(vocabulary: StoreVocabulary, entity: Entity) -> Iterator[dict[str, object]]:
    from query.spelling import spelled

    table = vocabulary.table(entity)
    nothing = dict.fromkeys(_COLUMNS)
    for field in table.fields.values():
        row = {"entity": entity.value, "name": field.name, "kind": "field", "types": [field.type.value]}
        yield {**nothing, **row, "examples": list(field.values) or None, "meaning": field.meaning}
    for path, (target, _) in table.paths.items():
        row = {"entity": entity.value, "name": f"{path}.*", "kind": "path", "types": [target.value]}
        yield {**nothing, **row, "meaning": f"any field or key of its {path}"}
    for key in vocabulary.metadata_keys(entity):
        forms = _forms(key)
        yield {
            "entity": entity.value,
            "name": spelled(key.name, table),
            "kind": "metadata",
            "types": [*forms, "list"] if key.lists else list(forms),
            "forms": forms,
            "values": key.values,
            "things": key.things,
            "lists": key.lists,
            "examples": list(key.examples),
            "meaning": "",
        }


def _forms(key: MetadataKey) -> dict[str, int]:
    """How many values of a key have each form."""
    counts = {"text": key.values, "number": key.numbers, "boolean": key.booleans, "time": key.times}
    return {form: count for form, count in counts.items() if count}


def _for_people(row: dict[str, object]) -> dict[str, object]:
    """A form that only some values have is marked with how many; examples stand where fields have their meaning."""
    forms, examples = row["forms"], row["examples"]
    if not isinstance(forms, dict) or not isinstance(examples, list):
        return row
    types = [form if count == row["values"] else f"{form} ({count})" for form, count in forms.items()]
    meaning = f"for example {', '.join(examples)}" if examples else ""
    return {**row, "types": [*types, "list"] if row["lists"] else types, "meaning": meaning}
