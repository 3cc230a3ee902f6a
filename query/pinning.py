"""What the names of a query mean, written into its tree: a bare name that is a metadata key gets its backticks.

A saved query keeps this tree, so that a built-in field that a later version brings does not change what it asks.
"""

from __future__ import annotations

from dataclasses import replace

from query import names, rewrite, saved, tree
from query.context import ENTITY_WORDS, Context
from query.resolved import Metadata
from query.vocabulary import Entity


def pinned(context: Context, query: tree.Query) -> tree.Query:
    """``query`` with every name decided. Raises QueryMeaningError for names that mean nothing."""
    entity = _entity(context, query.rows)

    def here(node: tree.Node) -> tree.Node:
        match node:
            case tree.Query():
                return pinned(context, node)
            case tree.Name():
                return _decided(context, entity, node)
            case _:
                return node

    rows = rewrite.changed(query.rows, here)
    clauses: list[tree.Clause] = []
    for clause in query.clauses:
        about_groups = any(isinstance(before, tree.Summarize) for before in clauses)
        clauses.append(clause if about_groups else rewrite.changed(clause, here))
    return replace(query, rows=rows, clauses=tuple(clauses))


def _entity(context: Context, rows: tree.Operand | tree.SetOperation) -> Entity:
    """What the rows of a query are."""
    source = (rows if isinstance(rows, tree.Operand) else rows.operands[0]).source
    match source:
        case tree.Entity(name=name):
            return ENTITY_WORDS[name]
        case tree.Nested(query=query):
            return _entity(context, query.rows)
        case tree.Saved():
            query, _ = saved.opened(context, source)
            return _entity(context, query.rows)


def _decided(context: Context, entity: Entity, name: tree.Name) -> tree.Name:
    found = names.field(context, entity, name)
    path = name.parts[: len(found.path)]
    rest = name.parts[len(found.path) :]
    bare = not any(part.quoted for part in rest) and rest[0].text != names.META
    if not isinstance(found, Metadata) or not bare:
        return name
    return replace(name, parts=(*path, tree.Part(found.key, quoted=True)))
