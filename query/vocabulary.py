"""What can be asked about, as the owner of the data describes it: entities, fields, metadata keys, relations.

The language is a leaf: it knows no tables. Whoever has data hands it a `Vocabulary`; text and values of users reach SQL
only as bind parameters, identifiers and fragments only from these closed maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from query.frozen import Frozen, frozen


class Entity(Enum):
    """What a query is about; the value is the word of the language."""

    FILES = "files"
    JOBS = "jobs"
    WORKFLOWS = "workflows"
    REPLICAS = "replicas"
    CHECKS = "checks"
    GROUPS = "groups"  # what `summarize` makes: no query starts with them


class FieldType(Enum):
    """The one type of a built-in field.

    SQL types: TEXT VARCHAR, INTEGER BIGINT, FLOAT DOUBLE, BOOLEAN, TIME TIMESTAMPTZ. DIGEST is a BLOB shown as hex
    and compared with text literals of hex digits; SIZE (BIGINT, bytes) and DURATION (DOUBLE, seconds) compare with
    numbers and with literals that carry a unit of their kind; TEXTS is VARCHAR[].
    """

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIME = "time"
    DIGEST = "digest"
    SIZE = "size"
    DURATION = "duration"
    TEXTS = "list of text"


@frozen
class Field(Frozen):
    """A built-in field: an SQL expression over the alias ``e`` of its entity and the aliases of ``joins``.

    ``values`` are the only ones that it ever has; empty: any. ``whole`` of a FLOAT or DURATION is an expression for the
    integer (BIGINT) that it is, exactly; null where it is none. Empty: it never is one.
    """

    name: str
    type: FieldType
    sql: str
    joins: tuple[str, ...] = ()
    meaning: str = ""
    values: tuple[str, ...] = ()
    whole: str = ""


@dataclass(frozen=True, slots=True)
class EntityTable:
    """How rows of an entity are found.

    ``sql`` is a table or view name or a parenthesised select, to stand in FROM under the alias ``e``; ``key`` are its
    columns that identify a row. Where nothing else orders rows, its columns ``order`` do, then the key. ``joins`` maps
    a join's name to the full ``LEFT JOIN ... AS name ON ...`` text, which never multiplies rows; joins are emitted in
    the map's order, only if needed. ``show`` are the main fields, shown by default. ``metadata`` is the value of
    ``metadata.entity`` for keys of this entity, or None if it can have none; ``metadata_key`` are the SQL expressions
    over ``e`` that equal (metadata.source, metadata.number). ``paths`` are the many-to-one paths of the language, as
    in ``job.x``: name -> (entity, SQL expressions over ``e`` and ``path_joins`` that equal that entity's key, null if
    there is none). ``columns`` are metadata keys whose current values stand in the rows themselves, because each row
    has one value of the key at most and none has a list: key -> name p of columns ``p_text_form``, ``p_integer_form``,
    ``p_float_form``, ``p_boolean_form``, ``p_time_form``, ``p_written_type`` and ``p_values``: how many there are, 0,
    null or 1. ``in_order``: ``sql`` gives its rows in the order of ``key``.
    """

    entity: Entity
    sql: str
    key: tuple[str, ...]
    fields: Mapping[str, Field]
    show: tuple[str, ...]
    joins: Mapping[str, str] = field(default_factory=dict)
    metadata: str | None = None
    metadata_key: tuple[str, str] | None = None
    paths: Mapping[str, tuple[Entity, tuple[str, ...]]] = field(default_factory=dict)
    path_joins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    in_order: bool = False


@frozen
class MetadataKey(Frozen):
    """How often a key was seen, and in which forms. Counts are of current values (list elements count one each), but
    ``lists`` and ``things`` are how many things have a list, or any value. ``exact`` are those of the numbers that
    their double form gives exactly, not-a-number left out.
    """

    name: str
    values: int
    numbers: int = 0
    booleans: int = 0
    times: int = 0
    lists: int = 0
    things: int = 0
    exact: int = 0
    examples: tuple[str, ...] = ()


@frozen
class Relations(Frozen):
    """SQL names of the edges that relations walk; each is a table or view with exactly these columns, all BIGINT. One
    edge may come several times.

    ``reads``: (file_source, file, run, job): a job (some attempt of it) read a file as input, inout or checkpoint.
    ``writes``: (run, job, file_source, file): a job wrote it. Reused jobs appear with the edges of their original.
    Entity keys that these join to: files (source, file), jobs (run, job), workflows (run,).
    ``job_of_workflow`` is implied by jobs.run. ``content`` is the column of files that equal bytes share (sha256).
    """

    reads: str
    writes: str
    content: str = "sha256"


@frozen
class SavedText(Frozen):
    """A saved query: its text, the tree of it with every name decided (JSON values; None: decide now), and what an
    asker has to know about it.
    """

    text: str
    tree: object = None
    note: str | None = None


class Vocabulary(Protocol):
    """What the resolver and the compiler ask of the owner of the data."""

    def table(self, entity: Entity) -> EntityTable:
        """How rows of ``entity`` are found."""
        ...

    def relations(self) -> Relations:
        """The edges of lineage."""
        ...

    def metadata_sql(self) -> str:
        """A table or view of current metadata values (withdrawn and superseded ones left out).

        Columns: entity, source, number, key, position, written, written_type, text_form, integer_form, float_form,
        boolean_form, time_form. A list has one row for each element (position 0, 1, ...), an empty list one row with
        position -1; a scalar one row with position null.
        """
        ...

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        """What is known of a key on an entity, maybe without examples; None if it was never seen there."""
        ...

    def metadata_keys(self, entity: Entity) -> Sequence[MetadataKey]:
        """All keys of an entity with examples, for suggestions and ``show *``; most used first."""
        ...

    def saved(self, name: str) -> SavedText | None:
        """The newest version of a saved query; None if there is none."""
        ...

    def saved_names(self) -> Sequence[str]:
        """The names of all saved queries, for suggestions."""
        ...
