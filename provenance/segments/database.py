"""The DuckDB database in which a store is read: in memory, in UTC, and with no more threads than there is work for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

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

    def cursor(self, rows: int) -> duckdb.DuckDBPyConnection:
        """A connection of the caller's own, for reading a store that holds ``rows`` rows."""
        if self._small and rows > _SMALL_ROWS:
            self._connection.execute("RESET GLOBAL threads")
            self._connection.execute("RESET GLOBAL async_threads")
            self._small = False
        return self._connection.cursor()
