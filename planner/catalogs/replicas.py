"""The replica catalog: where the copies of logical files are, and what is known of their content."""

from __future__ import annotations

import re

from planner.catalogs.model import Catalogs, ReplicaEntry
from planner.errors import FileError
from planner.yaml_nodes import Node
from planner.yaml_values import AnyNode, Reading

_ENTRY_KEYS = frozenset({"lfn", "pfns", "checksum", "metadata", "regex"})
_PFN_KEYS = frozenset({"site", "pfn"})
_GROUP = re.compile(r"\[([0-9]+)\]")


def read_replicas(reading: Reading, node: AnyNode) -> Catalogs:
    """The list `replicas`. Entries of one lfn become one; raises FileError, also if they contradict each other."""
    exact: dict[str, ReplicaEntry] = {}
    patterns: list[ReplicaEntry] = []
    for item in reading.items(node, "replicas"):
        entry = _entry(reading, item)
        if entry.regex:
            patterns.append(entry)
        else:
            exact[entry.lfn] = _joined(exact[entry.lfn], entry) if entry.lfn in exact else entry
    return Catalogs(replicas=exact, replica_patterns=tuple(patterns))


def refuse_contradiction(first: ReplicaEntry, second: ReplicaEntry) -> None:
    """Raise FileError if the two entries of one lfn declare different contents: either could be the wrong one."""
    if first.sha256 and second.sha256 and first.sha256 != second.sha256:
        message = f"replica {second.lfn!r} has sha256 {second.sha256} here and {first.sha256} at {first.place}"
        raise FileError(second.place, message, hint="one lfn is one content: correct one, or give them different lfns")


def _joined(first: ReplicaEntry, second: ReplicaEntry) -> ReplicaEntry:
    refuse_contradiction(first, second)
    return ReplicaEntry(
        lfn=first.lfn,
        pfns=tuple(dict.fromkeys((*first.pfns, *second.pfns))),
        place=first.place,
        sha256=first.sha256 or second.sha256,
        metadata={**first.metadata, **second.metadata},
    )


def _entry(reading: Reading, node: Node) -> ReplicaEntry:
    entry = reading.mapping(node, "an entry of replicas")
    reading.known_keys(entry, _ENTRY_KEYS, "a replica", frozenset())
    lfn_node = reading.required(entry, "lfn", "a replica")
    lfn = reading.name(lfn_node, "lfn")
    regex = reading.flag(entry, "regex", False)
    groups = _groups(reading, lfn_node, lfn) if regex else 0
    pfns = []
    for item in reading.items(reading.required(entry, "pfns", "a replica"), "pfns"):
        pair = reading.mapping(item, "an entry of pfns")
        reading.known_keys(pair, _PFN_KEYS, "a pfn", frozenset())
        pfn_node = reading.required(pair, "pfn", "a pfn")
        pfn = reading.name(pfn_node, "pfn")
        if regex:
            _check_groups(reading, pfn_node, pfn, groups)
        pfns.append((reading.name(reading.required(pair, "site", "a pfn"), "site"), pfn))
    return ReplicaEntry(
        lfn=lfn,
        pfns=tuple(pfns),
        place=reading.place(entry.start_mark),
        sha256=reading.checksum(entry.values["checksum"]) if "checksum" in entry.values else None,
        metadata=reading.optional_metadata(entry),
        regex=regex,
    )


def _groups(reading: Reading, node: Node, pattern: str) -> int:
    """How many groups the pattern has."""
    try:
        return re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        message = f"lfn {pattern!r} is no regular expression: {error}"
        raise reading.error(node, message, hint="regex: false takes it literally") from None


def _check_groups(reading: Reading, node: Node, pfn: str, groups: int) -> None:
    for number in _GROUP.findall(pfn):
        if int(number) > groups:
            raise reading.error(node, f"pfn {pfn!r} refers to group [{number}], but the pattern has {groups} of them")
