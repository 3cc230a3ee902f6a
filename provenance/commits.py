"""Commits: the truth of a store. One canonical JSON document each, numbered from 1 without gaps, never changed, save
that an erasure takes bounds of erased values out of them (`provenance.erasing`).

A commit names the segments that it adds and the sha256 of each, so that it stands for every byte it brought. It is
published by creating the file of the next number, whole: that either succeeds for exactly one writer or says
that somebody else was first. There are no locks. The order of numbers is the order of time.

Their form is that of `provenance.canonical`, and each has a seal: a commit that was damaged is never taken for a whole
one.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from provenance.canonical import seal_holds, sealed
from provenance.erased import SEGMENT_PATH, Erased, erased_document, erased_from
from provenance.errors import NOT_THERE, DamagedStoreError, lost
from provenance.foreign import Pulled, pulled_document, pulled_from
from provenance.formats import newest, upgraded
from provenance.storage.interface import Storage

FOLDER = "commits"
NUMBER_DIGITS = 12
"""With which names of files say a commit's number."""
_FILE_NAME = re.compile(r"([0-9]{12})\.json")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STORE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class CommitKind(Enum):
    """Why a commit was made."""

    PLAN = "plan"
    INGEST = "ingest"
    REGISTER = "register"
    METADATA = "metadata"
    AUDIT = "audit"
    COMPACT = "compact"
    PULL = "pull"
    ERASE = "erase"


ColumnStatistics = Mapping[str, str | int]
"""Of one column of one segment; a key that would say nothing is left out.

``min``, ``max``: bounds as text, exact (of a list column: of its elements); left out where there is no value or where
one of them is longer than is useful. ``nulls``: how many rows are null. ``nan``: 1 if there is a NaN, which the bounds
ignore. ``values``: elements of a list column. ``size``: compressed bytes.
Forms: integers decimal, floats as Python's repr, booleans 0 and 1, bytes upper-case hex, times
``2026-11-23 03:09:57.692139+00``.
"""

STATISTICS = frozenset({"min", "max", "nulls", "nan", "values", "size"})


@dataclass(frozen=True, slots=True)
class Segment:
    """One immutable Parquet file.

    ``path`` is relative to the store, with ``/``; sizes are bytes, ``footer_size`` that of the Parquet metadata without
    the eight bytes that end the file; ``sha256`` is lower-case hex. ``origin`` is the store whose commit numbers its
    rows carry: one that they were pulled from; None: this store.
    """

    table: str
    path: str
    rows: int
    size: int
    footer_size: int
    sha256: str
    columns: Mapping[str, ColumnStatistics]
    origin: str | None = None

    @property
    def first_commit(self) -> int:
        """The lowest commit number among the rows."""
        return int(self.columns["commit_number"]["min"])

    @property
    def last_commit(self) -> int:
        """The highest commit number among the rows."""
        return int(self.columns["commit_number"]["max"])


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. ``replaces`` are paths of segments that its own stand for from here on (compaction, erasure).

    ``records`` counts the invocation records it brings and ``records_root`` is their Merkle root (RFC 6962, hex, over
    the digests in its rows of ``invocations``, in the order of run, job, attempt and digest). ``nonce`` tells attempts
    apart. ``pulled`` are commits of other stores that it brings, ``erased`` what an erasure took. ``log_root`` and
    ``signature`` are reserved.
    """

    store: str
    number: int
    time: dt.datetime
    kind: CommitKind
    nonce: str
    segments: Sequence[Segment]
    records: int
    records_root: str
    author: str | None = None
    replaces: Sequence[str] = ()
    log_root: str | None = None
    signature: str | None = None
    pulled: Sequence[Pulled] = ()
    erased: Erased | None = None
    format: int = field(default_factory=newest)


def file_name(number: int) -> str:
    """The name of a commit's file below ``commits/``; names sort as numbers do."""
    return f"{number:012d}.json"


def commit_name(number: int) -> str:
    """The name of a commit's file below the store."""
    return f"{FOLDER}/{file_name(number)}"


def number_of(name: str) -> int | None:
    """The number of the commit in a file of this name; None for every other file."""
    match = _FILE_NAME.fullmatch(name)
    return int(match[1]) if match else None


def time_text(time: dt.datetime) -> str:
    """``2026-11-23T05:20:00.123456Z``: always UTC, always six digits, so that text sorts as time does."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def catalog_time_text(time: dt.datetime) -> str:
    """``2026-11-23 03:09:57.692139+00``: the form that statistics and the DuckLake catalog have; sorts as time does."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ", "microseconds") + "+00"


