"""Saved queries: `@name(argument = value, ...)` becomes the query that was saved, its parameters the arguments.

That is done to the syntax tree, before names mean anything, so that whatever is true of a query in parentheses is true
of a saved one, and a plan freezes the whole of it. A saved query sees its own arguments only. What is wrong in it is
shown in its own text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

from query import rewrite, tree
from query.context import Context
from query.errors import LocatedError, QueryError, QueryTooLarge, Span, did_you_mean
from query.parse import parse
from query.vocabulary import SavedText

_MAX_DEPTH = 16
_MOST_OPENED = 100


def expanded(context: Context, query: tree.Query) -> tree.Query:
    """``query`` with every saved query in place of its name."""

    def change(node: tree.Node) -> tree.Node:
        return _nested(context, node) if isinstance(node, tree.Saved) else node

    return rewrite.mapped(query, change)


def alone(query: tree.Query) -> tree.Saved | None:
    """The saved query that is all of ``query``: then it may show and summarize, too."""
    rows = query.rows
    if query.clauses or not isinstance(rows, tree.Operand) or rows.where is not None:
        return None
    return rows.source if isinstance(rows.source, tree.Saved) else None


def opened(context: Context, node: tree.Saved) -> tuple[tree.Query, Context]:
    """The query that ``node`` stands for, arguments in place, and the context of its text."""
    saved = context.vocabulary.saved(node.name)
    if saved is None:
        near = did_you_mean(node.name, context.vocabulary.saved_names())
        hint = f"did you mean @{near}?" if near else f"save it: pirene query --save {node.name} 'files where …'"
        context.fail(f"no saved query called {node.name}", node.span, hint)
    if node.name in context.saved or len(context.saved) >= _MAX_DEPTH:
        context.fail(f"the saved query {node.name} uses itself", node.span, " → ".join((*context.saved, node.name)))
    context.opened.append(node.name)
    if len(context.opened) > _MOST_OPENED:
        raise QueryTooLarge(f"saved queries are used more than {_MOST_OPENED} times in one query")
    if saved.note:
        context.note(saved.note)
    inner = context.inside(node.name, saved.text)
    with_names = pinned(inner, node.name, saved)
    arguments = _arguments(context, node)
    query = _Arguments(inner, arguments).put_into(with_names)
    used = {found.name for found in rewrite.nodes(with_names) if isinstance(found, tree.Parameter)}
    for argument in node.arguments:
        if argument.name not in used:
            near = did_you_mean(argument.name, used)
            hint = f"did you mean {near}?" if near else f"it takes {', '.join(sorted(used)) or 'no arguments'}"
            context.fail(f"@{node.name} has no parameter {argument.name}", argument.span, hint)
    return expanded(inner, query), inner


def pinned(context: Context, name: str, saved: SavedText) -> tree.Query:
    """The saved query with its names meaning what they meant when it was saved. Errors say which query they are in."""
    statement = parse_inside(name, saved.text)
    if statement.as_of is not None:
        context.fail(f"in the saved query {name}: it carries its own `as of`", statement.as_of.span, "leave it out")
    if saved.tree is None:
        return statement.query
    kept = _names_of(saved.tree)

    def change(node: tree.Node) -> tree.Node:
        if not isinstance(node, tree.Name):
            return node
        parts = next(kept, ())
        if ".".join(part.text for part in parts) != ".".join(part.text for part in node.parts):
            raise QueryError(
                f"the saved query {name} is damaged: its tree is not that of its text", hint="save it again"
            )
        return replace(node, parts=parts)

    return rewrite.mapped(statement.query, change)


def parse_inside(name: str, text: str) -> tree.Statement:
    """The tree of a saved query's text; what is wrong in it says which query it is in."""
    try:
        return parse(text)
    except LocatedError as error:
        raise error.within_saved(name) from error
    except QueryError as error:
        raise QueryError(f"in the saved query {name}: {error}", hint=error.hint) from error


