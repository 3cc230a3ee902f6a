"""How many threads read a store."""

from __future__ import annotations

import duckdb

from provenance.segments.database import Database

_SETTINGS = "SELECT current_setting('threads'), current_setting('TimeZone')"


def test_one_thread_reads_a_small_store_and_all_read_a_large_one() -> None:
    ((as_many_as_duckdb_likes,),) = duckdb.connect().execute("SELECT current_setting('threads')").fetchall()
    database = Database()
    first = database.cursor(rows=1000)
    assert first.execute(_SETTINGS).fetchall() == [(1, "UTC")]
    assert database.cursor(rows=10_000_000).execute(_SETTINGS).fetchall() == [(as_many_as_duckdb_likes, "UTC")]
    assert first.execute("SELECT count(*) FROM range(1000000)").fetchall() == [(1_000_000,)]
