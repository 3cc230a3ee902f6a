"""Documents made from the commits up to one of them, so that something is read faster. Never the truth.

One is believed if it is whole, of this store, of the version that is asked for, and if the store has the very commit
that it was made after: a store that was restored from a backup may have gone another way since. What is not believed
is passed over without a word: it takes time and no answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from provenance.checked_json import SURROGATE, MalformedError, object_of
from provenance.errors import NOT_THERE, ReadFailedError
from provenance.history.canonical import seal_holds, sealed
from provenance.history.column_statistics import MAX_NUMBER
from provenance.history.commits import commit_name
from provenance.storage.interface import Storage


def encode(store_id: str, version: int, number: int, commit: bytes, content: Mapping[str, Any]) -> bytes:
    """The bytes of a document made after commit ``number``, whose own bytes are ``commit``: always the same."""
    made = {
        "version": version,
        "store": store_id,
        "number": number,
        "commit": hashlib.sha256(commit).hexdigest(),
    }
    return sealed({**made, "content": content})


def believed(storage: Storage, name: str, store_id: str, version: int) -> tuple[int, Any] | None:
    """The number of the commit that a document was made after, and its content; None if it is not to be believed."""
    data = content_of(storage, name)
    if data is None or not seal_holds(data) or SURROGATE.search(data):
        return None
    try:
        document = object_of(json.loads(data))
        made = (document.integer("version", 0), document.text("store"))
        number, content = document.integer("number", 1, MAX_NUMBER), document.object("content")
    except (MalformedError, ValueError, RecursionError):
        return None
    commit = content_of(storage, commit_name(number)) if made == (version, store_id) else None
    if commit is None or hashlib.sha256(commit).hexdigest() != document.raw.get("commit"):
        return None
    return number, content.raw


def content_of(storage: Storage, name: str) -> bytes | None:
    """The bytes of a file; None if it cannot be read, or is gone meanwhile."""
    try:
        return storage.read(name)
    except (*NOT_THERE, ReadFailedError):
        return None


def names(storage: Storage, folder: str) -> list[str]:
    """The names in a folder, sorted; none if it cannot be read."""
    try:
        return sorted(storage.names(folder))
    except (*NOT_THERE, ReadFailedError):
        return []
