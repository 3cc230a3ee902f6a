"""The DuckLake catalog of a store, on SQLite and on PostgreSQL."""
