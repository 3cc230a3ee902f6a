"""Is a text a query, as far as that can be said before its parameters have values? A store asks before it saves one."""

from __future__ import annotations

import datetime as dt

from query import pinning, resolve, rewrite, saved, tree
from query.context import Context
from query.errors import QueryError
from query.frozen import Frozen, frozen
from query.parse import parse
from query.vocabulary import Vocabulary


@frozen
class Checked(Frozen):
    """``tree``: JSON values of the syntax tree with every name decided; ``parameters``: names, in their order."""

    tree: object
    parameters: tuple[str, ...]


def checked(text: str, vocabulary: Vocabulary, now: dt.datetime, *, name: str) -> Checked:
    """Check ``text`` before it is saved as ``name``. Raises QueryError for what could not be used as @name.

    Names must mean something. A query without parameters is resolved wholly; what parameters are compared with is
    found out when they have values.
    """
    context = Context(text, vocabulary, {}, now)
    statement = parse(text)
    if statement.as_of is not None:
        context.fail("a saved query carries no `as of`", statement.as_of.span, f"leave it out: @{name} as of …")
    context = context.inside(name, text)
    with_names = pinning.pinned(context, statement.query)
    whole = saved.expanded(context, statement.query)
    found = parameters(text)
    if not found:
        resolve.statement(context, whole)
    return Checked(tree.to_json(with_names), found)


def parameters(text: str) -> tuple[str, ...]:
    """The names of the parameters of a query, in their order; none of a text that is no query any more."""
    try:
        statement = parse(text)
    except QueryError:
        return ()
    names = (node.name for node in rewrite.nodes(statement) if isinstance(node, tree.Parameter))
    return tuple(dict.fromkeys(names))
