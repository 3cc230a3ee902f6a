"""Field ids: what a column *is*, in Parquet and in the DuckLake catalog. They never change and are never used again.

``commit_number``, which every table ends with, is 1; the others count from 2 in the order of the schema, so that a
table can grow at its end. The elements of a list column have the id of their list plus ELEMENT.
"""

from __future__ import annotations

from provenance.schema import COMMIT_NUMBER, Kind, Table

ELEMENT = 1000

_LISTS = frozenset({Kind.TEXTS, Kind.INTEGERS})


def field_ids(table: Table) -> dict[str, int]:
    """The field id of every column of a table."""
    own = {column.name: position for position, column in enumerate(table.columns[:-1], start=2)}
    return {**own, COMMIT_NUMBER.name: 1}


def is_list(kind: Kind) -> bool:
    """Whether a column of this kind holds lists."""
    return kind in _LISTS
