"""The tamper-evident log: appends, signatures, what they add to a commit, and how fast commits are compared with it."""

from __future__ import annotations

import datetime as dt
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from integrity.log.note import Signature, SigningKey
from integrity.log.proofs import inclusion_proof, of_tiles
from integrity.log.tiles import TiledTree
from integrity.merkle import leaf_hash, root_hash
from provenance.history.commits import FOLDER as COMMITS_FOLDER
from provenance.history.commits import Commit, CommitKind, commit_name, encode
from provenance.history.entry import entry_of
from provenance.log.chain import Chain
from provenance.log.examination import examine
from provenance.log.keys import trusted_keys
from provenance.publishing.publication import new_nonce
from provenance.segments.batch import Batch
from provenance.storage.local import LocalStorage
from provenance.store import Store

APPENDS = 1_000_000
PROOFS = 1_000
SIGNATURES = 5_000
COMMITS = 400
HISTORIES = (100, 10_000, 100_000)
AIM = 100_000


def section(folder: Path) -> str:
    """The section of the report."""
    with patch.dict(os.environ, XDG_CONFIG_HOME=str(folder / "config")):
        store, whole, part = _commits(folder)
        size = store.snapshot().number
        examined = _seconds(lambda: examine(store.storage, store.store_id, trusted_keys()))
        long = _of_long_histories(folder)
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
takes {median:.2f} ms (median of {COMMITS}); stating the root before it and signing are **{added:.2f} ms** of that.

{long}"""


def _of_long_histories(folder: Path) -> str:
    """What one more commit reads, by a process that has just come, and what it takes to compare all with the log."""
    lines = [
        "| commits | files that one more commit reads | comparing all with the log, µs of CPU a commit |",
        "|---:|---:|---:|",
    ]
    for size in HISTORIES:
        store = _of_length(folder / f"of-{size}", size)
        started = time.process_time()
        examine(store.storage, store.store_id, trusted_keys())
        each = 1e6 * (time.process_time() - started) / size
        read, names = LocalStorage.read, list[str]()

        def counted(storage: LocalStorage, name: str, size: int | None = None) -> bytes:
            names.append(name)  # noqa: B023 - called before the next one is made
            return read(storage, name, size)  # noqa: B023

        with patch.object(LocalStorage, "read", counted):
            Store.open(store.root).commit(CommitKind.REGISTER, _one_file(size))
        lines.append(f"| {size:,} | {len(names)} | {each:.0f} |")
    return "\n".join(lines)


def _of_length(folder: Path, size: int) -> Store:
    """A store with so many commits, which bring nothing and are put there without waiting for the disk."""
    store = Store.open(folder)
    store.storage.prepare("", [COMMITS_FOLDER])
    begun = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    for number in range(1, size + 1):
        made = Commit(
            store=store.store_id,
            number=number,
            time=begun + dt.timedelta(microseconds=number),
            kind=CommitKind.METADATA,
            nonce=new_nonce(),
            segments=(),
            records=0,
            records_root=root_hash([]).hex(),
        )
        signed = store.chain.vouched(made)
        (folder / commit_name(number)).write_bytes(encode(signed))
        store.chain.follow(signed)
    store = Store.open(folder)
    store.sum_up()
    return store


def _one_file(number: int) -> Batch:
    batch = Batch()
    batch.add("files", source=number, file=1, name=f"file-{number}", sha256=os.urandom(32), size_bytes=1)
    return batch


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
            batch = _one_file(number)
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
