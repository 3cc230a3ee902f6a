"""Questions about files and their metadata, beside PostgreSQL, SQLite and DuckDB by hand on the same data."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path

import beside
import big_store
import duckdb
import streaming
from beside import Rows, Seen
from fact_peers import Laid, laid, load_documents, load_pairs
from peers import PostgreSQL, SQLite, postgresql
from questions import Aim, Question, Questions

from provenance.store import Store

FILES = int(os.environ.get("PIRENE_BENCH_FILES", "10000000"))
BUILT = os.environ.get("PIRENE_BENCH_STORE")
"""A store that `big_store.fill` and `big_store.withdraw` have made, to be measured instead of a new one."""
COMMITS = 200
LACKING = ("pi", 50)
"""The key that one file in so many lacks."""

_OURS, _BY_HAND, _JSONB, _PAIRS, _SQLITE = "Pirene", "DuckDB by hand", "JSONB, GIN", "pairs", "SQLite, pairs"
_PEERS = (_JSONB, _PAIRS, _SQLITE)


def section(scratch: Path) -> str:
    """The section of the report."""
    scratch.chmod(0o755)  # the server runs as another user
    store = Store.existing(BUILT) if BUILT else _built(scratch / "store")
    with postgresql(scratch / "postgresql") as server, _connected() as connection:
        start = time.perf_counter()
        files, small = laid(store), SQLite(scratch / "peer.sqlite")
        load_pairs(server, connection, files, scratch)
        load_documents(server, connection, files, scratch)
        load_pairs(small, connection, files, scratch)
        loaded = time.perf_counter() - start
        found = measured(store, files, connection, server, small)
        versions = f"{server.version()}, {small.version()}, DuckDB {duckdb.__version__}"
        sizes = [f"{size / 1e9:.1f} GB" for size in (store_bytes(store), server.size(), small.size())]
    return "\n".join([report(found, versions, sizes, loaded), "", *streaming.lines(store, FILES, scratch)])


def measured(
    store: Store, files: Laid, connection: duckdb.DuckDBPyConnection, server: PostgreSQL, small: SQLite
) -> list[tuple[Question, dict[str, Seen]]]:
    """Every question, asked of all."""
    found = []
    for question in Questions(connection, files).all():
        engines = {
            _OURS: functools.partial(ours, store, question.ours),
            _BY_HAND: functools.partial(by_hand, connection, question.by_hand),
            _JSONB: functools.partial(server.asked, question.documents, beside.PATIENCE_SECONDS),
            _PAIRS: functools.partial(server.asked, question.pairs, beside.PATIENCE_SECONDS),
            _SQLITE: functools.partial(small.asked, question.pairs, beside.PATIENCE_SECONDS),
        }
        found.append((question, beside.asked(engines, by_first_column=question.lists)))
        print(question.name, {name: seen.cell() for name, seen in found[-1][1].items()}, flush=True)
    return found


def ours(store: Store, query: str) -> Rows:
    """All rows of a query."""
    return list(store.query(query).rows())


def by_hand(connection: duckdb.DuckDBPyConnection, sql: str) -> Rows:
    """All rows of a statement."""
    return connection.execute(sql).fetchall()


def report(found: list[tuple[Question, dict[str, Seen]]], versions: str, sizes: Sequence[str], loaded: float) -> str:
    """The section: a table, and what was aimed for."""
    names = (_OURS, _BY_HAND, *_PEERS)
    lines = [
        "## Questions about metadata",
        "",
        f"{FILES} files with 8 keys, one in {LACKING[1]} without `{LACKING[0]}`. {versions}, one run, the same data:",
        "JSONB with a GIN index (`jsonb_path_ops`), and key-value pairs with B-trees on (key, text), (key, number) and",
        "(id, key); analysed, without `jit`, two workers. Keys and values were taken from the data after loading it.",
        f"Connections are open, warm; medians of {beside.TIMES} times in turn, fewer of what takes seconds. All give",
        "the same rows. By hand is DuckDB over the files of the wide table. On disk the store has",
        f"{sizes[0]}, wide table included, PostgreSQL (both forms) {sizes[1]}, SQLite {sizes[2]}; loading those took",
        f"{loaded:.0f} s. {os.getloadavg()[1]:.1f} processes wanted the processors meanwhile. Milliseconds:",
        "",
        f"| question | {' | '.join(names)} | times ahead of the best peer | times by hand |",
        f"|---|{'---:|' * (len(names) + 2)}",
    ]
    missed = []
    for question, seen in found:
        mine = seen[_OURS].median
        ahead, ratio = min(seen[name].median for name in _PEERS) / mine, mine / seen[_BY_HAND].median
        lines.append(
            f"| {question.name} | {' | '.join(seen[name].cell() for name in names)} | {ahead:.1f} | {ratio:.2f} |"
        )
        missed += missed_by(question, mine, ahead, ratio)
    aims = (
        "Aims: where files are counted, grouped or found by 3 predicates, at least 5 times ahead; else at most 30 ms;"
    )
    return "\n".join([*lines, "", aims, f"at most 2 times by hand. Missed: {'; '.join(missed) or 'none'}."])


def missed_by(question: Question, mine: float, ahead: float, ratio: float) -> list[str]:
    """Which aims were missed, and by how much."""
    missed = []
    if question.aim is Aim.AHEAD and ahead < 5:
        missed.append(f"{question.name} ({ahead:.1f} times ahead)")
    if question.aim is Aim.QUICK and mine > 0.030:
        missed.append(f"{question.name} ({1000 * mine:.0f} ms)")
    if ratio > 2:
        missed.append(f"{question.name} ({ratio:.1f} times by hand)")
    return missed


def store_bytes(store: Store) -> int:
    """What the files of a store take."""
    return sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file())


def _built(place: Path) -> Store:
    store = Store.open(place)
    big_store.fill(store, commits=COMMITS, files=FILES // COMMITS)
    big_store.withdraw(store, *LACKING)
    store.promote(eager=True)
    store.sum_up()
    return Store.existing(place)


def _connected() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    return connection
