"""A selection sees the files that can be read: the condition that says so becomes part of the query, visibly."""

from __future__ import annotations

from dataclasses import replace

from query import tree
from query.context import Context

_READABLE = tree.Compare("=", tree.Name((tree.Part("status"),)), tree.Text("ok"))


def readable(context: Context, query: tree.Query) -> tree.Query:
    """``query`` with `status = "ok"` on every set that it takes files from. Anything but files is an error.

    It goes to the sources, before any clause: else `latest 1` could choose a file that is gone and hide one that is
    not.
    """
    for clause in query.clauses:
        if isinstance(clause, tree.Show | tree.Summarize):
            context.fail("a selection chooses files, it shows nothing", clause.span, "leave show and summarize out")
    rows = query.rows
    if isinstance(rows, tree.Operand):
        return replace(query, rows=_readable_operand(context, rows))
    return replace(
        query, rows=replace(rows, operands=tuple(_readable_operand(context, each) for each in rows.operands))
    )


def _readable_operand(context: Context, operand: tree.Operand) -> tree.Operand:
    source = operand.source
    if isinstance(source, tree.Nested):
        return replace(operand, source=replace(source, query=readable(context, source.query)))
    if isinstance(source, tree.Entity) and source.name != "files":
        hint = f"for example: files produced by ({source.name} …)" if source.name in ("jobs", "workflows") else None
        context.fail(f"a selection chooses files, not {source.name}", source.span, hint)
    where = operand.where
    conditions = () if where is None else where.operands if isinstance(where, tree.And) else (where,)
    if _READABLE in conditions:
        return operand
    return replace(operand, where=tree.And((*conditions, _READABLE)) if conditions else _READABLE)
