"""Runs in an environment with DuckDB 1.5.5 and its DuckLake extension: pickled (attach, statements) in; out, for each
statement, the names of its columns and its rows.
"""

import importlib
import pathlib
import pickle
import sys

import duckdb

attach, statements = pickle.load(sys.stdin.buffer)
connection = duckdb.connect()
for name in ("sqlite_scanner", "postgres_scanner", "httpfs", "ducklake"):
    package = pathlib.Path(importlib.import_module(f"duckdb_extension_{name}").__path__[0])
    extension = package / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    connection.execute(f"LOAD '{extension}'")
connection.execute("SET TimeZone = 'UTC'")
for statement in attach:
    connection.execute(statement)
connection.execute("USE lake")
answers = []
for statement in statements:
    answer = connection.execute(*statement)
    answers.append(([name for name, *_ in answer.description], answer.fetchall()))
pickle.dump(answers, sys.stdout.buffer)
