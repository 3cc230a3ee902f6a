"""A small store for the language: plain Python rows, put into DuckDB tables that follow the contract of a
vocabulary.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pytest

from query.vocabulary import Entity, EntityTable, Field, FieldType, MetadataKey, Relations, SavedText

Row = Mapping[str, object]
Value = Mapping[str, object]

_SQL_TYPES = {
    FieldType.TEXT: "VARCHAR",
    FieldType.INTEGER: "BIGINT",
    FieldType.FLOAT: "DOUBLE",
    FieldType.BOOLEAN: "BOOLEAN",
    FieldType.TIME: "TIMESTAMPTZ",
    FieldType.DIGEST: "BLOB",
    FieldType.SIZE: "BIGINT",
    FieldType.DURATION: "DOUBLE",
    FieldType.TEXTS: "VARCHAR[]",
}

FILE_FIELDS = {
    "id": FieldType.TEXT,
    "name": FieldType.TEXT,
    "size": FieldType.SIZE,
    "sha256": FieldType.DIGEST,
    "created": FieldType.TIME,
    "origin": FieldType.TEXT,
    "status": FieldType.TEXT,
    "sites": FieldType.TEXTS,
}
JOB_FIELDS = {
    "id": FieldType.TEXT,
    "transformation": FieldType.TEXT,
    "status": FieldType.TEXT,
    "attempts": FieldType.INTEGER,
    "exit_code": FieldType.INTEGER,
    "ended": FieldType.TIME,
    "duration": FieldType.DURATION,
    "max_rss": FieldType.SIZE,
    "retried": FieldType.BOOLEAN,
    "load": FieldType.FLOAT,
}
WORKFLOW_FIELDS = {"id": FieldType.TEXT, "name": FieldType.TEXT, "status": FieldType.TEXT, "started": FieldType.TIME}
REPLICA_FIELDS = {"name": FieldType.TEXT, "site": FieldType.TEXT, "url": FieldType.TEXT, "verified": FieldType.TIME}
CHECK_FIELDS = {"verdict": FieldType.TEXT, "stage": FieldType.TEXT, "host": FieldType.TEXT, "at": FieldType.TIME}

_METADATA_COLUMNS = (
    "entity VARCHAR, source BIGINT, number BIGINT, key VARCHAR, position BIGINT, written VARCHAR, "
    "written_type VARCHAR, text_form VARCHAR, integer_form BIGINT, float_form DOUBLE, boolean_form BOOLEAN, "
    "time_form TIMESTAMPTZ"
)


@dataclass
class Plain:
    """A store as plain rows. Keys: files (source, file), jobs (run, job), workflows (run,), others (number,)."""

    files: Sequence[Row] = ()
    jobs: Sequence[Row] = ()
    workflows: Sequence[Row] = ()
    replicas: Sequence[Row] = ()
    checks: Sequence[Row] = ()
    reads: Sequence[tuple[int, int, int, int]] = ()
    writes: Sequence[tuple[int, int, int, int]] = ()
    metadata: Sequence[Value] = ()
    queries: Mapping[str, str] = field(default_factory=dict)


class FakeVocabulary:
    """The vocabulary of a `Plain` store loaded into ``connection``."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, plain: Plain) -> None:
        self.connection = connection
        self.plain = plain

    def table(self, entity: Entity) -> EntityTable:
        def fields(types: Mapping[str, FieldType]) -> dict[str, Field]:
            return {name: Field(name, kind, f'e."{name}"') for name, kind in types.items()}

        match entity:
            case Entity.FILES:
                named = fields(FILE_FIELDS)
                named["origin"] = Field("origin", FieldType.TEXT, "o.origin", joins=("o",))
                return EntityTable(
                    entity, "files", ("source", "file"), named, ("name", "size"),
                    joins={"o": "LEFT JOIN origins AS o ON o.source = e.source AND o.file = e.file"},
                    metadata="file", metadata_key=("e.source", "e.file"),
                    paths={"job": (Entity.JOBS, ("e.run", "e.job")), "workflow": (Entity.WORKFLOWS, ("e.run",))},
                )  # fmt: skip
            case Entity.JOBS:
                return EntityTable(
                    entity, "jobs", ("run", "job"), fields(JOB_FIELDS), ("id", "status"),
                    metadata="job", metadata_key=("e.run", "e.job"),
                    paths={"workflow": (Entity.WORKFLOWS, ("e.run",))},
                )  # fmt: skip
            case Entity.WORKFLOWS:
                rows = "(SELECT * FROM workflows)"
                return EntityTable(entity, rows, ("run",), fields(WORKFLOW_FIELDS), ("id", "name"),
                                   metadata="workflow", metadata_key=("e.run", "0"))  # fmt: skip
            case Entity.REPLICAS:
                return EntityTable(
                    entity, "replicas", ("number",), fields(REPLICA_FIELDS), ("name", "site"),
                    paths={"file": (Entity.FILES, ("f.source", "f.file"))}, path_joins={"file": ("f",)},
                    joins={"f": "LEFT JOIN files AS f ON f.source = e.source AND f.file = e.file"},
                )  # fmt: skip
            case Entity.CHECKS:
                return EntityTable(entity, "checks", ("number",), fields(CHECK_FIELDS), ("verdict", "host"),
                                   paths={"job": (Entity.JOBS, ("e.run", "e.job"))})  # fmt: skip

    def relations(self) -> Relations:
        return Relations("reads", "writes")

    def metadata_sql(self) -> str:
        return "metadata"

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        return next((known for known in self.metadata_keys(entity) if known.name == key), None)

    def metadata_keys(self, entity: Entity) -> Sequence[MetadataKey]:
        rows = [row for row in self.plain.metadata if row["entity"] == self.table(entity).metadata]
        found = []
        for key in dict.fromkeys(str(row["key"]) for row in rows):
            mine = [row for row in rows if row["key"] == key]
            values = [row for row in mine if row["text_form"] is not None]
            found.append(
                MetadataKey(
                    key,
                    len(values),
                    numbers=sum(row["float_form"] is not None for row in values),
                    booleans=sum(row["boolean_form"] is not None for row in values),
                    times=sum(row["time_form"] is not None for row in values),
                    lists=len({(row["source"], row["number"]) for row in mine if row["position"] is not None}),
                    things=len({(row["source"], row["number"]) for row in mine}),
                    examples=tuple(dict.fromkeys(str(row["text_form"]) for row in values))[:3],
                )
            )
        return sorted(found, key=lambda known: -known.values)

    def saved(self, name: str) -> SavedText | None:
        return SavedText(self.plain.queries[name]) if name in self.plain.queries else None

    def saved_names(self) -> Sequence[str]:
        return tuple(self.plain.queries)


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Sequence[Row]) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({columns})")
    names = [column.split()[0].strip('"') for column in columns.split(", ")]
    if rows:
        marks = "(" + ", ".join("?" for _ in names) + ")"
        values = [row.get(each) for row in rows for each in names]
        connection.execute(f"INSERT INTO {name} VALUES {', '.join([marks] * len(rows))}", values)


