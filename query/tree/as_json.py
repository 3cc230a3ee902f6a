"""A tree, of syntax or resolved, as JSON values: what plans and saved queries keep."""

from __future__ import annotations

import dataclasses
from enum import Enum


def to_json(value: object) -> object:
    """Any tree of frozen nodes as JSON values: an object for each node, ``"node"`` first, without spans and nulls."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        node: dict[str, object] = {"node": type(value).__name__}
        for each in dataclasses.fields(value):
            content = getattr(value, each.name)
            if each.name not in ("span", "origin") and content is not None:
                node[each.name] = to_json(content)
        return node
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)
