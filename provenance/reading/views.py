"""What follows from the tables: which value is current, where a file can be read, what became of a job.

Each view is one file of SQL below ``provenance/reading/sql/views/``, over tables of the store and other views. They are
temporary views of a connection, made when something needs them: reading pays only for what it asks about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from provenance.schema import BY_NAME, IN_ORDER
from provenance.segments.damage import damage_named, left_aside

if TYPE_CHECKING:
    from provenance.errors import WideTableError
    from provenance.history.commits import Segment
    from provenance.history.snapshot import Snapshot
    from provenance.segments.database import Connection
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
    "read_edges",
    "reads",
    "write_edges",
    "writes",
    "file_overview",
    "copy_overview",
    "job_overview",
    "run_overview",
)
"""The views, each after those that it is made of."""
MADE_ONCE = frozenset({"reused_jobs"})
"""Views that are made as tables, when they are needed: few rows of many, mostly none, which a statement mentions for
each step of a walk. To plan three steps takes half the time so.
"""

Parameters = Sequence[object] | Mapping[str, object]
Row = tuple[Any, ...]
"""Values as DuckDB hands them out; which types they have is said by the schema and the SQL, not by Python."""

# Not importlib.resources, whose import costs more than everything that a small query reads.
_SQL = Path(__file__).parent / "sql"
_WORD = re.compile(r"[a-z_]+")
_BLOCK_ROWS = 4096
_TABLES = frozenset(name + suffix for name in BY_NAME for suffix in ("", IN_ORDER))


@cache
def view_sql(name: str) -> str:
    """The text of one view."""
    return (_SQL / "views" / f"{name}.sql").read_text("utf-8")


@cache
def report_sql(name: str) -> str:
    """The text of one fixed query below ``provenance/reading/sql/``."""
    return (_SQL / f"{name}.sql").read_text("utf-8")


def filled_files(files: str, file_digests: str) -> str:
    """The select of `files` with what became known of their content later; given what stands in FROM for both."""
    return report_sql("filled/files").format(files=files, file_digests=file_digests)


def needed(sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables and the views (in order of definition) that a statement may refer to, itself or through views.

    A word of the text that is no reference but reads like one makes a view too many, never one too few.
    """
    tables: set[str] = set()
    views: set[str] = set()
    open_texts = [sql]
    while open_texts:
        words = set(_WORD.findall(open_texts.pop()))
        tables |= words & _TABLES
        for view in words.intersection(VIEWS) - views:
            views.add(view)
            open_texts.append(view_sql(view))
    return tuple(sorted(tables)), tuple(view for view in VIEWS if view in views)


