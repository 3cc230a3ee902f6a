"""A query without one of its conditions, for each of them: which one keeps everything out?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from query import format as text_of
from query import tree

Dropped = tuple[str, tree.Query]
"""The condition as text, and the query without it."""


def without_each(query: tree.Query) -> Iterator[Dropped]:
    """For each condition that all rows must fulfil, in the order of the text: those that `and` joins, relations, those
    of sets in parentheses, and those of clauses. What `or` joins, and what is inside of relations, is one condition.
    """
    for text, rows in _of_rows(query.rows):
        yield text, replace(query, rows=rows)
    for place, clause in enumerate(query.clauses):
        if isinstance(clause, tree.Where):
            for text, rest in _of_where(clause.condition):
                kept = () if rest is None else (replace(clause, condition=rest),)
                yield text, replace(query, clauses=(*query.clauses[:place], *kept, *query.clauses[place + 1 :]))


def _of_rows(rows: tree.Operand | tree.SetOperation) -> Iterator[tuple[str, tree.Operand | tree.SetOperation]]:
    if isinstance(rows, tree.Operand):
        yield from _of_operand(rows)
        return
    for place, operand in enumerate(rows.operands):
        if place and rows.operator == "minus":
            yield f"minus {text_of.format_query(tree.Query(operand))}", rows.operands[0]
            continue
        for text, changed in _of_operand(operand):
            yield text, replace(rows, operands=(*rows.operands[:place], changed, *rows.operands[place + 1 :]))


def _of_operand(operand: tree.Operand) -> Iterator[tuple[str, tree.Operand]]:
    source = operand.source
    if isinstance(source, tree.Nested):
        for text, query in without_each(source.query):
            yield text, replace(operand, source=replace(source, query=query))
    if isinstance(source, tree.Entity) and source.relation is not None:
        yield text_of.format_expression(source.relation), replace(operand, source=replace(source, relation=None))
    if operand.where is not None:
        for text, rest in _of_where(operand.where):
            yield text, replace(operand, where=rest)


def _of_where(where: tree.Expression) -> Iterator[tuple[str, tree.Expression | None]]:
    conditions = where.operands if isinstance(where, tree.And) else (where,)
    for place, condition in enumerate(conditions):
        rest = conditions[:place] + conditions[place + 1 :]
        yield text_of.format_expression(condition), None if not rest else rest[0] if len(rest) == 1 else tree.And(rest)
