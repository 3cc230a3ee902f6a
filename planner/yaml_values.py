"""Typed values from YAML nodes, and the words for what is wrong with them.

`Reading` is one file (or one inline catalog) being read: it knows how to name a place, expands `${VAR}` where the
format has that, and collects the keys that are known but have no effect yet. Types follow the core schema of YAML
1.2: `yes` is text, not a truth value; text keeps its source form, so that `1.10` stays `1.10` and a sha256 of digits
alone stays 64 characters.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from planner.errors import FileError
from planner.workflow import Metadata, Place
from planner.yaml_nodes import AnyMark, ItemStream, ListNode, MapNode, Node, Scalar, is_plain, place_of
from provenance.metadata import Written, from_yaml

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"true", "True", "TRUE"})
FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FORMAT_VERSION = re.compile(r"5(\.[0-9A-Za-z.-]+)?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

AnyNode = Node | ItemStream


class Reading:
    """One file being read.

    ``expand`` turns a text and its place into the text with its variables replaced; None: the format has no variables.
    """

    def __init__(self, path: Path | None, expand: Callable[[str, Place], str] | None = None) -> None:
        self.path = path
        self.expand = expand
        self._without_effect: dict[str, tuple[Place, int]] = {}
        self._written: dict[tuple[str, bool], Written] = {}  # most values repeat from job to job

    # -- places and messages

    def place(self, mark: AnyMark) -> Place:
        """The place of a mark, counted from 1."""
        return place_of(self.path, mark)

    def error(self, node: AnyNode, message: str, *, hint: str | None = None) -> FileError:
        """The error of something at the start of ``node``."""
        return FileError(self.place(node.start_mark), message, hint=hint)

    def expected(self, what: str, name: str, node: AnyNode, *, hint: str | None = None) -> FileError:
        """The error of a ``node`` that should have been ``what``, as the value of ``name``."""
        return self.error(node, f"expected {what} for {name}, found {describe(node)}", hint=hint)

    def no_effect(self, kind: str, node: AnyNode) -> None:
        """Note that ``kind`` (`hooks`, `profiles.condor`, ...) was used although it has no effect yet."""
        place, count = self._without_effect.get(kind, (self.place(node.start_mark), 0))
        self._without_effect[kind] = (place, count + 1)

    def warnings(self) -> tuple[str, ...]:
        """One line for each kind of key that was used and has no effect yet, in the order of their first use."""
        return tuple(
            f"{place}: {kind} has no effect yet" + (f" ({count} times in this file)" if count > 1 else "")
            for kind, (place, count) in self._without_effect.items()
        )

    # -- mappings and lists

    def mapping(self, node: AnyNode, name: str) -> MapNode:
        """``node`` as a mapping."""
        if not isinstance(node, MapNode):
            raise self.expected("a mapping", name, node)
        return node

    def items(self, node: AnyNode, name: str) -> Iterable[Node]:
        """The items of a list."""
        if not isinstance(node, (ListNode, ItemStream)):
            hint = f"write {name}: [] for an empty list" if _is_null(node) else None
            raise self.expected("a list", name, node, hint=hint)
        return node.items

    def known_keys(self, node: MapNode, known: frozenset[str], of: str, without_effect: frozenset[str]) -> None:
        """Refuse keys that are not ``known``, save `x-` ones; note those ``without_effect``."""
        if node.values.keys() <= known and without_effect.isdisjoint(node.values):
            return
        for key in node.keys:
            name = key.value
            if name in without_effect:
                self.no_effect(f"{name!r} of {of}", key)
            elif name not in known and not name.startswith("x-"):
                hint = suggestion(name, known) or "known keys: " + ", ".join(sorted(known))
                raise self.error(key, f"unknown key {name!r} of {of}", hint=hint)

    def required(self, node: MapNode, key: str, of: str) -> Node:
        """The value of a key that must be there."""
        value = node.values.get(key)
        if value is None:
            raise self.error(node, f"{of} has no {key!r}", hint=f"add {key}: ...")
        return value

    def entries(self, node: AnyNode, name: str) -> Iterator[tuple[Scalar, Node]]:
        """Key and value of each entry of a mapping."""
        mapping = self.mapping(node, name)
        return ((key, mapping.values[key.value]) for key in mapping.keys)

    # -- scalars

    def text(self, node: AnyNode, name: str) -> str:
        """Any scalar as its source text, save an unquoted null."""
        if not isinstance(node, Scalar):
            raise self.expected("text", name, node)
        value = str(node.value)
        if value in NULLS and node.implicit[0]:
            raise self.expected("text", name, node, hint='quote it if this is the text: "..."')
        return self.expanded(node)

    def expanded(self, node: Scalar) -> str:
        """The text of a scalar, with variables replaced where the file has variables."""
        value: str = node.value
        if self.expand is not None and "$" in value:
            return self.expand(value, self.place(node.start_mark))
        return value

    def name(self, node: AnyNode, name: str) -> str:
        """Text that is not empty and without NUL: an identifier, an lfn, a path."""
        value = self.text(node, name)
        if not value or "\0" in value:
            raise self.expected("text that is not empty and has no NUL in it", name, node)
        return value

    def optional_name(self, node: MapNode, key: str) -> str | None:
        """`name` of a key that may be missing."""
        value = node.values.get(key)
        return None if value is None else self.name(value, key)

    def boolean(self, node: AnyNode, name: str) -> bool:
        """`true` or `false`; quoted ones too, as some programs write all values as text."""
        value = self.text(node, name) if isinstance(node, Scalar) else None
        if value in TRUE:
            return True
        if value in FALSE:
            return False
        raise self.expected("true or false", name, node)

    def flag(self, node: MapNode, key: str, default: bool) -> bool:
        """`boolean` of a key that may be missing."""
        value = node.values.get(key)
        return default if value is None else self.boolean(value, key)

    def count(self, node: AnyNode, name: str) -> int:
        """A whole number from 0; a quoted one too."""
        value = self.text(node, name) if isinstance(node, Scalar) else ""
        if not _INTEGER.fullmatch(value) or int(value) < 0:
            raise self.expected("a whole number, 0 or more,", name, node)
        return int(value)

    def choice(self, node: AnyNode, name: str, choices: Iterable[str]) -> str:
        """One of a closed set of words."""
        value = self.text(node, name)
        known = tuple(choices)
        if value not in known:
            what = ("one of " if len(known) > 1 else "") + ", ".join(known)
            raise self.expected(what, name, node, hint=suggestion(value, known))
        return value

    def checksum(self, node: AnyNode) -> str | None:
        """The sha256 of a `checksum` mapping, in lower case; None if it has none."""
        mapping = self.mapping(node, "checksum")
        self.known_keys(mapping, frozenset({"sha256"}), "a checksum", frozenset())
        value = mapping.values.get("sha256")
        if value is None:
            return None
        digest = self.text(value, "sha256")
        if not _SHA256.fullmatch(digest):
            raise self.expected("64 hexadecimal digits", "sha256", value)
        return digest.lower()

    def format_version(self, node: AnyNode) -> str:
        """The value of `pegasus`: a version 5 of the format, quoted or not."""
        version = self.name(node, "pegasus")
        if not _FORMAT_VERSION.fullmatch(version):
            raise self.expected("a version 5 of the format (such as 5.0)", "pegasus", node)
        return version

    # -- metadata

    def metadata(self, node: AnyNode) -> Metadata:
        """A `metadata` mapping: a key has a scalar or a list of scalars."""
        return {key.value: self._metadata_value(value, key.value) for key, value in self.entries(node, "metadata")}

    def optional_metadata(self, node: MapNode) -> Metadata:
        """The `metadata` of a mapping that may have none."""
        value = node.values.get("metadata")
        return {} if value is None else self.metadata(value)

    def _metadata_value(self, node: Node, key: str) -> Written | tuple[Written, ...]:
        if isinstance(node, Scalar):
            return self.written(node)
        if isinstance(node, ListNode):
            return tuple(self._metadata_item(item, key) for item in node.items)
        hint = "write nested keys with dots, as in sample.tissue: liver"
        raise self.expected("a value or a list of values", f"metadata key {key!r}", node, hint=hint)

    def _metadata_item(self, node: Node, key: str) -> Written:
        if not isinstance(node, Scalar):
            raise self.expected("a value", f"an item of metadata key {key!r}", node)
        return self.written(node)

    def written(self, node: Scalar) -> Written:
        """The scalar as a metadata value."""
        key = (self.expanded(node), is_plain(node))
        found = self._written.get(key)
        if found is None:
            found = self._written[key] = from_yaml(*key)
        return found


def describe(node: AnyNode) -> str:
    """What a node is, in the words of a message."""
    if isinstance(node, MapNode):
        return "a mapping"
    if not isinstance(node, Scalar):
        return "a list"
    if _is_null(node):
        return "nothing" if node.value == "" else f"null ({node.value})"
    value: str = node.value
    return repr(value if len(value) <= 60 else value[:57] + "...")


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """`did you mean ...?` if something in ``known`` is spelled much alike."""
    by_folded: Mapping[str, str] = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[close[0]]}?" if close else None


def _is_null(node: AnyNode) -> bool:
    return isinstance(node, Scalar) and node.value in NULLS and bool(node.implicit[0])
