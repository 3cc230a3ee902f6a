"""Commits: the truth of a store. One canonical JSON document each, numbered from 1 without gaps, never changed, save
that an erasure takes bounds of erased values out of them (`provenance.erasure.erasing`).

A commit names the segments that it adds and the sha256 of each, so that it stands for every byte it brought. It is
published by creating the file of the next number, whole: that either succeeds for exactly one writer or says
that somebody else was first. There are no locks. The order of numbers is the order of time.

Their form is that of `provenance.history.canonical`, and each has a seal: a commit that was damaged is never taken
for a whole one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from provenance.checked_json import DIGEST, SURROGATE, UUID, JsonObject, MalformedError, object_of, parse_object
from provenance.errors import NOT_THERE, DamagedStoreError, lost
from provenance.history.canonical import canonical, seal_holds, sealed
from provenance.history.column_statistics import MAX_NUMBER, ColumnStatistics, columns_from
from provenance.history.erased import SEGMENT_PATH, Erased, erased_document, erased_from
from provenance.history.foreign import Pulled, pulled_document, pulled_from
from provenance.history.formats import newest, upgraded
from provenance.storage.interface import Storage

FOLDER = "commits"
NUMBER_DIGITS = 12
"""With which names of files say a commit's number."""
_FILE_NAME = re.compile(r"([0-9]{12})\.json")


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


_KINDS = tuple(kind.value for kind in CommitKind)


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
    apart. ``pulled`` are commits of other stores that it brings, ``erased`` what an erasure took.

    ``log_root`` is the root (hex) of the log over all commits before it, ``signature`` that of its author
    (`provenance.history.entry`); None where nobody could say, or sign. ``logged``: of how many commits the store had a
    log in files when it was made.
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
    logged: int = 0
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


def numbers_in(storage: Storage) -> list[int]:
    """Of the commits that are there, sorted. Raises what `Storage.names` raises."""
    found = _numbers(storage)
    if found and len(found) != found[-1]:  # a listing may lack what was made while it was listed, not what was before
        found = sorted({*found, *_numbers(storage)})
    return found


def _numbers(storage: Storage) -> list[int]:
    return sorted(number for name in storage.names(FOLDER) if (number := number_of(name)))


def time_text(time: dt.datetime) -> str:
    """``2026-11-23T05:20:00.123456Z``: always UTC, always six digits, so that text sorts as time does."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def catalog_time_text(time: dt.datetime) -> str:
    """``2026-11-23 03:09:57.692139+00``: the form that statistics and the DuckLake catalog have; sorts as time does."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ", "microseconds") + "+00"


def encode(commit: Commit) -> bytes:
    """The bytes of a commit: the same for the same commit, wherever and whenever they are made."""
    return sealed(document_of(commit))


def document_of(commit: Commit) -> dict[str, Any]:
    """The document of a commit, without its seal."""
    # What says nothing is left out where documents did not always have it: the older ones keep their bytes.
    pulled = {"pulled": [pulled_document(pulled) for pulled in commit.pulled]} if commit.pulled else {}
    erased = {"erased": erased_document(commit.erased)} if commit.erased else {}
    logged = {"logged": commit.logged} if commit.logged else {}
    return (
        pulled
        | erased
        | logged
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
        document = parse_object(data)
        if not seal_holds(data):  # before anything that it says is believed, the format included
            raise MalformedError("these are not the bytes that were sealed")
        document.integer("format", 1)
        commit = _commit(_in_newest_format(document, name))
        if SURROGATE.search(data):
            canonical(document.raw)  # also what no key of ours has
        return commit
    except (MalformedError, UnicodeEncodeError) as error:
        raise DamagedStoreError(f"{name}: no commit: {error}") from None


def _in_newest_format(document: JsonObject, name: str) -> JsonObject:
    try:
        return object_of(upgraded(document.raw, f"{name}: a commit"))
    except (KeyError, TypeError, ValueError) as error:  # of steps, which take it for a commit of its format
        raise MalformedError(f"in format {document.value('format')}: {error!r}") from None


def _commit(document: JsonObject) -> Commit:
    records = document.object("records")
    author, log_root, signature = (_text_or_null(document, key) for key in ("author", "log_root", "signature"))
    replaces = document.texts("replaces")
    if not all(map(SEGMENT_PATH.fullmatch, replaces)):
        raise document.fail("replaces", "a list of segments/TABLE/NAME.parquet")
    return Commit(
        format=document.integer("format", 1),
        store=document.matching("store", UUID, "the id of a store"),
        number=document.integer("number", 1, MAX_NUMBER),
        time=document.exact_time("time"),
        author=author,
        kind=CommitKind(document.one_of("kind", _KINDS)),
        nonce=document.any_text("nonce"),
        segments=tuple(map(segment_from, document.objects("segments"))),
        replaces=replaces,
        records=records.integer("count", 0),
        records_root=records.any_text("root"),
        log_root=log_root,
        signature=signature,
        pulled=tuple(map(pulled_from, document.objects("pulled"))) if "pulled" in document else (),
        erased=erased_from(document.object("erased")) if "erased" in document else None,
        logged=document.integer("logged", 1, MAX_NUMBER) if "logged" in document else 0,
    )


def _text_or_null(document: JsonObject, key: str) -> str | None:
    return None if document.value(key) is None else document.any_text(key)


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


def segment_from(document: JsonObject) -> Segment:
    """The segment that `segment_document` described. Raises MalformedError for anything else.

    Names of files are made of table, digest and origin, and commits also come from other people's stores.
    """
    table = document.text("table")
    path = SEGMENT_PATH.fullmatch(document.text("path"))
    if path is None or path[1] != table:
        raise document.fail("path", "segments/TABLE/NAME.parquet, with the segment's table")
    return Segment(
        table=table,
        path=path[0],
        rows=document.integer("rows", 0),
        size=document.integer("size", 0),
        footer_size=document.integer("footer_size", 0),
        sha256=document.matching("sha256", DIGEST, "64 hexadecimal digits"),
        columns=columns_from(document, table),
        origin=document.matching("origin", UUID, "the id of a store") if "origin" in document else None,
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