def _names_of(json: object) -> Iterator[tuple[tree.Part, ...]]:
    """The names in a tree as JSON, in order."""
    if isinstance(json, dict):
        if json.get("node") == "Name":
            yield tuple(tree.Part(str(part["text"]), part.get("quoted") is True) for part in json["parts"])
            return
        for value in json.values():
            yield from _names_of(value)
    elif isinstance(json, list):
        for value in json:
            yield from _names_of(value)


def _nested(context: Context, node: tree.Saved) -> tree.Nested:
    query, inner = opened(context, node)
    return tree.Nested(query, span=node.span, origin=tree.Origin(node.name, inner.text))


def _arguments(context: Context, node: tree.Saved) -> dict[str, tree.Choices | tree.Expression]:
    found: dict[str, tree.Choices | tree.Expression] = {}
    for argument in node.arguments:
        if isinstance(argument.value, tree.Range):
            hint = "two arguments make a range: $a..$b in the saved query"
            context.fail("an argument is one value or a list", argument.span, hint)
        if argument.name in found:
            context.fail(f"{argument.name} is given twice", argument.span, "a list is written x = (1, 2)")
        found[argument.name] = argument.value
    return found


class _Arguments:
    """Puts ``values`` in place of the parameters of a saved query; what they are put in says where they are."""

    def __init__(self, context: Context, values: dict[str, tree.Choices | tree.Expression]) -> None:
        self.context = context
        self.values = values

    def put_into(self, query: tree.Query) -> tree.Query:
        """``query`` without parameters of its own."""
        return rewrite.mapped(query, self._change)

    def _change(self, node: tree.Node) -> tree.Node:
        match node:
            case tree.Parameter():
                return self._one(node)
            case tree.In(operand=operand, choices=choices) | tree.Has(operand=operand, choices=choices):
                return replace(node, operand=rewrite.changed(operand, self._change), choices=self._several(choices))
            case tree.Argument(value=value):
                return replace(node, value=self._several(value))
            case tree.Limit(count=tree.Parameter() as parameter):
                return replace(node, count=self._count(parameter))
            case tree.Like(pattern=tree.Parameter() as parameter) | tree.Matches(pattern=tree.Parameter() as parameter):
                pattern = self._one(parameter)
                if not isinstance(pattern, tree.Text | tree.Parameter):
                    self._fail(f"${parameter.name} is no text, and a pattern is one", parameter.span)
                return replace(node, operand=rewrite.changed(node.operand, self._change), pattern=pattern)
            case _:
                return node

    def _any(self, parameter: tree.Parameter) -> tree.Choices | tree.Expression:
        value = self.values.get(parameter.name)
        if value is None:
            query = self.context.saved[-1]
            self._fail(f"no value for ${parameter.name}", parameter.span, f"write @{query}({parameter.name} = …)")
        return replace(value, span=parameter.span)

    def _one(self, parameter: tree.Parameter) -> tree.Expression:
        value = self._any(parameter)
        if isinstance(value, tree.Choices):
            hint = "lists go after in and has any"
            self._fail(f"${parameter.name} is a list, and one value is expected here", parameter.span, hint)
        return value

    def _several(self, choices: tree.Node) -> Any:
        if isinstance(choices, tree.Parameter):
            return self._any(choices)
        if not isinstance(choices, tree.Choices):
            return rewrite.changed(choices, self._change)
        bounds: list[tree.Expression] = []
        for bound in choices.bounds:
            found = self._any(bound) if isinstance(bound, tree.Parameter) else rewrite.changed(bound, self._change)
            bounds.extend(found.bounds if isinstance(found, tree.Choices) else (found,))
        return replace(choices, bounds=tuple(bounds))

    def _count(self, parameter: tree.Parameter) -> int | tree.Parameter:
        match self._one(parameter):
            case tree.Parameter() as given:
                return given
            case tree.Quantity(number=number, unit=None) if number.isdigit():
                return int(number)
            case _:
                return self._fail(f"limit needs a whole number, and ${parameter.name} is none", parameter.span)

    def _fail(self, message: str, span: Span, hint: str | None = None) -> NoReturn:
        self.context.fail(f"in the saved query {self.context.saved[-1]}: {message}", span, hint)
