"""What follows from the tables: which value is current, where a file can be read, what became of a job.

Each view is one file of SQL below ``provenance/sql/views/``, over tables of the store and other views. They are
temporary views of a connection, made when something needs them: reading pays only for what it asks about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from provenance.schema import BY_NAME

if TYPE_CHECKING:
    import duckdb

    from provenance.snapshot import Snapshot
    from provenance.store import Store

VIEWS = (
    "current_metadata",
    "replica_states",
    "file_states",
    "replica_rows",
    "last_attempts",
    "job_statuses",
    "workflow_statuses",
    "job_counts",
    "reused_jobs",
    "reads",
    "writes",
)
"""The views, each after those that it is made of."""

_WORD = re.compile(r"[a-z_]+")


@cache
def view_sql(name: str) -> str:
    """The text of one view."""
    return (resources.files("provenance") / "sql" / "views" / f"{name}.sql").read_text("utf-8")


@cache
def report_sql(name: str) -> str:
    """The text of one fixed query below ``provenance/sql/``."""
    return (resources.files("provenance") / "sql" / f"{name}.sql").read_text("utf-8")


def needed(sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables and the views (in order of definition) that a statement may refer to, itself or through views.

    A word of the text that is no reference but reads like one makes a view too many, never one too few.
    """
    tables: set[str] = set()
    views: set[str] = set()
    open_texts = [sql]
    while open_texts:
        words = set(_WORD.findall(open_texts.pop()))
        tables |= words & BY_NAME.keys()
        for view in words.intersection(VIEWS) - views:
            views.add(view)
            open_texts.append(view_sql(view))
    return tuple(sorted(tables)), tuple(view for view in VIEWS if view in views)


def define_for(store: Store, connection: duckdb.DuckDBPyConnection, sql: str, snapshot: Snapshot) -> None:
    """Make every table and view that ``sql`` may refer to visible on ``connection``, as of ``snapshot``."""
    tables, views = needed(sql)
    store.define(connection, tables, snapshot)
    for view in views:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {view_sql(view)}")


def fetch(
    store: Store, sql: str, parameters: Sequence[object] | dict[str, object] = (), *, snapshot: Snapshot | None = None
) -> list[tuple[object, ...]]:
    """All rows of a statement over tables and views, as of ``snapshot`` (default: now). For answers that fit in memory.

    Raises DamagedStoreError if a segment cannot be read.
    """
    import duckdb

    from provenance.errors import DamagedStoreError

    with store.connect() as connection:
        try:
            define_for(store, connection, sql, store.snapshot() if snapshot is None else snapshot)
            return connection.execute(sql, parameters).fetchall()
        except duckdb.IOException as error:
            raise DamagedStoreError(f"{store.root}: a segment cannot be read: {error}") from error