def _columns(key: str, types: Mapping[str, FieldType]) -> str:
    return ", ".join([key, *(f'"{name}" {_SQL_TYPES[kind]}' for name, kind in types.items())])


@pytest.fixture(scope="session")
def connection() -> duckdb.DuckDBPyConnection:
    """One engine for all tests: loading a store replaces its tables."""
    connected = duckdb.connect()
    connected.execute("SET TimeZone = 'UTC'; SET threads = 1")
    return connected


@pytest.fixture(scope="session")
def load(connection: duckdb.DuckDBPyConnection) -> Callable[[Plain], FakeVocabulary]:
    """Puts a plain store into the engine."""

    def loaded(plain: Plain) -> FakeVocabulary:
        both = "source BIGINT, file BIGINT, run BIGINT, job BIGINT"
        _create(connection, "files", _columns(both, {**FILE_FIELDS}), plain.files)
        _create(connection, "origins", "source BIGINT, file BIGINT, origin VARCHAR", plain.files)
        connection.execute("ALTER TABLE files DROP COLUMN origin")
        _create(connection, "jobs", _columns("run BIGINT, job BIGINT", JOB_FIELDS), plain.jobs)
        _create(connection, "workflows", _columns("run BIGINT", WORKFLOW_FIELDS), plain.workflows)
        _create(
            connection,
            "replicas",
            _columns("number BIGINT, source BIGINT, file BIGINT", REPLICA_FIELDS),
            plain.replicas,
        )
        _create(connection, "checks", _columns("number BIGINT, run BIGINT, job BIGINT", CHECK_FIELDS), plain.checks)
        _create(connection, "metadata", _METADATA_COLUMNS, plain.metadata)
        edge = ("file_source", "file", "run", "job")
        columns = ", ".join(f"{name} BIGINT" for name in edge)
        _create(connection, "reads", columns, [dict(zip(edge, row, strict=True)) for row in plain.reads])
        _create(connection, "writes", columns, [dict(zip(edge, row, strict=True)) for row in plain.writes])
        return FakeVocabulary(connection, plain)

    return loaded


