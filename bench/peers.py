"""PostgreSQL and SQLite with what a store holds, analysed and indexed: what questions are measured beside.

Keys of metadata are numbers from 0 there, and text is compared by its bytes, both in favour of the peers. Nothing of
them survives the measurement: no write-ahead log, no fsync.
"""

from __future__ import annotations

import contextlib
import csv
import getpass
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

Rows = list[tuple[Any, ...]]

SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "4GB",
    "effective_cache_size": "12GB",
    "work_mem": "256MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "8GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "2",
    "max_parallel_maintenance_workers": "2",
}
"""As one would set PostgreSQL on a machine like this; just-in-time compilation only delays such questions."""


class PostgreSQL:
    """A server of its own below ``folder``, and one connection to it."""

    def __init__(self, folder: Path, connection: psycopg.Connection) -> None:
        self.folder = folder
        self.connection = connection

    def rows(self, sql: str) -> Rows:
        """All rows of a statement."""
        return self.connection.execute(sql).fetchall()

    def asked(self, sql: str, seconds: float) -> Rows | None:
        """All rows of a statement; None if it took longer than ``seconds`` and was stopped."""
        self.connection.execute(f"SET statement_timeout = {round(1000 * seconds)}")
        try:
            return self.rows(sql)
        except psycopg.errors.QueryCanceled:
            return None
        finally:
            self.connection.execute("SET statement_timeout = 0")

    def size(self) -> int:
        """Bytes on disk."""
        return int(self.rows("SELECT pg_database_size(current_database())")[0][0])

    def run(self, *statements: str) -> None:
        """Statements without an answer."""
        for statement in statements:
            self.connection.execute(statement)

    def load(self, table: str, path: Path) -> None:
        """The rows of a CSV file without a heading, where nothing stands for null."""
        with self.connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy, path.open("rb") as file:
            while data := file.read(1 << 20):
                copy.write(data)

    def version(self) -> str:
        """As it says."""
        return f"PostgreSQL {self.rows('SHOW server_version')[0][0].split()[0]}"


class SQLite:
    """A database in one file."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        settings = ("journal_mode = off", "synchronous = off", "cache_size = -1000000", "mmap_size = 8589934592")
        for setting in (*settings, "temp_store = memory"):
            self.connection.execute(f"PRAGMA {setting}")
        self.path = path

    def rows(self, sql: str) -> Rows:
        """All rows of a statement."""
        return self.connection.execute(sql).fetchall()

    def asked(self, sql: str, seconds: float) -> Rows | None:
        """All rows of a statement; None if it took longer than ``seconds`` and was stopped."""
        end = time.monotonic() + seconds
        self.connection.set_progress_handler(lambda: int(time.monotonic() > end), 100_000)
        try:
            return self.rows(sql)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            return None
        finally:
            self.connection.set_progress_handler(None, 0)

    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def run(self, *statements: str) -> None:
        """Statements without an answer."""
        for statement in statements:
            self.connection.execute(statement)

    def load(self, table: str, path: Path) -> None:
        """The rows of a CSV file without a heading, where nothing stands for null."""
        with path.open(newline="") as file:
            rows = csv.reader(file)
            first = next(rows)
            places = ", ".join("nullif(?, '')" for _ in first)
            self.connection.execute("BEGIN")
            self.connection.execute(f"INSERT INTO {table} VALUES ({places})", first)
            self.connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            self.connection.execute("COMMIT")

    def version(self) -> str:
        """As the library says."""
        return f"SQLite {sqlite3.sqlite_version}"


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A server that is started for the measurement, ended after it, and its data removed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "initdb")]
    binaries = found[-1].parent
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    folder.mkdir()
    shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    try:
        run(
            binaries / "initdb", "-D", data, "-U", "bench", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8"
        )
        settings = SETTINGS | {"unix_socket_directories": f"'{folder}'"}
        (data / "postgresql.auto.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        run(binaries / "pg_ctl", "-D", data, "-l", folder / "log", "-o", "-F", "-w", "-t", "600", "start")
        try:
            with psycopg.connect(host=str(folder), user="bench", dbname="postgres", autocommit=True) as connection:
                yield PostgreSQL(folder, connection)
        finally:
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "-t", "600", "stop")
    finally:
        shutil.rmtree(folder)
