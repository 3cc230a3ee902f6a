"""The live rows of a table as SQL text to stand in FROM: names come from the schema, paths are quoted."""

from __future__ import annotations

from collections.abc import Sequence

from provenance.commits import Segment
from provenance.schema import BY_NAME, Table
from provenance.snapshot import Snapshot
from provenance.storage.interface import Storage

_LITERALLY = "hive_partitioning = false"
"""A store below a folder called ``year=2026`` has no column of that name."""


def relation(storage: Storage, table: str, snapshot: Snapshot) -> str:
    """FROM text for the rows of a table that ``snapshot`` shows; a table without rows still has its columns and types.

    Raises KeyError for a table that the schema does not have.
    """
    described = BY_NAME[table]
    segments = snapshot.segments(table)
    if not segments:
        return _empty(described)
    groups: dict[frozenset[str], list[Segment]] = {}
    for segment in segments:
        groups.setdefault(frozenset(segment.columns), []).append(segment)
    whole = frozenset(column.name for column in described.columns)
    parts = [_parquet(storage, group) for group in groups.values()]
    if groups.keys() != {whole}:
        # Segments from before a column was added: the empty select brings its name, place and type.
        parts = [f"(SELECT * FROM {part})" for part in (_empty(described), *parts)]
        parts = ["(" + " UNION ALL BY NAME ".join(parts) + ")"]
    if snapshot.horizon is not None and any(segment.last_commit > snapshot.horizon for segment in segments):
        return f"(SELECT * FROM {parts[0]} WHERE commit_number <= {snapshot.horizon:d})"
    return parts[0]


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _parquet(storage: Storage, segments: Sequence[Segment]) -> str:
    paths = ", ".join(quoted(str(path)) for path in storage.paths(segments))
    return f"read_parquet([{paths}], {_LITERALLY})"


def _empty(table: Table) -> str:
    columns = ", ".join(f'CAST(NULL AS {column.kind.value}) AS "{column.name}"' for column in table.columns)
    return f"(SELECT {columns} WHERE false)"
