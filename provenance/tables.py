"""What a table is made of: columns of a few kinds, and an order of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The type of a column; the value is its DuckDB type."""

    INTEGER = "BIGINT"
    FLOAT = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    TEXT = "VARCHAR"
    BYTES = "BLOB"
    TIME = "TIMESTAMP WITH TIME ZONE"
    TEXTS = "VARCHAR[]"
    INTEGERS = "BIGINT[]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its type and what it means."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name, what one row is, its columns and the columns that its segments are sorted by."""

    name: str
    row: str
    columns: tuple[Column, ...]
    sort_by: tuple[str, ...]

    def column(self, name: str) -> Column:
        """The column called ``name``; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name}.{name}")
