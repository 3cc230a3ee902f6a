"""The tamper-evident log: appends, signatures, what they add to a commit, and how fast commits are compared with it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from integrity.log.note import Signature, SigningKey
from integrity.log.proofs import inclusion_proof, of_tiles
from integrity.log.tiles import TiledTree
from integrity.merkle import leaf_hash
from provenance.history.commits import Commit, CommitKind, commit_name
from provenance.history.entry import entry_of
from provenance.log.chain import Chain
from provenance.log.examination import examine
from provenance.log.keys import trusted_keys
from provenance.segments.batch import Batch
from provenance.store import Store

APPENDS = 1_000_000
PROOFS = 1_000
SIGNATURES = 5_000
COMMITS = 400
AIM = 100_000


def section(folder: Path) -> str:
    """The section of the report."""
    with patch.dict(os.environ, XDG_CONFIG_HOME=str(folder / "config")):
        store, whole, part = _commits(folder)
        size = store.snapshot().number
        examined = _seconds(lambda: examine(store.storage, store.store_id, trusted_keys()))
    entry = entry_of((store.root / commit_name(size)).read_bytes())
    tree = TiledTree()
    appended = _seconds(lambda: _append(tree, entry))
    proved = _seconds(lambda: _prove(tree))
    key = SigningKey.generate("pirene/bench")
    signed = _seconds(lambda: [Signature.of(entry, key) for _ in range(SIGNATURES)])
    median, added = 1000 * statistics.median(whole), 1000 * statistics.median(part)
    return f"""## The log

One process, warm. An entry is that of a commit with one segment, {len(entry)} bytes.

| what | a second |
|---|---:|
| entries hashed and appended to a tree, {APPENDS:,} of them, its tiles made | {APPENDS / appended:,.0f} |
| inclusion proofs from the tiles of that tree | {PROOFS / proved:,.0f} |
| Ed25519 signatures | {SIGNATURES / signed:,.0f} |
| commits compared with the log, their signatures and the commits after them | {size / examined:,.0f} |

Appends: **{APPENDS / appended / AIM:.1f} times** the aim of {AIM:,} a second. A commit of one row
takes {median:.2f} ms (median of {COMMITS}); stating the root before it and signing are **{added:.2f} ms** of that."""


def _commits(folder: Path) -> tuple[Store, list[float], list[float]]:
    """A store, the seconds of each of its commits, and those of them that the log takes."""
    store, whole, part = Store.open(folder / ".pirene"), list[float](), list[float]()
    vouched = Chain.vouched

    def timed(chain: Chain, commit: Commit) -> Commit:
        start = time.perf_counter()
        made = vouched(chain, commit)
        part.append(time.perf_counter() - start)
        return made

    with patch.object(Chain, "vouched", timed):
        for number in range(COMMITS):
            batch = Batch()
            batch.add("files", source=number, file=1, name=f"file-{number}", sha256=os.urandom(32), size_bytes=1)
            whole.append(_seconds(lambda batch=batch: store.commit(CommitKind.REGISTER, batch)))
    return store, whole, part


def _append(tree: TiledTree, entry: bytes) -> None:
    for _ in range(APPENDS):
        tree.append(leaf_hash(entry))
    tree.root()
    tree.made()


def _prove(tree: TiledTree) -> None:
    tiles = tree.made()
    for number in range(PROOFS):
        inclusion_proof(number * (tree.size // PROOFS), tree.size, of_tiles(tree.size, tiles.__getitem__))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
