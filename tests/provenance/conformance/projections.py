"""Catalogs of a store in the tables of DuckLake 1.0: whatever database they are in, they say the same."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg import sql

from provenance.ducklake.lake import place
from provenance.ducklake.lake_postgres import address, publish
from provenance.store import Store


class Projection(Protocol):
    """The catalog of a store in one kind of database."""

    def bring_up(self, store: Store) -> None:
        """Make or extend it, as a user's command would. Fails if that could not be done."""

    def rows(self, store: Store, query: str) -> list[tuple[Any, ...]]:
        """What a query over the tables of the catalog finds."""

    def words(self, store: Store) -> list[str]:
        """How `pirene store publish` is told to bring it up, after these words."""


class SQLite:
    """The file that every store has."""

    def bring_up(self, store: Store) -> None:
        store.project()

    def rows(self, store: Store, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(f"file:{place(store).path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def words(self, store: Store) -> list[str]:
        return []


@dataclass(frozen=True)
class PostgreSQL:
    """A database at ``url``; each store has a schema of its own in it."""

    url: str

    def bring_up(self, store: Store) -> None:
        publish(store, address(self.url, store.store_id))

    def rows(self, store: Store, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(store.store_id)))
            return connection.execute(query).fetchall()  # type: ignore[arg-type]  # any text is a query here

    def words(self, store: Store) -> list[str]:
        return [self.url, "--schema", store.store_id]
