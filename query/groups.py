"""The rows of `summarize`, as a kind of thing of their own: what comes after it asks about its columns.

A column of the summary is a built-in field of a group; a metadata key that it goes by stays one, with all of its forms,
so that `where run > 5141` after `by run` asks what it asked before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from query import format as text_of
from query import names, rewrite, tree
from query.context import Context
from query.errors import did_you_mean
from query.output_types import aggregate_type, column_type, may_be_whole
from query.resolved import BuiltIn, Column, Metadata, Summary
from query.vocabulary import Entity, EntityTable, Field, FieldType, MetadataKey, Relations, SavedText, Vocabulary

NUMBER = "n"
"""The column that numbers the groups in the order of what they go by: their key, which is never missing."""
WHOLE = "c{}_whole"
"""The column beside an aggregate that may be an integer: the integer that it is, else null."""


def label(summary: Summary) -> tuple[str, ...]:
    """The names of the columns, groups first."""
    return (*(group.name for group in summary.groups), *(each.name for each in summary.aggregates))


def table(summary: Summary, sql: str = "") -> EntityTable:
    """How groups are found, in ``sql`` with columns c0, c1, ..., `WHOLE` beside some of them, and `NUMBER`."""
    fields: dict[str, Field] = {}
    columns: dict[str, str] = {}
    for number, group in enumerate(summary.groups):
        if isinstance(group.content, Metadata):
            columns[group.name] = f"c{number}"
            text = _text_of(group.name)
            fields[text] = Field(text, FieldType.TEXT, f"e.c{number}_text_form")
        else:
            fields[group.name] = Field(group.name, _field_type(column_type(group.content)), f"e.c{number}")
    for number, each in enumerate(summary.aggregates, start=len(summary.groups)):
        kind = _field_type(aggregate_type(each.function, each.operand))
        whole = f"e.{WHOLE.format(number)}" if may_be_whole(each.function, each.operand) else ""
        fields[each.name] = Field(each.name, kind, f"e.c{number}", whole=whole)
    return EntityTable(
        Entity.GROUPS, sql, (NUMBER,), fields, label(summary), metadata=Entity.GROUPS.value, columns=columns
    )


def _field_type(found: object) -> FieldType:
    assert isinstance(found, FieldType)
    return found


class WithGroups:
    """A vocabulary that knows the groups of one summary, too; ``keys`` are the metadata keys that it goes by."""

    def __init__(self, whole: Vocabulary, groups: EntityTable, keys: Mapping[str, MetadataKey]) -> None:
        self._whole = whole
        self._groups = groups
        self._keys = keys

    def table(self, entity: Entity) -> EntityTable:
        """How rows of ``entity`` are found."""
        return self._groups if entity is Entity.GROUPS else self._whole.table(entity)

    def relations(self) -> Relations:
        """The edges of lineage."""
        return self._whole.relations()

    def metadata_sql(self) -> str:
        """Metadata of things: groups carry theirs with them."""
        return self._whole.metadata_sql()

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        """What is known of a key, among all things."""
        return self._keys.get(key) if entity is Entity.GROUPS else self._whole.metadata_key(entity, key)

    def metadata_keys(self, entity: Entity) -> Sequence[MetadataKey]:
        """All keys of an entity."""
        return tuple(self._keys.values()) if entity is Entity.GROUPS else self._whole.metadata_keys(entity)

    def saved(self, name: str) -> SavedText | None:
        """A saved query."""
        return self._whole.saved(name)

    def saved_names(self) -> Sequence[str]:
        """The names of all saved queries."""
        return self._whole.saved_names()


def context_of(context: Context, entity: Entity, summary: Summary) -> Context:
    """The context in which clauses after a summary of rows of ``entity`` are resolved."""
    keys = {}
    for group in summary.groups:
        if isinstance(group.content, Metadata):
            known = names.known(context, entity, group.content) or MetadataKey(group.content.key, 0)
            # Counts were said before the summary; a list is never a group.
            keys[group.name] = replace(known, name=group.name, lists=0)
    return replace(context, vocabulary=WithGroups(context.vocabulary, table(summary), keys))


def columns(summary: Summary) -> tuple[Column, ...]:
    """All columns of the summary, as columns of an answer about groups."""
    found = table(summary)
    return tuple(Column(name, shown(found, name)) for name in label(summary))


def shown(groups: EntityTable, name: str) -> BuiltIn:
    """A column as it is shown: a metadata key by its text, which is what tells groups from each other (1.1, 1.10)."""
    field = groups.fields.get(name) or groups.fields[_text_of(name)]
    return BuiltIn((), field.name, field.type, name)


def as_shown(summary: Summary, asked: tuple[Column, ...]) -> tuple[Column, ...]:
    """What `show` asks for, as `shown` has it."""
    found = table(summary)
    return tuple(
        replace(column, content=shown(found, column.content.label)) if isinstance(column.content, Metadata) else column
        for column in asked
    )


def _text_of(name: str) -> str:
    """What the text of a metadata key is called: no name of a column, so that nobody can ask for it."""
    return f"the text of {name}"


def about_columns(context: Context, summary: Summary, clause: tree.Clause) -> tree.Clause:
    """``clause`` with each mention of a column (`n`, `job.site`, `sum(size)`) as one name; other names are errors."""
    known = label(summary)

    def column(node: tree.Node) -> tree.Node:
        match node:
            case tree.Name(parts=parts):
                name = ".".join(part.text for part in parts)
            case tree.Call():
                name = text_of.format_expression(node)
            case tree.Relation():
                context.fail("a summary stands in no relation", node.span, "write it before summarize")
            case _:
                return node
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean {near}?" if near else "it has " + ", ".join(known)
            context.fail(f"the summary has no column {name}", node.span, hint)
        return tree.Name((tree.Part(name),), span=node.span)

    return rewrite.mapped(clause, column)
