"""Writes commits as an earlier version of Pirene with fewer columns and tables would have: STORE FIRST_PART LAST_PART.

The last table is not there, and the last columns of some tables are not, lists among them.
"""

import dataclasses
import importlib.util
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from provenance import schema

LATER = {"files": 3, "jobs": 3, "metadata": 1}
"""How many columns of a table came later."""


def earlier(table: schema.Table) -> schema.Table:
    own = table.columns[: -1 - LATER.get(table.name, 0)]
    return dataclasses.replace(table, columns=(*own, schema.COMMIT_NUMBER))


# Before anything else takes them from there.
schema.TABLES = tuple(earlier(table) for table in schema.TABLES[:-1])
schema.BY_NAME = {table.name: table for table in schema.TABLES}

from provenance.history.commits import CommitKind  # noqa: E402
from provenance.store import Store  # noqa: E402

specification = importlib.util.spec_from_file_location("conftest", pathlib.Path(__file__).with_name("conftest.py"))
assert specification is not None
assert specification.loader is not None
conftest = importlib.util.module_from_spec(specification)
sys.modules["conftest"] = conftest
specification.loader.exec_module(conftest)

store = Store.open(sys.argv[1])
for part in range(int(sys.argv[2]), int(sys.argv[3]) + 1):
    store.commit(CommitKind.INGEST, conftest._full_batch(part * 4, part * 4 + 3))
