"""The tables of the store, as data: every reader, writer and projection takes names, types and meaning from here.

Units: ``*_bytes`` are bytes, ``*_seconds`` seconds, ``*_ns`` nanoseconds since 1970, times UTC with microseconds,
``*_sha256`` 32 bytes. ``source`` (of a file or a registration) and ``run`` hold ids as in provenance/identity.py.
Every table ends with ``commit_number``: the commit that brought the row; compaction keeps it, so ``as of`` is exact.
That is when it came here; which of two was said later, here or elsewhere, is asked of a table's form IN_ORDER.
"""

from __future__ import annotations

from provenance.tables import Column, Kind, Table

__all__ = [
    "BY_NAME",
    "COMMIT_NUMBER",
    "COMMIT_ORDER",
    "IN_ORDER",
    "LOOKED_UP",
    "METADATA",
    "PULLED",
    "TABLES",
    "Column",
    "Kind",
    "Table",
]

I, F, B, T, X, W = Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN, Kind.TEXT, Kind.BYTES, Kind.TIME  # noqa: E741
COMMIT_NUMBER = Column("commit_number", I, "the commit that brought this row")
COMMIT_ORDER = Column("commit_order", I, "place of the commit that said so among all, those of other stores included")
"""Not stored. What was said later has the higher one, in every store that has both."""
PULLED = Column("pulled", B, "whether another store said so")
"""Not stored."""
IN_ORDER = "_in_order"
"""``metadata_in_order`` is to readers what ``metadata`` is, with COMMIT_ORDER and PULLED after its columns."""


def _table(name: str, row: str, sort_by: tuple[str, ...], *columns: tuple[str, Kind, str]) -> Table:
    return Table(name, row, (*(Column(*column) for column in columns), COMMIT_NUMBER), sort_by)


