"""YAML as light values that know where they were written: one pass over the events of libyaml, without recursion.

This is the lower half of the trust boundary for user files. It refuses what would be read silently wrong or not at
all: a key given twice, aliases that stand for more than they should, nesting without end, tags, a second document,
bytes that are not UTF-8. It decides no types: a scalar keeps its source text and whether it was plain or quoted.

Values are libyaml's own scalar events (nothing is copied), `ListNode` and `MapNode`. Long lists at the top level can be
streamed: `Document.entries` builds one item at a time, so that a workflow of a million jobs never is in memory as YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from planner.errors import FileError
from planner.workflow import Place
from planner.yaml_nodes import AnyMark, ItemStream, ListNode, MapNode, Node, Scalar, is_plain, place_of
from planner.yaml_source import YamlSource

MAX_DEPTH = 64
"""Levels of lists and mappings within each other. The formats need eight; thousands are an attack or an accident."""

MAX_ALIASED = 1_000_000
MAX_ALIASED_RATIO = 10
"""Aliases may stand for at most MAX_ALIASED values, plus MAX_ALIASED_RATIO for each value that the file spells out."""

_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_Anchor: TypeAlias = tuple[str, int]


class Document:
    """The one document of a file. ``path`` is for messages only (None: text that came from elsewhere)."""

    def __init__(self, data: bytes, path: Path | None = None) -> None:
        self.path = path
        self._source = YamlSource(data, path)
        self._get: Callable[[], Event | None] = CParser(data).get_event
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open_anchors: list[str] = []
        self._spelled_out = 0
        self._aliased = 0

    def error(self, mark: AnyMark, message: str, *, hint: str | None = None) -> FileError:
        """The error of something at ``mark``."""
        return FileError(place_of(self.path, mark), message, hint=hint)

    def entries(self, streamed: frozenset[str] = frozenset()) -> Iterator[tuple[Scalar, Node | ItemStream]]:
        """Key and value of each entry of the mapping that the document is, in file order.

        A list under a key in ``streamed`` comes as an `ItemStream`, valid until the next entry is asked for. Raises
        FileError for everything that the module refuses, at the place where it shows.
        """
        self._open_mapping()
        seen: dict[str, Scalar] = {}
        while type(event := self._next()) is not MappingEndEvent:
            key = self._key(self._build(event), seen.get)
            seen[key.value] = key
            event = self._next()
            if key.value in streamed and type(event) is SequenceStartEvent and event.anchor is None:
                self._refuse_tag(event)
                stream = ItemStream(event.start_mark, self._stream())
                yield key, stream
                for _ in stream.items:  # whatever the caller left
                    pass
            else:
                yield key, self._build(event)
        self._close()

    # -- events

    def _next(self) -> Event:
        try:
            event = self._get()
        except YAMLError as error:
            raise self._source.syntax_error(error) from None
        assert event is not None, "libyaml ended its stream without saying so"
        return event

    def _open_mapping(self) -> None:
        self._next()  # start of the stream
        event = self._next()
        if type(event) is StreamEndEvent:
            raise FileError(Place(self.path, 1, 1), "expected a mapping, found an empty file")
        event = self._next()
        if type(event) is not MappingStartEvent:
            found = "a list" if type(event) is SequenceStartEvent else "a single value"
            raise self.error(event.start_mark, f"expected a mapping (key: value), found {found}")
        self._refuse_tag(event)

    def _close(self) -> None:
        self._next()  # end of the document
        event = self._next()
        if type(event) is DocumentStartEvent:
            raise self.error(
                event.start_mark, "expected one document, found a second one", hint="remove all that follows '---'"
            )

    def _stream(self) -> Iterator[Node]:
        while type(event := self._next()) is not SequenceEndEvent:
            yield self._build(event)

    # -- values

    def _build(self, event: Event) -> Node:
        """The value that starts with ``event``; the loop of everything, so it is flat and allocates little."""
        try:
            return self._build_value(event)
        except YAMLError as error:
            raise self._source.syntax_error(error) from None

    def _build_value(self, event: Event | None) -> Node:
        stack: list[tuple[ListNode | MapNode | None, Scalar | None, _Anchor | None]] = []
        inside: ListNode | MapNode | None = None
        key: Scalar | None = None
        anchor: _Anchor | None = None
        while True:
            value: Node
            if isinstance(event, ScalarEvent):
                value = event
                self._spelled_out += 1
                if event.tag is not None or event.anchor is not None:
                    self._check_scalar(event)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                if len(stack) == MAX_DEPTH:
                    raise self.error(
                        event.start_mark, f"lists and mappings are nested more than {MAX_DEPTH} levels deep"
                    )
                stack.append((inside, key, anchor))
                anchor = self._start(event)
                inside = (
                    MapNode(event.start_mark) if isinstance(event, MappingStartEvent) else ListNode(event.start_mark)
                )
                key = None
                event = self._get()
                continue
            elif isinstance(event, AliasEvent):
                value = self._alias(event)
            else:
                assert inside is not None, f"unexpected event {event!r}"
                value = inside
                self._end(anchor, value)
                inside, key, anchor = stack.pop()
            if inside is None:
                return value
            if isinstance(inside, ListNode):
                inside.items.append(value)
            elif key is None:
                key = self._map_key(inside, value)
            else:
                inside.values[key.value] = value
                key = None
            event = self._get()

    def _map_key(self, inside: MapNode, value: Node) -> Scalar:
        if not isinstance(value, ScalarEvent) or value.value == "<<" or value.value in inside.values:
            value = self._key(value, lambda text: next((key for key in inside.keys if key.value == text), None))
        inside.keys.append(value)
        return value

    def _key(self, value: Node, first: Callable[[str], Scalar | None]) -> Scalar:
        """``value`` if it can be a key; ``first`` finds an earlier key of the same text."""
        if not isinstance(value, ScalarEvent):
            raise self.error(value.start_mark, "expected text as a key, found a list or mapping")
        if value.value == "<<" and is_plain(value):
            raise self.error(
                value.start_mark, "merge keys (<<) belong to YAML 1.1", hint="write the keys out, or use an alias"
            )
        earlier = first(value.value)
        if earlier is not None:
            where = place_of(self.path, earlier.start_mark)
            message = f"key {value.value!r} appears twice in one mapping; first at {where.line}:{where.column}"
            raise self.error(value.start_mark, message, hint="keep one of them")
        return value

    # -- anchors, aliases and tags

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> _Anchor | None:
        self._spelled_out += 1
        self._refuse_tag(event)
        if event.anchor is None:
            return None
        self._open_anchors.append(event.anchor)
        return event.anchor, self._size()

    def _end(self, anchor: _Anchor | None, value: Node) -> None:
        if anchor is not None:
            name, size_before = anchor
            self._open_anchors.remove(name)
            self._anchors[name] = (value, self._size() - size_before + 1)

    def _alias(self, event: AliasEvent) -> Node:
        """What the alias stands for: the same value again, counted as if it were spelled out."""
        name = event.anchor
        if name in self._open_anchors:
            raise self.error(event.start_mark, f"alias *{name} stands inside the value that it stands for")
        if name not in self._anchors:
            raise self.error(event.start_mark, f"alias *{name} has no anchor &{name} before it")
        value, size = self._anchors[name]
        self._aliased += size
        if self._aliased > MAX_ALIASED + MAX_ALIASED_RATIO * self._spelled_out:
            raise self.error(
                event.start_mark, f"aliases stand for more than {MAX_ALIASED} values", hint="write the values out"
            )
        return value

    def _check_scalar(self, event: Scalar) -> None:
        if event.anchor is not None:
            self._anchors[event.anchor] = (event, 1)
        if event.tag not in _TEXT_TAGS:
            self._refuse_tag(event)

    def _refuse_tag(self, event: NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            raise self.error(
                event.start_mark, f"tag {shown} is not supported", hint="remove the tag; quotes make a value text"
            )

    def _size(self) -> int:
        return self._spelled_out + self._aliased
