"""Smallest and largest values in the documents of commits: what an erasure may take from a commit, and nothing else.

A commit says of each column of a segment between which values it lies. Those are values of somebody's. Without them,
and thus with another seal, a commit counts as the same: nobody prunes by the bounds of segments that are not there, or
by those of another store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from provenance.history.canonical import SEAL, sealed
from provenance.history.commits import Commit
from provenance.history.entry import BOUNDS, entry_of
from provenance.schema import COMMIT_NUMBER


def tells(commit: Commit, gone: Collection[str]) -> bool:
    """Whether a commit says anything of the values in segments that are ``gone``, but for commit numbers."""
    return any(_are_told(segment.columns) for segment in commit.segments if segment.path in gone)


def tells_of_tables(commit: Commit, tables: Collection[str]) -> bool:
    """Whether a commit says anything of the values in some tables, but for commit numbers."""
    return any(_are_told(segment.columns) for segment in commit.segments if segment.table in tables)


def drop(document: dict[str, Any], concerned: Callable[[Mapping[str, Any]], bool]) -> None:
    """Take the bounds out of what the document of a commit says of some segments."""
    for segment in document["segments"]:
        if concerned(segment):
            _drop(segment)


def without(data: bytes, tables: Collection[str]) -> bytes:
    """The document of a commit with no bounds of values in some tables; the same bytes if there are none."""
    document: dict[str, Any] = json.loads(data)
    concerned = [segment for segment in document["segments"] if segment["table"] in tables]
    if not any(_are_told(segment["columns"]) for segment in concerned):
        return data
    del document[SEAL]
    for segment in concerned:
        _drop(segment)
    return sealed(document)


def same_commit(one: bytes, other: bytes) -> bool:
    """Whether two documents, each that of a commit, are of one and the same, whatever erasures took from either."""
    return one == other or entry_of(one) == entry_of(other)


def _are_told(columns: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(
        bound in statistics for name, statistics in columns.items() if name != COMMIT_NUMBER.name for bound in BOUNDS
    )


def _drop(segment: Mapping[str, Any]) -> None:
    for name, statistics in segment["columns"].items():
        if name != COMMIT_NUMBER.name:
            for bound in BOUNDS:
                statistics.pop(bound, None)
