"""Wide tables: the rows of an entity with everything about them beside them, for stores too big to put it together for
each question.

Truth stays what it is: rows of `files`, `replicas`, `metadata`. A wide table is made from them as of one commit: one
row for each of the entity's, with the fields that need joins and the values of the keys that many things have. It is
a few Parquet files and a document that names them (see provenance/history/derived.py); deleted, incomplete, or made
by another version of the SQL that follows from the tables, it is passed over and questions take longer. What came
after its commit is put together when it is asked for: provenance/wide/wide_reading.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from provenance.errors import NOT_THERE, DamagedStoreError, ReadFailedError
from provenance.history import derived
from provenance.history.commits import Segment
from provenance.reading.views import filled_files, needed, view_sql
from provenance.schema import BY_NAME, IN_ORDER
from provenance.segments.damage import left_aside
from provenance.segments.relations import quoted
from query.vocabulary import EntityTable, MetadataKey

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.storage.interface import Storage

FOLDER = "wide"
MIN_ROWS = 200_000
"""Below so many rows of the entity's table everything is put together in less time than anybody notices."""
VERSION = 2
_NAME = re.compile(r"([a-z]+)-([0-9]{12})-([0-9a-f]{16})\.json")
_FORMS = ("text_form", "integer_form", "float_form", "boolean_form", "time_form", "written_type")
_EXACT = "NOT isnan({0}_float_form) AND coalesce({0}_integer_form, 0) BETWEEN -9007199254740992 AND 9007199254740992"
VALUES = "wide_values"
"""The temporary table that `rows_sql` takes the values of keys from."""


@dataclass(frozen=True, slots=True)
class Wide:
    """The wide table of one entity after commit ``number``: ``keys`` are what is known of those that it has, by the
    beginning of the names of their columns; ``others`` are all other keys that things of the entity ever had (None: too
    many to name); ``made_by`` is the digest `made_by`, ``source_rows`` are the rows of the tables that it was made
    from, ``parts`` its files.
    """

    number: int
    made_by: str
    keys: Mapping[str, MetadataKey]
    others: frozenset[str] | None
    source_rows: int
    parts: tuple[Segment, ...]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(part.rows for part in self.parts)

    def columns(self) -> dict[str, str]:
        """The beginning of the names of the columns of each key."""
        return {key.name: column for column, key in self.keys.items()}


def newest(storage: Storage, store_id: str, table: EntityTable, snapshot: Snapshot) -> Wide | None:
    """The newest wide table that may stand for what ``snapshot`` holds as of some commit; None if there is none."""
    if snapshot.horizon is not None:
        return None
    for name in reversed(names(storage, table)):
        wide = said(storage, store_id, name)
        if wide is None or not snapshot.rewritten <= wide.number <= snapshot.number:
            continue
        if wide.made_by == made_by(table, wide.columns()) and _is_there(storage, wide):
            return wide
    return None


def names(storage: Storage, table: EntityTable) -> list[str]:
    """The names in FOLDER of the documents of all wide tables of an entity, oldest first."""
    found = (_NAME.fullmatch(name) for name in derived.names(storage, FOLDER))
    return [match[0] for match in found if match and match[1] == table.entity.value]


def content(wide: Wide) -> dict[str, Any]:
    """What the document of a wide table says, besides what every derived document does."""
    return {
        "made_by": wide.made_by,
        "source_rows": wide.source_rows,
        "keys": [[column, key.name, *counts_of(key)] for column, key in wide.keys.items()],
        "others": None if wide.others is None else sorted(wide.others),
        "parts": [[part.path, part.rows, part.size, part.sha256] for part in wide.parts],
    }


def counts_of(key: MetadataKey) -> tuple[int, ...]:
    """What was counted of a key, in the order in which `MetadataKey` takes it."""
    return (key.values, key.numbers, key.booleans, key.times, key.lists, key.things, key.exact)


def counted(name: str, counts: Sequence[int]) -> MetadataKey:
    """The reverse of `counts_of`."""
    values, numbers, booleans, times, lists, things, exact = counts
    return MetadataKey(name, values, numbers, booleans, times, lists, things, exact)


def document(store_id: str, commit: bytes, wide: Wide) -> bytes:
    """The bytes of the document of a wide table; ``commit`` are those of its commit."""
    return derived.encode(store_id, VERSION, wide.number, commit, content(wide))


def part(table: str, path: str, rows: int, size: int, sha256: str) -> Segment:
    """One file of a wide table: what storages have to know of it."""
    return Segment(table, path, rows, size, 0, sha256, {})


def said(storage: Storage, store_id: str, name: str) -> Wide | None:
    """What a document says, by its name in FOLDER; None if that is not to be believed."""
    found = derived.believed(storage, f"{FOLDER}/{name}", store_id, VERSION)
    return None if found is None else _wide(*found)


def is_part(name: str) -> bool:
    """Whether a file of the store is one that the document of a wide table has to name."""
    return name.startswith(f"{FOLDER}/") and name.endswith(".parquet")


def parts_named(storage: Storage, store_id: str) -> set[str]:
    """The names of the files of all wide tables that are to be believed. ReadFailedError if a document cannot be read:
    whose the files are is not known then.
    """
    try:
        documents = [name for name in storage.names(FOLDER) if _NAME.fullmatch(name)]
    except NOT_THERE:
        return set()
    named: set[str] = set()
    for name in documents:
        found = said(storage, store_id, name)
        if found is not None:
            named.update(part.path for part in found.parts)
            continue
        with suppress(*NOT_THERE):  # it went meanwhile
            storage.read(f"{FOLDER}/{name}")
    return named


