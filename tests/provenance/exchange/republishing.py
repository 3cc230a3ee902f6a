"""Another document in the place of a commit, as if it had always been that."""

from __future__ import annotations

from provenance.history.commits import Commit, commit_name, encode
from provenance.log.keys import signed
from provenance.store import Store


def put(store: Store, commit: Commit) -> Store:
    """Put it there as it is, whoever signed it; the store as another process sees it then."""
    path = store.root / commit_name(commit.number)
    path.unlink(missing_ok=True)
    path.write_bytes(encode(commit))
    return Store.open(store.root)


def republish(store: Store, commit: Commit) -> Store:
    """Put it there, signed and sealed."""
    return put(store, signed(commit))
