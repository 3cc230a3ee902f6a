"""What can be asked about a store: its entities with their built-in fields, paths and relations, as data for the
language.

The tables below are the whole of it: field -> type -> SQL over the views of provenance/reading/views.py. Metadata
keys are looked up in the store that is asked.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from query.vocabulary import Entity, EntityTable, Field, FieldType, MetadataKey, Relations, SavedText

if TYPE_CHECKING:
    from provenance.reading.views import Row
    from provenance.wide.wide_reading import WideReading

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_MOST_WORDS = 100

Rows: TypeAlias = "Callable[[str, Sequence[object]], list[Row]]"
"""Runs a statement over tables and views, as of the state of the store that is asked about."""

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

# The first row of a list has position 0 (-1: an empty list), so one row a thing needs no DISTINCT.
_COUNTS = """
       count(text_form), count(float_form), count(boolean_form), count(time_form),
       count(*) FILTER (position <= 0), count(*) FILTER (coalesce(position, 0) <= 0),
       count(*) FILTER (NOT isnan(float_form)
                        AND coalesce(integer_form, 0) BETWEEN -9007199254740992 AND 9007199254740992)"""

_SOME_KEYS = f"""
SELECT key, {_COUNTS}
FROM current_metadata
WHERE entity = $1 AND key IN ({{keys}})
GROUP BY key
"""

_KEYS = f"""
SELECT key, {_COUNTS}, list_sort(list(DISTINCT text_form) FILTER (text_form IS NOT NULL))[:5]
FROM current_metadata
WHERE entity = $1
GROUP BY key
ORDER BY 7 DESC, key
"""


def _possible_keys(query: str) -> Iterator[str]:
    """What may be a metadata key in the text of a query: each name, and what is left of it behind a path."""
    for match in _NAME.finditer(query):
        name = match[0]
        while name:
            yield name
            name = name.partition(".")[2]


_SAVED = """
SELECT query, tree, version, "at", user_name, pulled, count(*) FILTER (NOT pulled) OVER ()
FROM queries_in_order
WHERE name = $1
ORDER BY commit_order DESC, version DESC
LIMIT 1
"""


class StoreVocabulary:
    """The vocabulary of one state of a store. ``rows`` reads that state, ``wide`` has wide tables of it.

    What is known of a key is mostly wanted for each word of a ``query`` that is one: the first that is asked for brings
    all of them, in one statement. ``newest`` reads the store as it is now, where ``rows`` reads an earlier state: a
    question that has an answer now is none with a typo in it about last week.
    """

    def __init__(
        self, rows: Rows, query: str = "", wide: WideReading | None = None, newest: Rows | None = None
    ) -> None:
        self._rows = rows
        self._newest = newest
        self._wide = wide
        self._words = set(itertools.islice(_possible_keys(query), _MOST_WORDS))
        self._read: dict[str, dict[str, MetadataKey | None]] = {}

    def table(self, entity: Entity) -> EntityTable:
        """How rows of ``entity`` are found."""
        found = None if self._wide is None else self._wide.table(entity)
        return found or ENTITIES[entity]

    def relations(self) -> Relations:
        """The edges of lineage; that some come twice is nothing to who asks whether there is one."""
        return Relations(reads="read_edges", writes="write_edges")

    def metadata_sql(self) -> str:
        """The view of current metadata values."""
        return "current_metadata"

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        """What is known of a key; None if it was never seen on ``entity``. One that was withdrawn everywhere has no
        values.
        """
        name = ENTITIES[entity].metadata
        if name is None:
            return None
        if self._wide is not None and (known := self._wide.key(entity, key)) is not None:
            return known
        if self._unseen(entity, key):
            return None
        read = self._read.setdefault(name, {})
        if key not in read:
            words = {key, *self._words}.difference(self.table(entity).columns)
            keys = sorted(word for word in words if not self._unseen(entity, word))
            read.update(dict.fromkeys(keys))
            places = ", ".join(f"${number}" for number in range(2, len(keys) + 2))
            for row in self._rows(_SOME_KEYS.format(keys=places), [name, *keys]):
                read[row[0]] = MetadataKey(*row)
        return read[key] or self._without_values(name, key)

    def metadata_keys(self, entity: Entity) -> Sequence[MetadataKey]:
        """All keys that things of ``entity`` have now; most used first."""
        name = ENTITIES[entity].metadata
        rows = [] if name is None else self._rows(_KEYS, [name])
        return tuple(replace(MetadataKey(*counts), examples=tuple(examples or ())) for *counts, examples in rows)

    def saved(self, name: str) -> SavedText | None:
        """The version of a saved query that was saved last, here or in a store whose commits were pulled."""
        rows = self._rows(_SAVED, [name])
        if not rows:
            return None
        text, tree, version, at, user, pulled, own = rows[0]
        note = f"@{name} is version {version} of another store, saved by {user} at {at:%Y-%m-%d %H:%M}Z"
        return SavedText(str(text), json.loads(tree), note if pulled and own else None)

    def saved_names(self) -> Sequence[str]:
        """The names of all saved queries, in alphabetical order."""
        return [name for (name,) in self._rows("SELECT DISTINCT name FROM queries ORDER BY name", [])]

    def _unseen(self, entity: Entity, key: str) -> bool:
        return self._wide is not None and self._wide.unseen(entity, key)

    def _without_values(self, name: str, key: str) -> MetadataKey | None:
        """A key that was withdrawn everywhere, or that came later than the state that is asked about."""
        for rows in filter(None, (self._rows, self._newest)):
            if rows("SELECT 1 FROM metadata WHERE entity = $1 AND key = $2 LIMIT 1", [name, key]):
                return MetadataKey(key, 0)
        return None