# What it is made of


def sources(table: EntityTable) -> tuple[str, ...]:
    """The tables that rows of the wide table are made from."""
    tables, _ = needed(f"{values_sql(table, {})} {rows_sql(table)}")
    filled = ("file_digests",) if "files" in tables else ()
    return tuple(dict.fromkeys([*(name.removesuffix(IN_ORDER) for name in tables), *filled]))


def identity(table: EntityTable, source: str) -> tuple[str, ...] | None:
    """The columns of a table that say which thing of the entity a row is about; None if it has none."""
    described = BY_NAME[source.removesuffix(IN_ORDER)]
    if described.name == "metadata":
        return ("source", "number")
    return table.key if set(table.key) <= {column.name for column in described.columns} else None


def values_sql(table: EntityTable, columns: Mapping[str, str]) -> str:
    """One row for each thing that has some of the keys: ``source``, ``number`` and for each key its forms and how many
    values it has; more than one also where the value is one that columns cannot give back: a list.
    """
    shown = ["source", "number"]
    for key, column in columns.items():
        own = f"FILTER (key = {quoted(key)})"
        shown += [f"any_value({form}) {own} AS {column}_{form}" for form in _FORMS]
        odd = f"written <> text_form AND written_type <> 'null' AND key = {quoted(key)}"
        shown.append(f"count(*) {own} + count(position) {own} + count(*) FILTER ({odd}) AS {column}_values")
    keys = ", ".join(quoted(key) for key in columns) or "NULL"
    return (
        f"SELECT {', '.join(shown)} FROM current_metadata WHERE entity = {quoted(table.metadata or '')} "
        f"AND key IN ({keys}) GROUP BY source, number"
    )


def rows_sql(table: EntityTable) -> str:
    """The rows of the wide table; what is known of keys is taken from the table VALUES."""
    assert table.metadata_key is not None, f"{table.entity.value} have no metadata"
    fields = [f"({field.sql}) AS {_column(field.name)}" for field in table.fields.values() if field.joins]
    source, number = table.metadata_key
    return (
        f"SELECT {', '.join(['e.*', *fields])}, v.* EXCLUDE (source, number) FROM {table.sql} AS e "
        f"{' '.join(table.joins.values())} LEFT JOIN {VALUES} AS v ON v.source = {source} AND v.number = {number} "
        f"ORDER BY {', '.join(f'e.{column}' for column in table.key)}"
    )


def counts_sql(columns: Mapping[str, str], values: str) -> str:
    """One row for each key of the table ``values``, in order: what `MetadataKey` counts, and the most values that a
    thing has, 1 if the columns can stand for them.
    """
    selects = [
        f"SELECT {position} AS position, count({column}_text_form), count({column}_float_form), "
        f"count({column}_boolean_form), count({column}_time_form), 0, coalesce(sum({column}_values), 0)::BIGINT, "
        f"count(*) FILTER ({_EXACT.format(column)}), coalesce(max({column}_values), 0) FROM {values}"
        for position, column in enumerate(columns.values())
    ]
    return f"{' UNION ALL '.join(selects)} ORDER BY position"


def within(sql: str, restricted: Callable[[str], str]) -> str:
    """A statement that sees tables as ``restricted`` gives them for their names, and views made of those."""
    tables, views = needed(sql)
    parts = [f"{name} AS ({_filled(name, restricted)})" for name in tables]
    parts += [f"{name} AS (\n{view_sql(name)}\n)" for name in views]
    return f"WITH {', '.join(parts)} {sql}"


def _filled(name: str, restricted: Callable[[str], str]) -> str:
    if name != "files":
        return restricted(name)
    return filled_files(f"({restricted(name)})", f"({restricted(f'file_digests{IN_ORDER}')})")


def described(table: EntityTable, view: str, columns: Mapping[str, str], *, in_order: bool = False) -> EntityTable:
    """The entity's rows as the view of a wide table has them; ``in_order``: as it was written."""
    fields = {
        name: replace(field, sql=f"e.{_column(name)}", joins=()) if field.joins else field
        for name, field in table.fields.items()
    }
    return replace(table, sql=view, joins={}, fields=fields, columns=columns, in_order=in_order)


def made_by(table: EntityTable, columns: Mapping[str, str]) -> str:
    """A digest of all that decides what the rows are, besides the rows of the tables."""
    statements = [within(sql, _all_columns) for sql in (values_sql(table, columns), rows_sql(table))]
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()


def _all_columns(name: str) -> str:
    return f"SELECT {', '.join(column.name for column in BY_NAME[name.removesuffix(IN_ORDER)].columns)} FROM {name}"


def _column(field: str) -> str:
    return f"field_{field}"


def _wide(number: int, said: Any) -> Wide:
    keys = {column: counted(name, counts) for column, name, *counts in said["keys"]}
    others = None if said["others"] is None else frozenset(said["others"])
    parts = tuple(part("wide", *each) for each in said["parts"])
    return Wide(number, said["made_by"], keys, others, said["source_rows"], parts)


def _is_there(storage: Storage, wide: Wide) -> bool:
    """Whether the files are there, and are what was written: a copy of a store may lack some."""
    try:
        paths = storage.paths(wide.parts)
        return all(path.stat().st_size == each.size for path, each in zip(paths, wide.parts, strict=True))
    except DamagedStoreError as error:
        left_aside(error)
        return False
    except (OSError, ReadFailedError):
        return False
