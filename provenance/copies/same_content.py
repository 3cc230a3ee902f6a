"""Further copies of a content: where else its bytes are to be found, when one copy of them turned out to be bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provenance.copies.replicas import Replica, by_file
from provenance.reading.views import fetch

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_FILES = "SELECT DISTINCT source, file FROM files WHERE sha256 = $1 ORDER BY source, file"
_CONTENTS = "SELECT DISTINCT sha256 FROM files WHERE name = $1 AND sha256 IS NOT NULL"


def good_copies(store: Store, sha256: bytes, first: tuple[int, int] | None = None) -> list[Replica]:
    """All copies on this machine that the store calls good, of every file that has this content; those of the file
    ``first`` come first, then in order of files and time. None of them is read.
    """
    snapshot = store.snapshot()
    ids = [(source, file) for source, file in fetch(store, _FILES, [sha256], snapshot=snapshot)]
    found = by_file(store, ids, states=("ok",), snapshot=snapshot)
    ordered = sorted(ids, key=lambda each: each != first)
    return [replica for each in ordered for replica in found.get(each, ()) if replica.here]


def contents_by_name(store: Store, name: str, snapshot: Snapshot) -> frozenset[bytes]:
    """All contents that files of this name have or had."""
    return frozenset(sha256 for (sha256,) in fetch(store, _CONTENTS, [name], snapshot=snapshot))