@pytest.fixture(scope="session")
def now() -> dt.datetime:
    """What `now` is in every test."""
    return dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def plain() -> type[Plain]:
    """The class of a plain store."""
    return Plain


def metadata_row(
    entity: str, number: int, key: str, text: str | None, form: object = None, position: int | None = None
) -> Row:
    """One current metadata value; ``form`` is its typed form, if it has one."""
    whole = form if isinstance(form, int) and not isinstance(form, bool) else None
    double = float(form) if isinstance(form, int | float) and not isinstance(form, bool) else None
    return {
        "entity": entity, "source": 1, "number": number, "key": key, "position": position, "written": text,
        "written_type": "untyped", "text_form": text, "integer_form": whole, "float_form": double,
        "boolean_form": form if isinstance(form, bool) else None,
        "time_form": form if isinstance(form, dt.datetime) else None,
    }  # fmt: skip


@pytest.fixture
def small(load: Callable[[Plain], FakeVocabulary], now: dt.datetime) -> FakeVocabulary:
    """Three files, one job that made the third from the first, and their workflow."""
    hour = dt.timedelta(hours=1)
    files = [
        {"source": 1, "file": number, "run": run, "job": run, "id": f"f{number}", "name": name, "size": number * 1000,
         "sha256": bytes([number]) * 32, "created": now - number * hour, "origin": "raw" if run is None else "produced",
         "status": status, "sites": ["tape"]}
        for number, name, run, status in [(1, "a.fits", None, "ok"), (2, "b.fits", None, "gone"), (3, "c.cat", 1, "ok")]
    ]  # fmt: skip
    metadata = [
        *(metadata_row("file", number, "kind", kind) for number, kind in [(1, "raw"), (2, "flat"), (3, "raw")]),
        *(metadata_row("file", number, "detector_temp", str(-94 - number), -94 - number) for number in (1, 2, 3)),
        metadata_row("file", 1, "version", "1.10", 1.1),
        metadata_row("file", 2, "version", "draft"),
        metadata_row("file", 1, "status", "final"),
        *(metadata_row("file", 1, "tags", text, position=place) for place, text in enumerate(["golden", "checked"])),
        metadata_row("file", 1, "flag", "true", True),
        metadata_row("job", 1, "campaign", "DR3"),
    ]
    job = {
        "run": 1,
        "job": 1,
        "id": "j1",
        "transformation": "isr",
        "status": "succeeded",
        "duration": 7200.0,
        "ended": now,
    }
    return load(Plain(
        files=files, jobs=[job],
        workflows=[{"run": 1, "id": "w1", "name": "coadd", "status": "failed", "started": now}],
        checks=[{"number": 1, "run": 1, "job": 1, "verdict": "ok", "stage": "audit", "host": "h", "at": now}],
        reads=[(1, 1, 1, 1)], writes=[(1, 3, 1, 1)], metadata=metadata,
        queries={"good": "files where kind = $kind", "loop": "@loop where size > 1", "broken": "files where nokey = 1"},
    ))  # fmt: skip
