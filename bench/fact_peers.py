"""The files of a store and their metadata in PostgreSQL, as documents and as key-value pairs, and in SQLite as pairs.

Taken from the store's wide table: one row for each file, in the order of ids, numbered from 1 for the peers, which so
need one number where the store has two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from peers import PostgreSQL, SQLite

from provenance.answers.entities import FILES
from provenance.segments.relations import quoted
from provenance.store import Store
from provenance.wide import wide


@dataclass(frozen=True, slots=True)
class Laid:
    """Where the files of a store lie: FROM text of DuckDB, and the beginnings of the names of the columns of keys."""

    relation: str
    columns: Mapping[str, str]

    def number_of(self, key: str) -> int:
        """The number that stands for a key in the peers."""
        return sorted(self.columns).index(key)


def laid(store: Store) -> Laid:
    """The wide table of the store's files, which has to be that of its newest commit."""
    snapshot = store.snapshot()
    found = wide.newest(store.storage, store.store_id, FILES, snapshot)
    assert found is not None and found.number == snapshot.number, "measure a store that has been compacted"
    parts = ", ".join(quoted(str(path)) for path in store.storage.paths(found.parts))
    return Laid(f"read_parquet([{parts}])", found.columns())


def load_pairs(
    database: PostgreSQL | SQLite, connection: duckdb.DuckDBPyConnection, files: Laid, scratch: Path
) -> None:
    """The tables ``file`` and ``pair``, with the indexes that their questions are helped by."""
    fields = "name TEXT, size_bytes BIGINT, sha256 TEXT, created TIMESTAMP"
    postgres = isinstance(database, PostgreSQL)
    unlogged, ending = ("UNLOGGED", "") if postgres else ("", " WITHOUT ROWID")
    database.run(
        f"CREATE {unlogged} TABLE file (id INTEGER PRIMARY KEY, {fields})",
        f"CREATE {unlogged} TABLE pair (key SMALLINT, text TEXT{'' if postgres else ' COLLATE BINARY'}, "
        f"number DOUBLE PRECISION, id INTEGER{'' if postgres else ', PRIMARY KEY (key, text, id)'}){ending}",
    )
    _load(database, connection, "file", _files_sql(files, "1"), scratch)
    for key in sorted(files.columns):
        _load(database, connection, "pair", _pairs_sql(files, key), scratch)
    if postgres:
        database.run("CREATE INDEX pair_text ON pair (key, text, id)")
    database.run(
        "CREATE INDEX pair_number ON pair (key, number, id) WHERE number IS NOT NULL",
        "CREATE INDEX pair_id ON pair (id, key)",
        *(f"CREATE INDEX file_{column} ON file ({column})" for column in ("name", "sha256", "created")),
        *(("VACUUM ANALYZE file", "VACUUM ANALYZE pair") if postgres else ("ANALYZE",)),
    )


def load_documents(database: PostgreSQL, connection: duckdb.DuckDBPyConnection, files: Laid, scratch: Path) -> None:
    """The table ``document``: the same files with their metadata as JSONB under a GIN index."""
    fields = "name TEXT, size_bytes BIGINT, sha256 TEXT, created TIMESTAMP, content JSONB"
    database.run(f"CREATE UNLOGGED TABLE document (id INTEGER PRIMARY KEY, {fields})")
    _load(database, connection, "document", _files_sql(files, _json(files)), scratch)
    database.run(
        "CREATE INDEX document_content ON document USING gin (content jsonb_path_ops)",
        *(f"CREATE INDEX document_{column} ON document ({column})" for column in ("name", "sha256", "created")),
        "VACUUM ANALYZE document",
    )


def _load(
    database: PostgreSQL | SQLite, connection: duckdb.DuckDBPyConnection, table: str, sql: str, scratch: Path
) -> None:
    path = scratch / f"{table}.csv"
    connection.execute(f"COPY ({sql}) TO {quoted(str(path))} (FORMAT csv, HEADER false)")
    database.load(table, path)
    path.unlink()


def _numbered(files: Laid) -> str:
    return f"(SELECT *, row_number() OVER () AS id FROM {files.relation})"


def _files_sql(files: Laid, content: str) -> str:
    shown = "id, name, size_bytes, lower(hex(sha256)), strftime(created, '%Y-%m-%d %H:%M:%S.%f')"
    return f"SELECT {shown}{'' if content == '1' else f', {content}'} FROM {_numbered(files)}"


def _pairs_sql(files: Laid, key: str) -> str:
    column = files.columns[key]
    return (
        f"SELECT {files.number_of(key)}, {column}_text_form, {column}_float_form, id FROM {_numbered(files)} "
        f"WHERE {column}_text_form IS NOT NULL ORDER BY {column}_text_form, id"
    )


def _json(files: Laid) -> str:
    members = [
        f"'\"{key}\":' || CASE WHEN {column}_float_form IS NULL AND {column}_boolean_form IS NULL "
        f"THEN to_json({column}_text_form)::VARCHAR ELSE {column}_text_form END"
        for key, column in sorted(files.columns.items())
    ]
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"
