"""From a name as written to a built-in field or a metadata key; what is neither is an error with a suggestion."""

from __future__ import annotations

from collections.abc import Iterable

from query import tree
from query.backticks import quoted
from query.context import Context, amount
from query.errors import did_you_mean
from query.resolved import BuiltIn, Form, Metadata
from query.vocabulary import Entity, EntityTable, MetadataKey

META = "meta"


def field(context: Context, entity: Entity, name: tree.Name) -> BuiltIn | Metadata:
    """What ``name`` means for a row of ``entity``.

    A bare name is a built-in field, else a metadata key; `meta.x` and backticks are always metadata; `job.x` follows a
    many-to-one path.
    """
    start = entity
    path: list[str] = []
    parts = name.parts
    while len(parts) > 1 and not parts[0].quoted and parts[0].text in context.table(entity).paths:
        path.append(parts[0].text)
        entity = context.table(entity).paths[parts[0].text][0]
        parts = parts[1:]
    if parts[0].quoted:
        return _metadata(context, entity, tuple(path), parts, name)
    if parts[0].text == META and len(parts) > 1:
        return _metadata(context, entity, tuple(path), parts[1:], name)
    if path:
        _note_hidden(context, start, name)
    built_in = context.table(entity).fields.get(parts[0].text) if len(parts) == 1 else None
    if built_in is None:
        return _metadata(context, entity, tuple(path), parts, name)
    hidden = context.key(entity, built_in.name) if context.table(entity).metadata is not None else None
    label = _label(name)
    if hidden is not None:
        always = ".".join([*path, META, built_in.name])
        context.note(f"{label} is the built-in field; the metadata key of that name is {always}")
    return BuiltIn(tuple(path), built_in.name, built_in.type, label)


def _note_hidden(context: Context, entity: Entity, name: tree.Name) -> None:
    """`workflow.name` of a file follows the path, even if files have a metadata key of that name."""
    label = _label(name)
    if context.key(entity, label) is not None:
        context.note(f"{label} follows the path; the metadata key of that name is {quoted(label)}")


def _metadata(
    context: Context, entity: Entity, path: tuple[str, ...], parts: tuple[tree.Part, ...], name: tree.Name
) -> Metadata:
    table = context.table(entity)
    key = ".".join(part.text for part in parts)
    if table.metadata is None:
        near = did_you_mean(key, table.fields)
        hint = f"did you mean {'.'.join([*path, near])}?" if near else _fields_hint(table)
        context.fail(f"no such field of {entity.value}: {key}", name.span, hint)
    known = context.key(entity, key)
    if known is None and context.unknown_keys == "error":
        hint = _suggestion(context, entity, path, key)
        context.fail(
            f"no such key: {key}", name.span, _as_value(key, hint) if _stands_as_value(context, name) else hint
        )
    if known is None:
        quotes = f'; a text is written in quotes: "{key}"' if _stands_as_value(context, name) else ""
        context.warn(f"no {entity.value[:-1]} has the key {key} yet: it matches nothing{quotes}")
    if known is not None and known.values == 0 and not known.lists and entity is not Entity.GROUPS:
        context.warn(f"no {entity.value[:-1]} has a value of {key} in the state that is asked about")
    return Metadata(path, table.metadata, key, known is not None, _sorts_as(known), _label(name))


def _label(name: tree.Name) -> str:
    return ".".join(part.text for part in name.parts)


def _sorts_as(known: MetadataKey | None) -> Form:
    """The form that orders all values of a key alike: numbers or times if all have them, else text."""
    if known is None or known.values == 0:
        return Form.TEXT
    if known.numbers == known.values:
        return Form.NUMBER
    return Form.TIME if known.times == known.values else Form.TEXT


def known(context: Context, entity: Entity, value: Metadata) -> MetadataKey | None:
    """What is known of the key of ``value``, which was written about a row of ``entity``."""
    return context.key(_owner(context, entity, value.path), value.key)


def with_examples(context: Context, entity: Entity, value: Metadata) -> MetadataKey | None:
    """The same with examples, which cost more than a small query: for errors only."""
    keys = context.vocabulary.metadata_keys(_owner(context, entity, value.path))
    return next((key for key in keys if key.name == value.key), None)


def _owner(context: Context, entity: Entity, path: Iterable[str]) -> Entity:
    """What is at the end of ``path``, seen from ``entity``."""
    for step in path:
        entity = context.table(entity).paths[step][0]
    return entity


def forms(key: MetadataKey) -> str:
    """`text`, `number`, `number, text`: the forms that values of the key have, as a person would say it."""
    typed = [(key.numbers, "number"), (key.booleans, "true or false"), (key.times, "time")]
    words = [word for count, word in typed if count]
    if max((count for count, _ in typed), default=0) < key.values:
        words.append("text")
    return ", ".join(words) or "text"


def warn_of_no_value(context: Context, entity: Entity, found: BuiltIn, text: str) -> None:
    """Warn where a field that has one of a few values is compared with another text: it would match nothing."""
    values = context.table(_owner(context, entity, found.path)).fields[found.name].values
    if values and text not in values:
        near = did_you_mean(text, values)
        way_out = f"did you mean {near}?" if near else f"it is one of {', '.join(values)}"
        context.warn(f'{found.label} is never "{text}": {way_out}')


def _stands_as_value(context: Context, name: tree.Name) -> bool:
    """Whether a name stands where a value is compared with: there, quotes were forgotten more often than a key."""
    one_word = len(name.parts) == 1 and not name.parts[0].quoted
    return one_word and context.text[: name.span[0]].rstrip().endswith(("=", "<", ">"))


def _as_value(key: str, hint: str) -> str:
    if key.lower() in ("null", "none"):
        return "a missing value is asked for with is missing, is present"
    quoted = f'a text is written in quotes: "{key}"'
    return f"{quoted}; for a key: {hint}" if hint.startswith("did you mean") else quoted


def _suggestion(context: Context, entity: Entity, path: tuple[str, ...], key: str) -> str:
    table = context.table(entity)
    if key in context.shown_as:
        return f"{key} is what a column is called; say what it shows: {context.shown_as[key]}"
    if key in table.paths:
        other, point = table.paths[key][0], ".".join([*path, key])
        return f"{point} leads to {other.value}: write {point}.{next(iter(context.table(other).fields))}, for example"
    keys = {known.name: known for known in context.vocabulary.metadata_keys(entity)}
    near = did_you_mean(key, [*table.fields, *keys])
    if near is not None:
        written = ".".join([*path, near])
        if near in keys and near not in table.fields:
            found = keys[near]
            return f"did you mean {written} ({forms(found)}, {amount(found.things or found.values, entity.value)})?"
        return f"did you mean {written} ({table.fields[near].type.value})?"
    for step, (other, _) in table.paths.items():
        if key in context.table(other).fields or context.key(other, key) is not None:
            return f"did you mean {'.'.join([*path, step, key])}?"
    if not keys:
        return f"no {entity.value[:-1]} has metadata yet; {_fields_hint(table)}"
    some = ", ".join(list(keys)[:8]) + (", …" if len(keys) > 8 else "")
    return f"{entity.value} have the keys {some}; a text needs quotes"


def _fields_hint(table: EntityTable) -> str:
    return "built-in fields: " + ", ".join(table.fields)
