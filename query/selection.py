"""A selection sees the files that can be read: the condition that says so becomes part of the query, visibly. What it
would choose if it saw others too is asked in the same way.
"""

from __future__ import annotations

from dataclasses import replace

from query import tree
from query.context import Context

READABLE = ("ok",)
"""The statuses of the files that a selection chooses from."""
_STATUS = tree.Name((tree.Part("status"),))
_READABLE = tree.Compare("=", _STATUS, tree.Text("ok"))


def selected(context: Context, query: tree.Query, statuses: tuple[str, ...] = READABLE) -> tree.Query:
    """``query`` with the condition that files have one of ``statuses``, `status = "ok"`, on every set that it takes
    files from. Anything but files is an error.

    It goes to the sources, before any clause: else `latest 1` could choose a file that is gone and hide one that is
    not. A set whose conditions include `status = "ok"` is left as it is.
    """
    for clause in query.clauses:
        if isinstance(clause, tree.Show | tree.Summarize):
            context.fail("a selection chooses files, it shows nothing", clause.span, "leave show and summarize out")
    rows = query.rows
    if isinstance(rows, tree.Operand):
        return replace(query, rows=_operand(context, rows, statuses))
    return replace(
        query, rows=replace(rows, operands=tuple(_operand(context, each, statuses) for each in rows.operands))
    )


def _operand(context: Context, operand: tree.Operand, statuses: tuple[str, ...]) -> tree.Operand:
    source = operand.source
    if isinstance(source, tree.Nested):
        return replace(operand, source=replace(source, query=selected(context, source.query, statuses)))
    if isinstance(source, tree.Entity) and source.name != "files":
        hint = f"for example: files produced by ({source.name} …)" if source.name in ("jobs", "workflows") else None
        context.fail(f"a selection chooses files, not {source.name}", source.span, hint)
    where = operand.where
    conditions = () if where is None else where.operands if isinstance(where, tree.And) else (where,)
    if _READABLE in conditions:
        return operand
    condition = _condition(statuses)
    return replace(operand, where=tree.And((*conditions, condition)) if conditions else condition)


def _condition(statuses: tuple[str, ...]) -> tree.Expression:
    if statuses == READABLE:
        return _READABLE
    return tree.In(_STATUS, tree.Choices(tuple(tree.Text(status) for status in statuses)))
