"""What questions ask: which operator of what kind of field, one that has values of one form, of several, lists, or none for
some rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from query import tree
from query.parse import parse
from tests.query.oracle.entities import State
from tests.query.oracle.kinds import Kind, Kinds
from tests.query.oracle.scalars import Refused

Pair = tuple[str, str]


def asked(text: str, state: State) -> set[Pair]:
    """(operator, kind of field) of each predicate about a field of the rows asked for."""
    statement = parse(text)
    found: set[Pair] = set()
    for entity, node in _predicates(statement.query, "files"):
        operand = getattr(node, "left", None) or getattr(node, "operand", None)
        name = operand if isinstance(operand, tree.Name) else getattr(node, "right", None)
        if isinstance(name, tree.Name):
            try:
                kind = Kinds(state, entity, {}).name(name)
            except Refused:
                continue
            found.add((_operator(node), _word(kind)))
    return found


def _predicates(node: Any, entity: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, tree.Operand):
        entity = _entity(node)
    if isinstance(node, tree.Query):
        entity = _entity(node)
    if isinstance(node, tree.Summarize):
        return
    if isinstance(node, tree.Compare | tree.In | tree.Between | tree.Like | tree.Matches | tree.Is | tree.Has):
        yield entity, node
        return
    if isinstance(node, tuple):
        for each in node:
            yield from _predicates(each, entity)
    elif isinstance(node, tree.Node):
        for each in fields(node):
            yield from _predicates(getattr(node, each.name), entity)


def _entity(node: Any) -> str:
    while not isinstance(node, tree.Entity):
        match node:
            case tree.Query(rows=rows):
                node = rows
            case tree.SetOperation(operands=operands):
                node = operands[0]
            case tree.Operand(source=source):
                node = source
            case tree.Nested(query=query):
                node = query
            case _:
                return "files"
    return node.name


def _operator(node: Any) -> str:
    no = "not " if getattr(node, "negated", False) else ""
    match node:
        case tree.Compare(operator=operator):
            return operator
        case tree.In(choices=tree.Range()):
            return f"{no}in a..b"
        case tree.Is(missing=missing):
            return "is missing" if missing else "is present"
        case tree.Has(quantifier=quantifier):
            return f"{no}has {quantifier or ''}".strip()
        case _:
            return no + type(node).__name__.lower()


def _word(kind: Kind) -> str:
    if not kind.metadata:
        return "texts" if kind.many else kind.dimension if kind.dimension in ("size", "duration") else str(kind.form)
    assert kind.has is not None
    if kind.has["lists"]:
        return "key of lists" if kind.many else "key of lists and single values"
    forms = [form for form in ("number", "truth", "time") if kind.has[form]]
    whole = [form for form in forms if kind.has[form] == kind.has["text"]]
    return f"key of {whole[0]}" if whole else "key of mixed values" if forms else "key of text"
