"""Values of a YAML file that know where they were written. A scalar keeps its source text: it has no type yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from yaml._yaml import Mark
from yaml.error import Mark as PythonMark
from yaml.events import ScalarEvent

from planner.workflow import Place

Scalar: TypeAlias = ScalarEvent
"""A scalar: ``value`` is its text without quotes, ``implicit[0]`` is true if it was plain, ``start_mark`` its place."""


@dataclass(slots=True, eq=False)
class ListNode:
    """A list and where it starts."""

    start_mark: AnyMark
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class MapNode:
    """A mapping and where it starts. ``keys`` are in file order and distinct; ``values`` is by the text of the key."""

    start_mark: AnyMark
    keys: list[Scalar] = field(default_factory=list)
    values: dict[str, Node] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class ItemStream:
    """A list of the top level whose items are built while it is iterated, once."""

    start_mark: AnyMark
    items: Iterator[Node]


AnyMark: TypeAlias = Mark | PythonMark | None
"""libyaml's marks. The types of PyYAML allow its Python parser's marks and none at all, which do not occur."""

Node: TypeAlias = Scalar | ListNode | MapNode


def place_of(path: Path | None, mark: AnyMark) -> Place:
    """The place of a mark, counted from 1."""
    assert mark is not None, "libyaml marks every event"
    return Place(path, mark.line + 1, mark.column + 1)


def is_plain(scalar: Scalar) -> bool:
    """Whether it was written without quotes (and without a tag that makes it text)."""
    return bool(scalar.implicit[0]) and scalar.tag is None