WORKFLOWS = _table(
    "workflows",
    "a planned run, or one command of `exec`",
    ("run",),
    ("run", I, "hash of run_id: the source of all that the run makes"),
    ("run_id", T, "UUIDv7"),
    ("kind", T, "workflow | exec"),
    ("name", T, "name of the workflow"),
    ("user_name", T, "who planned it"),
    ("host", T, "where it was planned"),
    ("submit_dir", T, "absolute path of the run folder"),
    ("output_dir", T, "absolute path of the output folder"),
    ("engine", T, "local | htcondor"),
    ("planner_version", T, "version of pirene"),
    ("workflow_sha256", X, "digest of the workflow file"),
    ("plan_sha256", X, "digest of the plan's lock file"),
    ("parent_run", I, "the run that this is a sub-workflow of"),
    ("planned", W, "when it was planned"),
)
WORKFLOW_STATES = _table(
    "workflow_states",
    "a state change of a run",
    ("run", "at"),
    ("run", I, "the run"),
    ("state", T, "planned | running | succeeded | failed | incomplete"),
    ("at", W, "when"),
    ("reason", T, "why, where there is something to say"),
)
JOBS = _table(
    "jobs",
    "a job of a run",
    ("run", "job"),
    ("run", I, "the run"),
    ("job", I, "ordinal in the plan, from 1"),
    ("id", T, "its id in the workflow"),
    ("type", T, "job | exec | pegasusWorkflow | condorWorkflow"),
    ("namespace", T, "of the transformation"),
    ("name", T, "of the transformation"),
    ("version", T, "of the transformation"),
    ("arguments", Kind.TEXTS, "the arguments, one by one, as given to the executable"),
    ("environment", Kind.TEXTS, "declared environment, NAME=value, sorted"),
    ("site", T, "where it runs"),
    ("executable", T, "path or URL of the executable at the site"),
    ("executable_sha256", X, "its digest, where it could be hashed while planning"),
    ("reuse_key", X, "the key of what would run, where all input digests were known while planning"),
    ("decision", T, "run | reuse"),
    ("ground", T, "proven | observed | asserted, for a reused job"),
    ("reason", T, "why it runs or not, one sentence"),
    ("changed", Kind.TEXTS, "what changed since the last success, one entry a thing"),
    ("reused_run", I, "the run of the job that it was reused from: always one that really ran"),
    ("reused_job", I, "the ordinal of that job"),
)
JOB_STATES = _table(
    "job_states",
    "a state change of a job or attempt",
    ("run", "job", "at"),
    ("run", I, "the run"),
    ("job", I, "the job"),
    ("attempt", I, "of which attempt; null: of the job as a whole"),
    (
        "state",
        T,
        "submitted | started | ended | failed | recovering | unrecoverable | nondeterministic | held | released | "
        "evicted | removed | not_run",
    ),
    ("at", W, "when"),
    ("reason", T, "why"),
)
JOB_EDGES = _table(
    "job_edges",
    "a dependency between two jobs of a run",
    ("run", "parent", "child"),
    ("run", I, "the run"),
    ("parent", I, "ordinal of the job that must end first"),
    ("child", I, "ordinal of the job that waits"),
)
INVOCATIONS = _table(
    "invocations",
    "an attempt to run a job",
    ("run", "job", "attempt"),
    ("run", I, "the run"),
    ("job", I, "the job"),
    ("attempt", I, "from 1"),
    ("host", T, "where it ran"),
    ("user_name", T, "as whom"),
    ("python", T, "the wrapper's Python"),
    ("started", W, "when the wrapper started the attempt"),
    ("ended", W, "when the record was made"),
    ("duration_seconds", F, "of the command itself, by a monotonic clock; null: it never started"),
    ("exit_code", I, "of the command; null: it never started or died of a signal"),
    ("signal", I, "that ended the command"),
    ("status", T, "succeeded | failed | integrity_failed"),
    ("failure", T, "why the attempt failed, one sentence"),
    ("cpu_seconds", F, "user and system time of the command and its descendants"),
    ("max_rss_bytes", I, "largest resident set of any one process"),
    ("read_bytes", I, "block input"),
    ("written_bytes", I, "block output"),
    ("stdout_tail", T, "end of standard output; bytes that are not UTF-8 as \\xNN"),
    ("stderr_tail", T, "end of standard error, likewise"),
    ("command", Kind.TEXTS, "the argument vector, executable first"),
    ("work_dir", T, "the folder that it ran in"),
    ("reuse_key", X, "the key of what really ran"),
    ("record_sha256", X, "digest of the invocation record"),
)
FILES = _table(
    "files",
    "a file: an occurrence of a logical name, made by one attempt or registered once",
    ("source", "file"),
    ("source", I, "hash of the run or registration in which it came to be"),
    ("file", I, "ordinal in it"),
    ("name", T, "logical name"),
    ("origin", T, "raw | produced"),
    ("kind", T, "file | folder"),
    ("job", I, "that produced it (its run is the source); null: raw"),
    ("attempt", I, "that produced it"),
    ("size_bytes", I, "null until known"),
    ("sha256", X, "null until known; a folder's is that of its sorted manifest"),
    ("checksums", Kind.TEXTS, "foreign checksums, algorithm:hex"),
    ("digest_origin", T, "declared | recorded | produced | observed: where sha256 comes from"),
    ("created", W, "when it was produced or registered"),
    ("modified", W, "its mtime when it was produced or registered"),
    ("owner", T, "the user that it belonged to then"),
    ("checksum_seconds", F, "what hashing it took"),
)
FILE_DIGESTS = _table(
    "file_digests",
    "what came to be known of the content of a file after it came to be; the first sha256 counts",
    ("source", "file"),
    ("source", I, "the file"),
    ("file", I, "the file"),
    ("sha256", X, "of what was read; null: only checksums were declared"),
    ("size_bytes", I, "of what was read"),
    ("checksums", Kind.TEXTS, "foreign checksums that were declared later, algorithm:hex"),
    ("digest_origin", T, "where sha256 comes from, as in files"),
    ("at", W, "when it came to be known"),
    ("checksum_seconds", F, "what hashing it took"),
)
USES = _table(
    "uses",
    "an attempt read or wrote a file",
    ("run", "job", "attempt"),
    ("run", I, "the run"),
    ("job", I, "the job"),
    ("attempt", I, "the attempt"),
    ("source", I, "the file"),
    ("file", I, "the file"),
    ("name", T, "the name that the job knew it by"),
    ("role", T, "input | output | inout | checkpoint | executable"),
    ("direction", T, "read | write; an inout has one row of each, for two files"),
    ("size_bytes", I, "as seen"),
    ("sha256", X, "as seen"),
)
REPLICAS = _table(
    "replicas",
    "an event in the life of a copy of a file",
    ("source", "file", "at"),
    ("source", I, "the file"),
    ("file", I, "the file"),
    ("site", T, "where the copy is"),
    ("url", T, "file:///... or another scheme, without credentials"),
    ("event", T, "registered | verified | replaced | removed | missing | quarantined | reinstated | retired"),
    ("at", W, "when"),
    ("size_bytes", I, "as last verified"),
    ("modified_ns", I, "mtime as last verified"),
    ("changed_ns", I, "ctime as last verified"),
    ("inode", I, "as last verified"),
    ("device", I, "as last verified"),
    ("reason", T, "why"),
)
SELECTIONS = _table(
    "selections",
    "a selection that a plan froze",
    ("run", "name"),
    ("run", I, "the run"),
    ("name", T, "of the selection"),
    ("query", T, "normalised text"),
    ("tree", T, "resolved tree, JSON"),
    ("parameters", T, "JSON object"),
    ("now", W, "what `now` was"),
    ("store_commit", I, "the commit that it saw"),
    ("sources", Kind.INTEGERS, "the files chosen, in order"),
    ("files", Kind.INTEGERS, "the files chosen, in order"),
)
QUERIES = _table(
    "queries",
    "a version of a saved query",
    ("name", "version"),
    ("name", T, "without @"),
    ("version", I, "from 1"),
    ("query", T, "text"),
    ("tree", T, "resolved tree, JSON"),
    ("at", W, "when"),
    ("user_name", T, "who saved it"),
)
METADATA = _table(
    "metadata",
    "one value of one key of one thing, or its withdrawal",
    ("entity", "key", "text_form"),
    ("entity", T, "workflow | job | file | transformation"),
    ("source", I, "of the thing; for a transformation the run that planned with it"),
    ("number", I, "0 for a workflow, else the ordinal of job or file; for a transformation its position in the plan"),
    ("subject", T, "namespace::name:version of a transformation"),
    ("key", T, "any Unicode"),
    ("position", I, "in a list, from 0; -1: an empty list; null: not a list"),
    ("written", T, "what was written, source text without quotes"),
    ("written_type", T, "text | number | boolean | time | null | untyped"),
    ("text_form", T, "null only for withdrawals, empty lists and nulls"),
    ("integer_form", I, "if the value reads as an integer of 64 bits"),
    ("float_form", F, "if it reads as a number"),
    ("boolean_form", B, "if it reads as true or false"),
    ("time_form", W, "if it reads as a date (its start) or a time"),
    ("origin", T, "static | runtime | set"),
    ("author", T, "who said so"),
    ("at", W, "when"),
    ("withdrawn", B, "true: the key is taken away from here on"),
)
CHECKS = _table(
    "checks",
    "one verification of one file",
    ("source", "number"),
    ("source", I, "hash of the run, registration, audit or scrub that checked"),
    ("number", I, "ordinal in it"),
    ("run", I, "of the attempt that checked, if one did"),
    ("job", I, "of the attempt"),
    ("attempt", I, "of the attempt"),
    ("file_source", I, "the file"),
    ("file", I, "the file"),
    ("name", T, "the name that it was known by"),
    ("url", T, "the copy that was read"),
    ("site", T, "where it was"),
    ("stage", T, "stage-in | pre-exec | post-exec | output | stage-out | audit | scrub"),
    ("expected_sha256", X, "null: nothing was expected, this was a first sight"),
    ("actual_sha256", X, "null: it could not be read whole"),
    ("expected_size_bytes", I, "null: unknown"),
    ("actual_size_bytes", I, "null: unknown"),
    ("verdict", T, "ok | mismatch | missing | unreadable"),
    ("finding", T, "finding class; null when ok"),
    ("digest_origin", T, "declared | recorded | produced | observed: of what was expected"),
    ("protection", T, "guard | copy | seal | none"),
    ("at", W, "when"),
    ("duration_seconds", F, "what it took"),
    ("host", T, "where"),
)

TABLES: tuple[Table, ...] = (
    WORKFLOWS,
    WORKFLOW_STATES,
    JOBS,
    JOB_STATES,
    JOB_EDGES,
    INVOCATIONS,
    FILES,
    USES,
    REPLICAS,
    SELECTIONS,
    QUERIES,
    METADATA,
    CHECKS,
    FILE_DIGESTS,
)
BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}

LOOKED_UP: dict[str, tuple[str, ...]] = {"files": ("name", "sha256")}
"""Columns in which single values are looked for, in an order of rows that does not help: they get Bloom filters."""
