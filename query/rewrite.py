"""A tree with some of its nodes replaced, and all of its nodes one by one: what passes over the syntax tree share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from query.tree import Node

_Node = TypeVar("_Node", bound=Node)


def mapped(node: _Node, change: Callable[[Node], Node]) -> _Node:
    """``node`` with what is below it replaced by what ``change`` makes of it. What was replaced is not entered."""
    changes: dict[str, Any] = {}
    for each in dataclasses.fields(node):
        value = getattr(node, each.name)
        new = _within(value, change)
        if new is not value:
            changes[each.name] = new
    return dataclasses.replace(node, **changes) if changes else node


def changed(node: _Node, change: Callable[[Node], Node]) -> Any:
    """What ``change`` makes of ``node``; if it leaves it as it is, of what is below it."""
    new = change(node)
    return mapped(node, change) if new is node else new


def _within(value: object, change: Callable[[Node], Node]) -> object:
    if isinstance(value, Node):
        return changed(value, change)
    if isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
        items = tuple(_within(item, change) for item in value)
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def children(node: Node) -> list[Node]:
    """The nodes right below ``node``, in the order of the text."""
    found: list[Node] = []
    for each in dataclasses.fields(node):
        value = getattr(node, each.name)
        found.extend(item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, Node))
    return found


def nodes(node: Node) -> Iterator[Node]:
    """``node`` and all nodes below it, each before those below it, in the order of the text."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(children(found)))
