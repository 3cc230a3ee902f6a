"""The DuckDB database in which a store is read: in memory, in UTC, with no more threads than there is work for, and
with connections whose statements Ctrl-C ends.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_AGAIN_SECONDS = 0.05  # between two interrupts of one statement
_SMALL_ROWS = 500_000
"""One thread reads so many rows in a few milliseconds; others only make the start slower, the more the more cores."""


class Database:
    """One database; ``cursor`` gives connections to it. Its owner sees to it that one thread at a time asks for one."""

    def __init__(self) -> None:
        import duckdb

        self._connection = duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "threads": "1",
                "async_threads": "1",
            },
        )
        self._small = True
        self._connection.execute("SET GLOBAL TimeZone = 'UTC'")
        # Segments never change, so what was read of their footers stays true.
        self._connection.execute("SET GLOBAL parquet_metadata_cache = true")

    def cursor(self, rows: int) -> Connection:
        """A connection of the caller's own, for reading a store that holds ``rows`` rows."""
        if self._small and rows > _SMALL_ROWS:
            self._connection.execute("RESET GLOBAL threads")
            self._connection.execute("RESET GLOBAL async_threads")
            self._small = False
        return Connection(self._connection.cursor())


class Connection:
    """A connection to DuckDB whose statements end with KeyboardInterrupt when somebody presses Ctrl-C.

    DuckDB's own way, an exception in the middle of a statement, leaves it waiting for its threads for ever about once
    in twenty times (2.0, `Executor::CancelTasks`); a statement that is told to end does. What the methods do is said
    in DuckDB's documentation. Not thread-safe, except ``interrupt``.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Self:
        """Start one statement, whose rows are fetched from this connection."""
        with _Statement(self._connection):
            self._connection.execute(sql, parameters)
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        with _Statement(self._connection):
            return self._connection.fetchall()

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """The next rows; none are left when there are none."""
        with _Statement(self._connection):
            return self._connection.fetchmany(size)

    def table(self, sql: str) -> pa.Table:
        """All rows of one statement."""
        with _Statement(self._connection):
            return self._connection.sql(sql).to_arrow_table()

    @property
    def description(self) -> list[tuple[Any, ...]]:
        """Name and type of each column, first in its tuple."""
        return self._connection.description or []

    def extract_statements(self, sql: str) -> list[duckdb.Statement]:
        """The statements of a text, parsed."""
        return self._connection.extract_statements(sql)

    def register(self, name: str, rows: pa.Table) -> None:
        """Make rows visible to statements."""
        with _Statement(self._connection):
            self._connection.register(name, rows)

    def unregister(self, name: str) -> None:
        """Let rows go that were registered."""
        with _Statement(self._connection):
            self._connection.unregister(name)

    def interrupt(self) -> None:
        """End a statement that another thread waits for, with duckdb.Error. It forgets what comes before it starts."""
        self._connection.interrupt()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


class _Statement:
    """While it runs, Ctrl-C interrupts a connection; KeyboardInterrupt is raised when DuckDB has let go.

    Only where Ctrl-C would raise that anyway: other handlers note it for later. Signals come to the main thread alone.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._handles = False
        self._insisting: threading.Thread | None = None

    def __enter__(self) -> None:
        self._handles = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._handles:
            signal.signal(signal.SIGINT, self._interrupt)

    def __exit__(self, *_: object) -> None:
        if not self._handles:
            return
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._insisting is not None:
            self._insisting.join()  # before the connection is used or closed under it
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._insisting is None:
            self._insisting = threading.Thread(target=self._insist, daemon=True)
            self._insisting.start()

    def _insist(self) -> None:
        """Interrupt until the statement has ended: it forgets an interrupt that comes just before it starts."""
        while signal.getsignal(signal.SIGINT) == self._interrupt:
            self._connection.interrupt()
            time.sleep(_AGAIN_SECONDS)
