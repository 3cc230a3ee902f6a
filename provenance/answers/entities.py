"""What there is to ask about in every store, as data: entities with their built-in fields, paths and joins. A field has
a type, and SQL over the views of provenance/reading/views.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from query.vocabulary import Entity, EntityTable, Field, FieldType

_TEXT, _INTEGER, _TIME, _DIGEST = FieldType.TEXT, FieldType.INTEGER, FieldType.TIME, FieldType.DIGEST
_SIZE, _DURATION, _TEXTS = FieldType.SIZE, FieldType.DURATION, FieldType.TEXTS

_FILE_ID = "lower(lpad(to_hex(e.source), 16, '0')) || '-' || e.file"
_STEM = r"regexp_replace(regexp_extract(e.name, '[^/]*$', 0, 's'), '^(.+)\.[^.]+$', '\1', 's')"
_SECONDS = "date_diff('microsecond', s.started, s.ended) / 1e6"
_TRANSFORMATION = "e.namespace || '::'", "e.name", "':' || e.version"


def _fields(*fields: Field) -> Mapping[str, Field]:
    return {field.name: field for field in fields}


def _one_of(name: str, sql: str, values: str, joins: tuple[str, ...] = ()) -> Field:
    """A text field with one of a few ``values``, written `a | b`."""
    return Field(name, _TEXT, sql, joins, values, tuple(values.split(" | ")))


FILES = EntityTable(
    entity=Entity.FILES,
    sql="files",
    key=("source", "file"),
    show=("name", "size", "sha256", "created", "origin", "status"),
    joins={"s": "LEFT JOIN file_states AS s ON s.source = e.source AND s.file = e.file"},
    metadata="file",
    metadata_key=("e.source", "e.file"),
    paths={
        "job": (Entity.JOBS, ("CASE WHEN e.job IS NOT NULL THEN e.source END", "e.job")),
        "workflow": (Entity.WORKFLOWS, ("CASE WHEN e.job IS NOT NULL THEN e.source END",)),
    },
    fields=_fields(
        Field("id", _TEXT, _FILE_ID, meaning="of this occurrence, in every store"),
        Field("name", _TEXT, "e.name", meaning="logical name"),
        Field("stem", _TEXT, _STEM, meaning="last part of the name, without its last suffix"),
        Field("size", _SIZE, "e.size_bytes", meaning="bytes; missing until known"),
        Field("sha256", _DIGEST, "e.sha256", meaning="of the content; missing until known"),
        Field("created", _TIME, "e.created", meaning="when it was produced or registered"),
        _one_of("origin", "e.origin", "raw | produced"),
        _one_of("digest_origin", "e.digest_origin", "declared | recorded | produced | observed"),
        Field("verified", _TIME, "s.verified", ("s",), "when a copy was last read and found good"),
        _one_of("status", "coalesce(s.status, 'gone')", "ok | gone | damaged | retired", ("s",)),
        Field("sites", _TEXTS, "coalesce(s.sites, [])", ("s",), "where good copies are"),
    ),
)

JOBS = EntityTable(
    entity=Entity.JOBS,
    sql="jobs",
    key=("run", "job"),
    show=("id", "transformation", "status", "host", "started", "duration"),
    joins={
        "a": "LEFT JOIN last_attempts AS a ON a.run = e.run AND a.job = e.job",
        "s": "LEFT JOIN job_statuses AS s ON s.run = e.run AND s.job = e.job",
    },
    metadata="job",
    metadata_key=("e.run", "e.job"),
    paths={"workflow": (Entity.WORKFLOWS, ("e.run",))},
    fields=_fields(
        Field("id", _TEXT, "e.id", meaning="in its workflow"),
        Field("name", _TEXT, "e.name", meaning="of its transformation"),
        Field("namespace", _TEXT, "e.namespace", meaning="of its transformation"),
        Field("version", _TEXT, "e.version", meaning="of its transformation"),
        Field(
            "transformation",
            _TEXT,
            "nullif(concat(" + ", ".join(_TRANSFORMATION) + "), '')",
            meaning="namespace::name:version, as much of it as there is",
        ),
        _one_of("type", "e.type", "job | exec | pegasusWorkflow | condorWorkflow"),
        _one_of(
            "status",
            "s.status",
            "planned | reused | running | succeeded | failed | integrity_failed | not_run",
            ("s",),
        ),
        Field("site", _TEXT, "e.site", meaning="where it runs"),
        Field("host", _TEXT, "a.host", ("a",), "where its last attempt ran"),
        Field("attempts", _INTEGER, "s.attempts", ("s",), "how often it was tried"),
        Field("exit_code", _INTEGER, "a.exit_code", ("a",), "of the last attempt"),
        Field("signal", _INTEGER, "a.signal", ("a",), "that ended the last attempt"),
        Field("started", _TIME, "a.started", ("a",), "of the last attempt"),
        Field("ended", _TIME, "a.ended", ("a",), "of the last attempt"),
        Field("duration", _DURATION, "a.duration_seconds", ("a",), "seconds, of the command itself"),
        Field("cpu_seconds", _DURATION, "a.cpu_seconds", ("a",), "user and system time"),
        Field("max_rss", _SIZE, "a.max_rss_bytes", ("a",), "largest resident set of any one process"),
        Field("arguments", _TEXTS, "e.arguments", meaning="one by one"),
        _one_of("decision", "e.decision", "run | reuse"),
        Field("reason", _TEXT, "e.reason", meaning="why it runs or not"),
    ),
)

WORKFLOWS = EntityTable(
    entity=Entity.WORKFLOWS,
    sql="workflows",
    key=("run",),
    order=("run_id",),  # the id that people see: a UUIDv7, so that the oldest run comes first
    show=("id", "name", "status", "user", "started", "duration", "job_count"),
    joins={
        "s": "LEFT JOIN workflow_statuses AS s ON s.run = e.run",
        "c": "LEFT JOIN job_counts AS c ON c.run = e.run",
        "p": "LEFT JOIN (SELECT run, any_value(run_id) AS run_id FROM workflows GROUP BY run) AS p"
        " ON p.run = e.parent_run",
    },
    metadata="workflow",
    metadata_key=("e.run", "0"),
    fields=_fields(
        Field("id", _TEXT, "e.run_id", meaning="of the run"),
        Field("name", _TEXT, "e.name", meaning="of the workflow"),
        _one_of(
            "status", "coalesce(s.status, 'planned')", "planned | running | succeeded | failed | incomplete", ("s",)
        ),
        Field("user", _TEXT, "e.user_name", meaning="who planned it"),
        Field("host", _TEXT, "e.host", meaning="where it was planned"),
        Field("engine", _TEXT, "e.engine", meaning="local | htcondor"),
        Field("started", _TIME, "s.started", ("s",), "when it started to run"),
        Field("ended", _TIME, "s.ended", ("s",), "when it ended"),
        Field("duration", _DURATION, _SECONDS, ("s",), "seconds from start to end"),
        Field("parent", _TEXT, "p.run_id", ("p",), "id of the run that this is a sub-workflow of"),
        Field("job_count", _INTEGER, "coalesce(c.jobs, 0)", ("c",), "jobs in it"),
        Field("failed_count", _INTEGER, "coalesce(c.failed, 0)", ("c",), "jobs that failed"),
    ),
)

REPLICAS = EntityTable(
    entity=Entity.REPLICAS,
    sql="replica_rows",
    key=("source", "file", "url"),
    show=("name", "size", "site", "url", "verified", "state"),
    paths={"file": (Entity.FILES, ("e.source", "e.file"))},
    fields=_fields(
        Field("name", _TEXT, "e.name", meaning="of the file"),
        Field("sha256", _DIGEST, "e.sha256", meaning="of the file"),
        Field("size", _SIZE, "e.size_bytes", meaning="of the file"),
        Field("site", _TEXT, "e.site", meaning="where the copy is"),
        Field("url", _TEXT, "e.url", meaning="without credentials"),
        Field("registered", _TIME, "e.registered", meaning="when the copy became known"),
        Field("verified", _TIME, "e.verified", meaning="when it was last read and found good"),
        _one_of("state", "e.state", "ok | quarantined | missing | removed | replaced | retired"),
    ),
)

CHECKS = EntityTable(
    entity=Entity.CHECKS,
    sql="checks",
    key=("source", "number"),
    show=("name", "stage", "verdict", "class", "expected", "actual", "at"),
    paths={
        "file": (Entity.FILES, ("e.file_source", "e.file")),
        "job": (Entity.JOBS, ("e.run", "e.job")),
        "workflow": (Entity.WORKFLOWS, ("e.run",)),
    },
    fields=_fields(
        Field("name", _TEXT, "e.name", meaning="that the file was known by"),
        _one_of("stage", "e.stage", "stage-in | pre-exec | post-exec | output | stage-out | audit | scrub"),
        _one_of("verdict", "e.verdict", "ok | mismatch | missing | unreadable"),
        Field("class", _TEXT, "e.finding", meaning="finding class; missing when ok"),
        Field("expected", _DIGEST, "e.expected_sha256", meaning="missing at first sight"),
        Field("actual", _DIGEST, "e.actual_sha256", meaning="missing if it could not be read whole"),
        _one_of("protection", "e.protection", "guard | copy | seal | none"),
        Field("at", _TIME, 'e."at"', meaning="when"),
        Field("seconds", _DURATION, "e.duration_seconds", meaning="what it took"),
        Field("host", _TEXT, "e.host", meaning="where"),
    ),
)

ENTITIES: Mapping[Entity, EntityTable] = {table.entity: table for table in (FILES, JOBS, WORKFLOWS, REPLICAS, CHECKS)}

WIDE = (FILES, JOBS)
"""Those of which there can be millions, with metadata."""