def encode(commit: Commit) -> bytes:
    """The bytes of a commit: the same for the same commit, wherever and whenever they are made."""
    # What says nothing is left out where documents did not always have it: the older ones keep their bytes.
    pulled = {"pulled": [pulled_document(pulled) for pulled in commit.pulled]} if commit.pulled else {}
    erased = {"erased": erased_document(commit.erased)} if commit.erased else {}
    return sealed(
        pulled
        | erased
        | {
            "format": commit.format,
            "store": commit.store,
            "number": commit.number,
            "time": time_text(commit.time),
            "author": commit.author,
            "kind": commit.kind.value,
            "nonce": commit.nonce,
            "segments": [segment_document(segment) for segment in commit.segments],
            "replaces": list(commit.replaces),
            "records": {"count": commit.records, "root": commit.records_root},
            "log_root": commit.log_root,
            "signature": commit.signature,
        }
    )


def decode(data: bytes, name: str) -> Commit:
    """The commit in ``data``; ``name`` is what messages call it.

    Raises UnsupportedStoreError for a newer format and DamagedStoreError for anything that is no commit.
    """
    try:
        document = json.loads(data)
        if not isinstance(document, dict):
            raise TypeError(f"expected an object, found {type(document).__name__}")
        if not seal_holds(data):  # before anything that it says is believed, the format included
            raise ValueError("these are not the bytes that were sealed")
        document = upgraded(document, f"{name}: a commit")
        return Commit(
            format=document["format"],
            store=document["store"],
            number=document["number"],
            time=dt.datetime.fromisoformat(document["time"]),
            author=document["author"],
            kind=CommitKind(document["kind"]),
            nonce=document["nonce"],
            segments=tuple(segment_from(segment) for segment in document["segments"]),
            replaces=tuple(document["replaces"]),
            records=document["records"]["count"],
            records_root=document["records"]["root"],
            log_root=document["log_root"],
            signature=document["signature"],
            pulled=tuple(pulled_from(pulled) for pulled in document.get("pulled", ())),
            erased=erased_from(document["erased"]) if "erased" in document else None,
        )
    except KeyError as error:
        raise DamagedStoreError(f"{name}: no commit: {error} is missing") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise DamagedStoreError(f"{name}: no commit: {error}") from None


def segment_document(segment: Segment) -> dict[str, Any]:
    """A segment as a JSON object."""
    document = {
        "table": segment.table,
        "path": segment.path,
        "rows": segment.rows,
        "size": segment.size,
        "footer_size": segment.footer_size,
        "sha256": segment.sha256,
        "columns": segment.columns,
    }
    return document if segment.origin is None else document | {"origin": segment.origin}


def segment_from(document: Mapping[str, Any]) -> Segment:
    """The segment that `segment_document` described. Raises KeyError, TypeError or ValueError for anything else.

    Names of files are made of table, digest and origin, and commits also come from other people's stores.
    """
    path = SEGMENT_PATH.fullmatch(document["path"])
    if path is None or path[1] != document["table"]:
        raise ValueError(f"segment path {document['path']!r}: expected segments/TABLE/NAME.parquet")
    if not _DIGEST.fullmatch(document["sha256"]):
        raise ValueError(f"digest {document['sha256']!r:.80} of a segment: expected 64 hexadecimal digits")
    if "origin" in document and not _STORE.fullmatch(document["origin"]):
        raise ValueError(f"origin {document['origin']!r:.80} of a segment: expected the id of a store")
    return Segment(
        table=document["table"],
        path=document["path"],
        rows=document["rows"],
        size=document["size"],
        footer_size=document["footer_size"],
        sha256=document["sha256"],
        columns=document["columns"],
        origin=document.get("origin"),
    )


def read(storage: Storage, number: int) -> Commit | None:
    """The commit with this number; None if there is none. Raises ReadFailedError, and errors as of `decode`."""
    name = commit_name(number)
    try:
        data = storage.read(name)
    except FileNotFoundError:
        return None
    except NOT_THERE as error:
        raise lost(storage.where(name), error) from error
    commit = decode(data, storage.where(name))
    if commit.number != number:
        raise DamagedStoreError(f"{storage.where(name)}: holds commit {commit.number}, expected {number}")
    return commit


def publish(storage: Storage, commit: Commit) -> bool:
    """Make ``commit`` visible under its number, all of it or nothing; False if that number is taken by another.

    When this returns True the commit survives a power cut, given that its segments do. Raises WriteFailedError: then
    whether it is visible is unknown, and its segments must stay.
    """
    return storage.create(commit_name(commit.number), encode(commit))
