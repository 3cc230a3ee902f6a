"""What refers to what between the tables of a store, and what may refer to nothing.

A record may arrive before that of the job whose output it read, and at another store than the one that its run was
planned in. So these may refer to nothing, and nothing else may:

- a file that a job of a known run makes, as long as there is no record of the attempt that makes it (the number of a
  file names its job and attempt, see provenance/identity.py);
- the run, job or file that an attempt of a run names which this store has never seen planned, and what such attempts
  saw of copies;
- what names a file that an erasure took.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from provenance.identity import FileId
from provenance.schema import BY_NAME

SAMPLES = 3
"""So many of the rows that refer to nothing are named."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a table that name a row of another one by its key; a null among them names nothing.

    ``run``: the column with the run that says so, where one does; rows of runs that this store has not seen planned
    are excused. ``condition`` limits which rows are meant.
    """

    table: str
    columns: tuple[str, ...]
    to: str
    key: tuple[str, ...]
    run: str | None = None
    condition: str = "true"

    def __post_init__(self) -> None:
        for table, columns in ((self.table, self.columns), (self.to, self.key)):
            for column in columns:
                if table != "chosen":
                    BY_NAME[table].column(column)

    @property
    def tables(self) -> frozenset[str]:
        """The tables that finding out needs."""
        return frozenset({_stored(self.table), self.to, "workflows", "invocations"})

    @property
    def expected(self) -> str:
        """What has to hold, for a person."""
        return f"{', '.join(self.columns)} to be in {self.to}"

    def sql(self, erased: Collection[FileId] = ()) -> str:
        """Text of a statement: (rows that refer to nothing, some of them as text); names come from the schema.

        ``erased`` are files that need not be found.
        """
        columns = [f'c."{column}"' for column in self.columns]
        joined = " AND ".join(f'p."{key}" = {column}' for key, column in zip(self.key, columns, strict=True))
        named = " AND ".join(f"{column} IS NOT NULL" for column in columns)
        parts = [self.condition, named, f'NOT EXISTS (FROM "{self.to}" AS p WHERE {joined})', *self._excuses(columns)]
        if erased and self.to == "files":
            sources, files = ([file[place] for file in sorted(erased)] for place in (0, 1))
            listed = f"SELECT unnest({sources}::BIGINT[]), unnest({files}::BIGINT[])"
            parts.append(f"({', '.join(columns)}) NOT IN ({listed})")
        text = " || '/' || ".join(f"CAST({column} AS VARCHAR)" for column in columns)
        return (
            f"SELECT count(*), list_sort(list(DISTINCT named))[:{SAMPLES}] FROM"
            f" (SELECT {text} AS named FROM {self._rows()} AS c WHERE {' AND '.join(parts)})"
        )

    def _rows(self) -> str:
        if self.table == "chosen":
            return "(SELECT unnest(sources) AS source, unnest(files) AS file, run FROM selections)"
        return f'"{self.table}"'

    def _excuses(self, columns: list[str]) -> Iterator[str]:
        """What must not hold of a row either for it to be damage."""
        if self.run is not None:
            yield f'(c."{self.run}" IS NULL OR c."{self.run}" IN (SELECT run FROM workflows))'
        if self.to == "files":
            source, file = columns
            yield f"NOT ({_TO_COME.format(source=source, file=file)})"
            if self.run is None:
                yield f"({source} IN (SELECT run FROM workflows) OR NOT EXISTS ({_FOREIGN}))"


_TO_COME = (
    "{file} >> 30 > 0 AND {source} IN (SELECT run FROM workflows) AND NOT EXISTS (FROM invocations AS i WHERE"
    " i.run = {source} AND i.job = {file} >> 30 AND i.attempt = ({file} >> 20) & 1023)"
)
_FOREIGN = "FROM invocations AS i WHERE i.run NOT IN (SELECT run FROM workflows WHERE run IS NOT NULL)"

_RUN = ("run",)
_JOB = ("run", "job")
_ATTEMPT = ("run", "job", "attempt")
_FILE = ("source", "file")

REFERENCES: tuple[Reference, ...] = (
    Reference("workflows", ("parent_run",), "workflows", _RUN),
    Reference("workflow_states", _RUN, "workflows", _RUN),
    Reference("jobs", _RUN, "workflows", _RUN),
    Reference("jobs", ("reused_run", "reused_job"), "jobs", _JOB),
    Reference("job_edges", ("run", "parent"), "jobs", _JOB),
    Reference("job_edges", ("run", "child"), "jobs", _JOB),
    Reference("job_states", _JOB, "jobs", _JOB, run="run"),
    Reference("invocations", _JOB, "jobs", _JOB, run="run"),
    Reference("uses", _ATTEMPT, "invocations", _ATTEMPT),
    Reference("uses", _FILE, "files", _FILE, run="run"),
    Reference("files", ("source", "job"), "jobs", _JOB, run="source"),
    Reference("files", ("source", "job", "attempt"), "invocations", _ATTEMPT),
    Reference("replicas", _FILE, "files", _FILE),
    Reference("file_digests", _FILE, "files", _FILE),
    Reference("checks", ("file_source", "file"), "files", _FILE, run="run"),
    Reference("checks", _ATTEMPT, "invocations", _ATTEMPT),
    Reference("selections", _RUN, "workflows", _RUN),
    Reference("chosen", _FILE, "files", _FILE, run="run"),
    Reference("metadata", ("source",), "workflows", _RUN, None, "c.entity IN ('workflow', 'transformation')"),
    Reference("metadata", ("source", "number"), "jobs", _JOB, "source", "c.entity = 'job'"),
    Reference("metadata", ("source", "number"), "files", _FILE, None, "c.entity = 'file'"),
)
"""All that must refer to something. ``chosen`` are the files that selections list."""

KEYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("workflows", _RUN),
    ("jobs", _JOB),
    ("invocations", _ATTEMPT),
    ("job_edges", ("run", "parent", "child")),
    ("queries", ("name", "version", "at", "user_name")),  # stores that pull from each other number them apart
)
"""Columns of which no two rows have the same values."""


def doubled_sql(table: str, key: tuple[str, ...]) -> str:
    """Text of a statement: (rows too many, some of their keys as text)."""
    columns = ", ".join(f'"{column}"' for column in key)
    text = " || '/' || ".join(f"""coalesce(CAST("{column}" AS VARCHAR), 'null')""" for column in key)
    return (
        f"SELECT coalesce(sum(n) - count(*), 0), list_sort(list(named))[:{SAMPLES}] FROM"
        f' (SELECT {text} AS named, count(*) AS n FROM "{table}" GROUP BY {columns} HAVING n > 1)'
    )


def _stored(table: str) -> str:
    return "selections" if table == "chosen" else table
