"""Ctrl-C during a statement: DuckDB lets go every time, and KeyboardInterrupt is what the caller sees."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import duckdb
import pytest

from provenance.segments.database import Connection

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * b.range % 7 = 3"

# With an exception in the middle of a statement, DuckDB hangs about once in twenty times: hardly ever never in 100.
MANY = f"""
import os, signal, threading
from provenance.segments.database import Database
connection = Database().cursor(rows=10_000_000)
for number in range(100):
    pressed = threading.Timer(0.001 * (number % 30), os.kill, (os.getpid(), signal.SIGINT))
    try:
        pressed.start()
        connection.execute({ENDLESS!r}).fetchall()
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.fixture
def connection() -> Iterator[Connection]:
    with Connection(duckdb.connect()) as connected:
        yield connected


def test_duckdb_lets_go_every_time() -> None:
    ended = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n" * 100, "")


def pressed_while_it_runs(statement: str, connection: Connection) -> None:
    """Ctrl-C from within the statement itself, whichever call of the connection runs it."""
    press = threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,))
    press.start()
    try:
        connection.execute(statement)
        while connection.fetchmany(1):
            pass
    finally:
        press.join()


def test_rows_that_never_come_are_not_waited_for(connection: Connection) -> None:
    with pytest.raises(KeyboardInterrupt):
        pressed_while_it_runs("FROM range(1000000000000) WHERE range = 0 OR hash(range) = 77", connection)
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_other_handlers_hear_of_it_and_the_statement_goes_on(connection: Connection) -> None:
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        press = threading.Timer(0.05, signal.raise_signal, (signal.SIGINT,))
        press.start()
        rows = connection.execute("SELECT count(*) FROM range(400000000) WHERE hash(range) % 7 = 3").fetchall()
        press.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (len(rows), noted) == (1, [signal.SIGINT])


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT nothing"])
def test_afterwards_the_handler_is_as_it_was(connection: Connection, statement: str) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        connection.execute(statement)
    except duckdb.BinderException as error:
        assert "nothing" in str(error)
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler


def test_other_threads_have_no_handlers_to_change(connection: Connection) -> None:
    rows: list[tuple[int, ...]] = []
    thread = threading.Thread(target=lambda: rows.extend(connection.execute("SELECT 1").fetchall()))
    thread.start()
    thread.join()
    assert rows == [(1,)]