class Reading:
    """A connection that sees one state of a store: tables and views under their names, made when a statement needs
    them.

    Not thread-safe; close it when done. Statements that read a damaged segment raise DamagedStoreError, those that read
    a damaged wide table WideTableError: asked without it they have an answer.
    """

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self.store = store
        self.snapshot = snapshot
        self._connection = store.connect()
        self._defined: set[str] = set()
        self.wide: list[Segment] = []
        """Files of wide tables that statements read besides the segments of the snapshot."""
        self.named: dict[str, str] = {}
        """FROM text by the names that stand for it in statements: what is read once needs no view, whose every column
        is looked at when it is made and again when it is read.
        """
        self.wide_left_aside = False
        """Whether a wide table turned out to be damaged: statements over one would fail."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def interrupt(self) -> None:
        """End a statement that another thread waits for; it raises duckdb.Error."""
        self._connection.interrupt()

    def only(self, table: str, columns: Mapping[str, Sequence[object]]) -> None:
        """Show only those rows of a table that have, in some columns of one type each, one of these combinations of
        values, which must be more than none. To be said before the table is asked about.

        A view that sums up by these columns gives the same for them, and needs memory for them alone.
        """
        kinds = {name: BY_NAME[table.removesuffix(IN_ORDER)].column(name).kind.value for name in columns}
        names = ", ".join(columns)
        values = ", ".join(f"unnest(${n}::{kind}[]) AS {name}" for n, (name, kind) in enumerate(kinds.items(), start=1))
        shown = f"SELECT * FROM {self.store.relation(table, self.snapshot)}"
        with damage_named(self.store.storage, self.snapshot, self.wide):
            self._connection.execute(f"CREATE TEMP TABLE wanted_{table} AS SELECT {values}", list(columns.values()))
            self._connection.execute(
                f"CREATE TEMP VIEW {table} AS {shown} WHERE ({names}) IN (SELECT ({names}) FROM wanted_{table})"
            )
        self._defined.add(table)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a statement: for answers that fit in memory."""
        return [row for block in self.blocks(sql, parameters) for row in block]

    def blocks(self, sql: str, parameters: Parameters = ()) -> Iterator[list[Row]]:
        """The rows of a statement as they come, a few thousand at a time; another statement ends the stream."""
        with damage_named(self.store.storage, self.snapshot, self.wide):
            self.define(sql)
            spelled_out = _WORD.sub(lambda word: self.named.get(word[0], word[0]), sql)
            result = self._connection.execute(spelled_out, parameters)
            while block := result.fetchmany(_BLOCK_ROWS):
                yield block

    def make(self, sql: str) -> list[Row]:
        """Run one statement that names no table of the store, on this connection: later ones see what it makes."""
        with damage_named(self.store.storage, self.snapshot, self.wide):
            return self._connection.execute(sql).fetchall()

    def leave_wide_tables_aside(self, error: WideTableError) -> None:
        """Go on without wide tables, of which one is damaged, and say so."""
        left_aside(error)
        self.wide.clear()
        self.wide_left_aside = True

    def define(self, sql: str) -> Connection:
        """Make every table and view that ``sql`` may refer to visible; the connection that it can be run on."""
        tables, views = needed(sql)
        show(
            self._connection,
            self.store,
            self.snapshot,
            [table for table in tables if table not in self._defined],
            [view for view in views if view not in self._defined],
        )
        self._defined.update(tables, views)
        return self._connection


def show(
    connection: Connection,
    store: Store,
    snapshot: Snapshot,
    tables: Sequence[str],
    views: Sequence[str],
) -> None:
    """Make tables, and views in the order of VIEWS, visible on a connection; the tables of views have to be there.

    Who asks for files means what is known of them now. Most stores have nothing to fill in, and pay nothing.
    """
    store.define(connection, tables, snapshot)
    if "files" in tables and snapshot.segments("file_digests"):
        parts = (store.relation(name, snapshot) for name in ("files", f"file_digests{IN_ORDER}"))
        connection.execute(f"CREATE OR REPLACE TEMP VIEW files AS {filled_files(*parts)}")
    for view in views:
        if view in MADE_ONCE:
            _make_once(connection, view)
        else:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {view_sql(view)}")


def _make_once(connection: Connection, view: str) -> None:
    ((rows,),) = connection.execute(f"CREATE OR REPLACE TEMP TABLE made_{view} AS {view_sql(view)}").fetchall()
    # DuckDB leaves joins with nothing out of a plan if it knows before that there is nothing.
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS FROM made_{view}{'' if rows else ' WHERE FALSE'}")


def read_from(tables: Sequence[str]) -> frozenset[str]:
    """The tables of the schema whose segments `show` reads for these."""
    filled = ("file_digests",) if "files" in tables else ()
    return frozenset(table.removesuffix(IN_ORDER) for table in (*tables, *filled))


def fetch(store: Store, sql: str, parameters: Parameters = (), *, snapshot: Snapshot | None = None) -> list[Row]:
    """All rows of one statement over tables and views, as of ``snapshot`` (default: now)."""
    with Reading(store, store.snapshot() if snapshot is None else snapshot) as reading:
        return reading.rows(sql, parameters)
