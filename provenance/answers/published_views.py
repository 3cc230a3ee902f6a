"""What `pirene sql` shows under which names, each column with type, unit and meaning: the tables, and views that join
what is asked most. They are a contract: columns may be added, and nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from provenance.schema import BY_NAME, METADATA, TABLES, Column, Kind

_UNITS = {"_bytes": "bytes", "_seconds": "seconds", "_ns": "nanoseconds since 1970", "_sha256": "32 bytes"}


@dataclass(frozen=True, slots=True)
class View:
    """A table, or a view over some; ``row`` says what one row is."""

    name: str
    row: str
    columns: tuple[Column, ...]


def unit(column: Column) -> str | None:
    """What a number of a column counts, or which form its bytes or times have; None: nothing to say."""
    if column.kind is Kind.TIME:
        return "UTC, microseconds"
    if column.name == "sha256":
        return _UNITS["_sha256"]
    return next((text for ending, text in _UNITS.items() if column.name.endswith(ending)), None)


def _view(name: str, row: str, *columns: str | tuple[str, str] | Column) -> View:
    """A view; a column is ``table.column``, the same under another name, or one of its own."""
    return View(name, row, tuple(_column(column) for column in columns))


def _column(described: str | tuple[str, str] | Column) -> Column:
    if isinstance(described, Column):
        return described
    path, name = (described, None) if isinstance(described, str) else described
    table, _, column = path.partition(".")
    found = BY_NAME[table].column(column)
    return Column(name or found.name, found.kind, found.meaning)


def _time(name: str, meaning: str) -> Column:
    return Column(name, Kind.TIME, meaning)


_RUN_STATUS = Column("status", Kind.TEXT, "planned | running | succeeded | failed | incomplete")
_JOB_STATUS = Column(
    "status", Kind.TEXT, "planned | running | succeeded | failed | integrity_failed | reused | not_run"
)
_FILE_STATUS = Column("status", Kind.TEXT, "ok: it can be read | gone | damaged | retired")
_COPY_STATE = Column("state", Kind.TEXT, "ok | quarantined | missing | replaced | removed | retired")

VIEWS: tuple[View, ...] = (
    _view(
        "run_overview",
        "a run: where it is, when it was, how many jobs it has",
        "workflows.run",
        "workflows.run_id",
        ("workflows.name", "workflow"),
        "workflows.kind",
        "workflows.user_name",
        "workflows.host",
        "workflows.engine",
        _RUN_STATUS,
        "workflows.planned",
        _time("started", "when it first ran"),
        _time("ended", "when it ended last; null: it has not"),
        Column("jobs", Kind.INTEGER, "how many jobs it has"),
        Column("failed", Kind.INTEGER, "how many of them have failed"),
        "workflows.submit_dir",
        "workflows.output_dir",
        "workflows.commit_number",
    ),
    _view(
        "job_overview",
        "a job: what became of it, with its last attempt of which there is a record",
        "jobs.run",
        "jobs.job",
        "workflows.run_id",
        ("workflows.name", "workflow"),
        ("jobs.id", "job_id"),
        ("jobs.name", "transformation"),
        _JOB_STATUS,
        Column("attempts", Kind.INTEGER, "how often it was tried"),
        "jobs.decision",
        "jobs.reason",
        "invocations.host",
        "invocations.started",
        "invocations.ended",
        "invocations.duration_seconds",
        "invocations.cpu_seconds",
        "invocations.max_rss_bytes",
        "invocations.exit_code",
        "invocations.signal",
        "invocations.failure",
        "jobs.commit_number",
    ),
    _view(
        "file_overview",
        "a file: what it is, where it came from, and whether it can be read",
        "files.source",
        "files.file",
        "files.name",
        "files.origin",
        "files.kind",
        "files.size_bytes",
        "files.sha256",
        _FILE_STATUS,
        Column("sites", Kind.TEXTS, "where a copy can be read, sorted"),
        _time("verified", "when a copy was last read and found good"),
        "files.created",
        "workflows.run_id",
        ("workflows.name", "workflow"),
        ("jobs.id", "job_id"),
        "files.attempt",
        "files.commit_number",
    ),
    _view(
        "copy_overview",
        "a copy of a file: where it is, and whether it can be read",
        "files.source",
        "files.file",
        "files.name",
        "replicas.url",
        "replicas.site",
        _COPY_STATE,
        _time("since", "when it came into this state"),
        _time("registered", "when it was first registered"),
        _time("verified", "when it was last read and found good"),
        "files.size_bytes",
        "files.sha256",
    ),
    _view(
        "current_metadata",
        "a value that a key of a thing has now",
        *(f"metadata.{column.name}" for column in METADATA.columns if column.name not in ("withdrawn", "subject")),
        "metadata.subject",
    ),
    _view(
        "reads",
        "a job read a file; a reused job has the edges of its original",
        ("files.source", "file_source"),
        "files.file",
        "jobs.run",
        "jobs.job",
    ),
    _view(
        "writes",
        "a job wrote a file; a reused job has the edges of its original",
        "jobs.run",
        "jobs.job",
        ("files.source", "file_source"),
        "files.file",
    ),
)


PUBLISHED: tuple[View, ...] = (*VIEWS, *(View(table.name, table.row, table.columns) for table in TABLES))
"""All that can be asked by SQL: first the views, then the tables."""
