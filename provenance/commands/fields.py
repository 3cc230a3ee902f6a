"""`pirene fields`: what can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from provenance.commands.context import Invocation, format_option, pass_invocation

if TYPE_CHECKING:
    from provenance.vocabulary import StoreVocabulary
    from query.vocabulary import Entity, MetadataKey

ENTITIES = ("files", "jobs", "workflows", "replicas", "checks")


def _entity(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The word of the language for an entity; as there, the singular is accepted."""
    plural = None if value is None else value.removesuffix("s") + "s"
    if plural is not None and plural not in ENTITIES:
        raise click.UsageError(f"expected {', '.join(ENTITIES[:-1])} or {ENTITIES[-1]}, found {value!r}")
    return plural


@click.command()
@click.argument("entity", required=False, metavar=f"[{'|'.join(ENTITIES)}]", callback=_entity)
@format_option
@pass_invocation
def fields(invocation: Invocation, entity: str | None, output_format: str) -> None:
    """List what can be asked: built-in fields, and the metadata keys that the store has seen."""
    from provenance.commands.printing import Column, open_store, print_rows
    from provenance.views import Reading
    from provenance.vocabulary import StoreVocabulary
    from query.vocabulary import Entity, FieldType

    store = open_store(invocation)
    text, texts = FieldType.TEXT, FieldType.TEXTS
    columns = [
        Column("entity", text),
        Column("name", text),
        Column("kind", text),
        Column("types", texts),
        Column("values", FieldType.INTEGER),
        Column("things", FieldType.INTEGER),
        Column("meaning", text),
    ]
    with Reading(store, store.snapshot()) as reading:
        vocabulary = StoreVocabulary(reading.rows)
        wanted = [Entity(name) for name in ([entity] if entity else ENTITIES)]
        rows = (row for one in wanted for row in _rows(vocabulary, one))
        print_rows(invocation, columns, rows, output_format, nothing="nothing can be asked")


def _rows(vocabulary: StoreVocabulary, entity: Entity) -> Iterator[tuple[object, ...]]:
    table = vocabulary.table(entity)
    for field in table.fields.values():
        yield entity.value, field.name, "field", [field.type.value], None, None, field.meaning
    for path, (target, _) in table.paths.items():
        yield entity.value, f"{path}.*", "path", [target.value], None, None, f"any field or key of its {path}"
    for key in vocabulary.metadata_keys(entity):
        name = f"meta.{key.name}" if key.name in table.fields else key.name
        examples = ", ".join(key.examples)
        yield (
            entity.value,
            name,
            "metadata",
            _forms(key),
            key.values,
            key.things,
            f"for example {examples}" if examples else "",
        )


def _forms(key: MetadataKey) -> list[str]:
    """The forms that values of a key have; one that only some have is marked with how many."""
    found = ["text"] if key.values else []
    for form, count in (("number", key.numbers), ("boolean", key.booleans), ("time", key.times)):
        if count:
            found.append(form if count == key.values else f"{form} ({count})")
    return [*found, "list"] if key.lists else found
