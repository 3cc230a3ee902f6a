"""What a person calls a thing on the command line, and which things that are: files by path, name, digest or id.

Nothing is picked silently: a name that several files have gives all of them, in the order in which they came to be.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.copies.replicas import LIVE_STATES, last_holders
from provenance.errors import StoreError
from provenance.reading.views import fetch
from provenance.storable import storable
from provenance.urls import copy_url, file_url

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_QUERY = re.compile(r"\s*(?:\(|@|(?:files?|jobs?|workflows?|replicas?|checks?)(?:\s|$))", re.IGNORECASE)
_ID = re.compile(r"([0-9a-f]{16})-([0-9]{1,19})")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-fA-F]{8,64})")
_SELECT = "SELECT source, file, name, sha256, size_bytes, created, origin FROM files WHERE "
_ORDER = " ORDER BY created, source, file"


class NothingFoundError(StoreError):
    """The store knows nothing that is called so."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file that was meant."""

    source: int
    file: int
    name: str
    sha256: bytes | None
    size_bytes: int | None
    created: dt.datetime | None
    origin: str

    @property
    def key(self) -> tuple[int, int]:
        """(source, file)."""
        return (self.source, self.file)

    @property
    def id(self) -> str:
        """The field ``id`` of the language."""
        return file_id(self.source, self.file)


def is_query(text: str) -> bool:
    """Whether a text is meant as a query: it starts with an entity, ``@`` or a parenthesis."""
    return _QUERY.match(text) is not None


def file_id(source: int, file: int) -> str:
    """The id of a file as text: 16 hex digits of its source, and its ordinal."""
    return f"{source & (1 << 64) - 1:016x}-{file}"


def find_files(store: Store, text: str, *, snapshot: Snapshot | None = None) -> list[FileRef]:
    """The files that ``text`` means: a path or URL that was ever a copy, else a name, an id, a digest or the start of
    one.

    Raises NothingFoundError.
    """
    for look in (_by_copy, _by_name, _by_id, _by_digest):
        found = look(store, text, snapshot)
        if found:
            return found
    raise NothingFoundError(
        f"no file of this name, digest or path is known: {text!r}",
        hint="`pirene query files` lists what is known; `pirene files add PATH` makes a file known",
    )


def files_by_key(
    store: Store, keys: list[tuple[int, int]], *, snapshot: Snapshot | None = None
) -> dict[tuple[int, int], FileRef]:
    """Files by (source, file)."""
    sql = _SELECT + "(source, file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))" + _ORDER
    columns = [[source for source, _ in keys], [file for _, file in keys]]
    return {ref.key: ref for ref in _refs(store, sql, columns, snapshot)}


def _by_copy(store: Store, text: str, snapshot: Snapshot | None) -> list[FileRef]:
    if not text or "\0" in text:
        return []
    urls = [copy_url(text)]
    if "://" not in text:
        urls.append(file_url(Path(os.path.realpath(text))))
    holders = last_holders(store, urls, snapshot=snapshot)
    found = [holders[url] for url in urls if url in holders]
    # A link may stand where there was a copy before: what it leads to now is meant.
    keys = [holder.id for holder in sorted(found, key=lambda holder: holder.state not in LIVE_STATES)][:1]
    return list(files_by_key(store, keys, snapshot=snapshot).values())


def _by_name(store: Store, text: str, snapshot: Snapshot | None) -> list[FileRef]:
    return _refs(store, _SELECT + "name = $1" + _ORDER, [storable(text)], snapshot)


def _by_id(store: Store, text: str, snapshot: Snapshot | None) -> list[FileRef]:
    match = _ID.fullmatch(text)
    if match is None:
        return []
    source, file = int(match[1], 16), int(match[2])
    source -= 1 << 64 if source >= 1 << 63 else 0
    return list(files_by_key(store, [(source, file)], snapshot=snapshot).values()) if file < 1 << 63 else []


def _by_digest(store: Store, text: str, snapshot: Snapshot | None) -> list[FileRef]:
    match = _DIGEST.fullmatch(text)
    if match is None:
        return []
    sql = _SELECT + "starts_with(lower(hex(sha256)), $1)" + _ORDER
    return _refs(store, sql, [match[1].lower()], snapshot)


def _refs(store: Store, sql: str, parameters: Sequence[object], snapshot: Snapshot | None) -> list[FileRef]:
    return [FileRef(*row) for row in fetch(store, sql, parameters, snapshot=snapshot)]
