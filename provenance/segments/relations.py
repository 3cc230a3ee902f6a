"""The live rows of a table as SQL text to stand in FROM: names come from the schema, paths are quoted."""

from __future__ import annotations

from collections.abc import Sequence

from provenance.history.commits import Segment
from provenance.history.foreign import ORDER_STEP, Foreign
from provenance.history.snapshot import Snapshot
from provenance.schema import BY_NAME, COMMIT_NUMBER, COMMIT_ORDER, IN_ORDER, PULLED, Column
from provenance.storage.interface import Storage

_LITERALLY = "hive_partitioning = false"
"""A store below a folder called ``year=2026`` has no column of that name."""


SAID_ONCE = {
    "invocations": ("run", "job", "attempt"),
    "uses": ("run", "job", "attempt", "role", "direction", "name"),
    "files": ("source", "file"),
    "checks": ("source", "number"),
}
"""What tells the rows of invocation records apart, the run first: where two stores took in one record, the rows that
were said first count, in every store that has both."""


def relation(storage: Storage, table: str, snapshot: Snapshot) -> str:
    """FROM text for the rows of a table that ``snapshot`` shows; a table without rows still has its columns and types.

    In rows that were pulled ``commit_number`` is the local commit that brought them. A name that ends in IN_ORDER gives
    the table with COMMIT_ORDER and PULLED as its last columns. Raises KeyError for a table that the schema does not
    have, and DamagedStoreError for a segment with rows of commits that were never pulled.
    """
    described = BY_NAME[table.removesuffix(IN_ORDER)]
    ordered = table.endswith(IN_ORDER)
    groups: dict[tuple[str | None, frozenset[str]], list[Segment]] = {}
    for segment in snapshot.segments(described.name):
        groups.setdefault((segment.origin, frozenset(segment.columns)), []).append(segment)
    once = SAID_ONCE.get(described.name, ()) if snapshot.foreign.twice else ()
    in_full = ordered or bool(once)
    parts = [_rows(storage, snapshot, group, in_full) for group in groups.values()]
    whole = frozenset(column.name for column in described.columns)
    if any(columns != whole for _, columns in groups) or not groups:
        # Segments from before a column was added: the empty select brings its name, place and type.
        parts.insert(0, _empty((*described.columns, COMMIT_ORDER, PULLED) if in_full else described.columns))
    rows = parts[0] if len(parts) == 1 else "(" + " UNION ALL BY NAME ".join(f"FROM {part}" for part in parts) + ")"
    return _said_first(rows, once, snapshot.foreign.twice, ordered) if once else rows


def _said_first(rows: str, key: Sequence[str], runs: Sequence[int], ordered: bool) -> str:
    """Of rows with one key that belong to these runs, those of the commit that said so first; all of other runs."""
    columns = "*" if ordered else f"* EXCLUDE ({COMMIT_ORDER.name}, {PULLED.name})"
    concerned = f"{key[0]} IN ({', '.join(f'{run:d}' for run in runs)})"
    first = f"rank() OVER (PARTITION BY {', '.join(key)} ORDER BY {COMMIT_ORDER.name}) = 1"
    return (
        f"(SELECT {columns} FROM {rows} WHERE ({concerned}) IS NOT TRUE "
        f"UNION ALL BY NAME SELECT {columns} FROM {rows} WHERE {concerned} QUALIFY {first})"
    )


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _rows(storage: Storage, snapshot: Snapshot, segments: Sequence[Segment], ordered: bool) -> str:
    """The rows of segments of one table that have the same columns and come from the same store."""
    paths = ", ".join(quoted(str(path)) for path in storage.paths(segments))
    rows = f"read_parquet([{paths}], {_LITERALLY})"
    origin = segments[0].origin
    columns = _own_columns(ordered) if origin is None else _pulled_columns(snapshot.foreign, origin, segments, ordered)
    horizon = snapshot.horizon_of(origin)
    if horizon is not None and any(segment.last_commit > horizon for segment in segments):
        return f"(SELECT {columns} FROM {rows} WHERE {COMMIT_NUMBER.name} <= {horizon:d})"
    return rows if columns == "*" else f"(SELECT {columns} FROM {rows})"


def _own_columns(ordered: bool) -> str:
    if not ordered:
        return "*"
    return f"*, {COMMIT_NUMBER.name} * {ORDER_STEP} AS {COMMIT_ORDER.name}, false AS {PULLED.name}"


def _pulled_columns(foreign: Foreign, store: str, segments: Sequence[Segment], ordered: bool) -> str:
    """Commit numbers of another store become those of this one, by looking them up."""
    first = min(segment.first_commit for segment in segments)
    last = max(segment.last_commit for segment in segments)
    columns = f"* REPLACE ({_looked_up(foreign.visible(store, first, last), first)} AS {COMMIT_NUMBER.name})"
    if not ordered:
        return columns
    place = _looked_up(foreign.order(store, first, last), first)
    return f"{columns}, {place} AS {COMMIT_ORDER.name}, true AS {PULLED.name}"


def _looked_up(values: Sequence[int], first: int) -> str:
    """For each row what stands in a list at its commit number, the first of which is ``first``.

    The list is cast from text, once: that is parsed a hundred times faster than a list of thousands of numbers.
    """
    if len(set(values)) == 1:
        return f"{values[0]:d}::BIGINT"
    listed = ",".join(f"{value:d}" for value in values)
    return f"('[{listed}]'::BIGINT[])[{COMMIT_NUMBER.name} - {first - 1:d}]"


def _empty(columns: Sequence[Column]) -> str:
    named = ", ".join(f'CAST(NULL AS {column.kind.value}) AS "{column.name}"' for column in columns)
    return f"(SELECT {named} WHERE false)"
