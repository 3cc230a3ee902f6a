"""The rows of a wide table beside what the tables say of the same things, a part at a time.

Which statement about a key is the last one is found by joining with the newest of each thing, and compared as a bag of
rows: two values of one thing, or a list, which columns cannot stand for, differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from provenance.reading.views import filled_files, needed, view_sql
from provenance.schema import BY_NAME, IN_ORDER
from provenance.segments.damage import damage_named
from provenance.segments.relations import quoted
from provenance.wide.wide import Wide, counts_of, described

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store
    from query.vocabulary import EntityTable, MetadataKey

_PART = "wide_part"
_SAMPLES = 3
_Place = tuple[int, ...]
"""The key of a thing."""
_FORMS = ("text_form", "integer_form", "float_form", "boolean_form", "time_form", "written_type")
_SAID = """
CREATE OR REPLACE TEMP TABLE said AS
WITH newest AS (
    SELECT source, number, max((commit_order, "at")) AS said
    FROM metadata_in_order WHERE entity = {entity} AND key = {key} GROUP BY source, number
)
SELECT m.source, m.number, m.position, m.written, {forms} FROM metadata_in_order AS m
JOIN newest AS n ON n.source = m.source AND n.number = m.number AND (m.commit_order, m."at") = n.said
WHERE m.entity = {entity} AND m.key = {key} AND NOT coalesce(m.withdrawn, false)
"""
_SUMMED = "SELECT {'rows': count(*), 'hashes': coalesce(sum(hash(r)), 0)} FROM"
_COUNTS = """
SELECT count(text_form), count(float_form), count(boolean_form), count(time_form), 0, count(*),
       count(float_form) FILTER (float_form <> 'nan' AND coalesce(abs(integer_form::HUGEINT), 0) <= 9007199254740992)
FROM said
"""


class Comparison:
    """The comparison of the parts of ``wide``, in order, with what ``snapshot``, the store after its commit, says.

    Not thread-safe; close it when done.
    """

    def __init__(self, store: Store, snapshot: Snapshot, table: EntityTable, wide: Wide) -> None:
        self.wide = wide
        self._store = store
        self._snapshot = snapshot
        self._table = table
        self._connection = store.connect()
        self._after: _Place | None = None
        self._keys = tuple(wide.keys.items())
        self._counted = {key.name: [0] * len(counts_of(key)) for _, key in self._keys}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def part(self, rows: pa.Table, *, is_last: bool) -> str | None:
        """How a part differs; None if it does not. The first part starts with the first of all things, each other one
        after the part before it, and the last one has all that are left.
        """
        if missing := sorted(self._columns() - set(rows.column_names)):
            return f"no column {missing[0]}"
        if rows.num_rows == 0 and not is_last:
            return None
        upto = None if is_last else tuple(rows.column(column)[-1].as_py() for column in self._table.key)
        with damage_named(self._store.storage, self._snapshot):
            self._define(self._after, upto)
            self._connection.register(_PART, rows)
            found = [self._differing("", *_things(self._table))]
            found += [
                self._differing(f" of key {key.name!r}", *self._values(column, key)) for column, key in self._keys
            ]
            self._connection.unregister(_PART)
        self._after = upto
        return "; ".join(filter(None, found)) or None

    def counts(self) -> str | None:
        """How keys and their counts differ from those in the document, when all parts were compared; None if they do
        not.
        """
        told = [
            f"{list(self._counted[key.name])} of {key.name!r} instead of {list(counts_of(key))}"
            for _, key in self._keys
            if tuple(self._counted[key.name]) != counts_of(key)
        ]
        return "; ".join(told + self._keys_not_named()) or None

    def _keys_not_named(self) -> list[str]:
        if self.wide.others is None:
            return []
        named = self.wide.others.union(key.name for _, key in self._keys)
        with damage_named(self._store.storage, self._snapshot):
            rows = self._connection.execute(
                f"SELECT DISTINCT key FROM {self._store.relation('metadata', self._snapshot)} WHERE entity = $1",
                [self._table.metadata],
            ).fetchall()
        return [f"key {key!r} is not as the tables say" for key in sorted(named ^ {key for (key,) in rows})]

    def _columns(self) -> set[str]:
        """The columns that a part has to have."""
        of_keys = {f"{column}_{form}" for column, _ in self._keys for form in (*_FORMS, "values")}
        joined = {f"field_{name}" for name, field in self._table.fields.items() if field.joins}
        return of_keys | joined | {column.name for column in BY_NAME[self._table.sql].columns}

    def _define(self, after: _Place | None, upto: _Place | None) -> None:
        """Make the tables visible with what they say of things from one to another, and the views over them."""
        tables, views = needed(f"{_things(self._table)[0]} metadata{IN_ORDER}")
        for name in tables:
            rows = self._rows(name, after, upto)
            if name == "files":
                rows = filled_files(f"({rows})", f"({self._rows(f'file_digests{IN_ORDER}', after, upto)})")
            self._connection.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS {rows}')
        for view in views:
            self._connection.execute(f'CREATE OR REPLACE TEMP VIEW "{view}" AS {view_sql(view)}')

    def _rows(self, name: str, after: _Place | None, upto: _Place | None) -> str:
        table = BY_NAME[name.removesuffix(IN_ORDER)]
        key = ("source", "number") if table.name == "metadata" else self._table.key
        rows = f"SELECT * FROM {self._store.relation(name, self._snapshot)}"
        if set(key) <= {column.name for column in table.columns}:
            rows += f" WHERE {_between(key, after, upto)}"
        return rows

    def _values(self, column: str, key: MetadataKey) -> tuple[str, str]:
        """What the tables say of a key, which is counted, and what the part says: statements."""
        forms = ", ".join(f"m.{form}" for form in _FORMS)
        entity = quoted(self._table.metadata or "")
        self._connection.execute(_SAID.format(entity=entity, key=quoted(key.name), forms=forms))
        (counts,) = self._connection.execute(_COUNTS).fetchall()
        before = self._counted[key.name]
        self._counted[key.name] = [one + more for one, more in zip(before, counts, strict=True)]
        assert self._table.metadata_key is not None, f"{self._table.entity.value} have no metadata"
        source, number = self._table.metadata_key
        odd = "coalesce(s.written <> s.text_form AND s.written_type <> 'null', false)"
        said = f"SELECT s.source AS k0, s.number AS k1, s.position, {odd} AS odd, {', '.join(f's.{f}' for f in _FORMS)}"
        shown = [*_key(self._table), "NULL", "false", *(f"{column}_{form}" for form in _FORMS)]
        return (
            f"{said} FROM said AS s SEMI JOIN {self._table.sql} AS e ON {source} = s.source AND {number} = s.number",
            f"SELECT {', '.join(shown)} FROM {_PART} AS e WHERE {column}_values > 0",
        )

    def _differing(self, of: str, told: str, shown: str) -> str | None:
        """How many rows only one of two statements gives, and of which things some are; None: they give the same.

        Both give the columns k0 and k1 first. Sums of hashes decide, which takes no memory; only rows that differ are
        put beside each other.
        """
        ((one, other),) = self._connection.execute(
            f"SELECT ({_SUMMED} ({told}) AS r), ({_SUMMED} ({shown}) AS r)"
        ).fetchall()
        if one == other:
            return None
        ((count, samples),) = self._connection.execute(
            f"WITH told AS ({told}), shown AS ({shown}), differing AS ("
            "(FROM told EXCEPT ALL FROM shown) UNION ALL (FROM shown EXCEPT ALL FROM told)) "
            f"SELECT count(*), list_sort(list(DISTINCT concat(k0, '/', k1)))[:{_SAMPLES}] FROM differing"
        ).fetchall()
        return f"{count} rows{of} that only one of them has, of {', '.join(samples)}" if count else None


def _things(table: EntityTable) -> tuple[str, str]:
    """The rows of the entity without its metadata, as the tables give them, and as the part does: statements."""
    over_part = described(table, _PART, {})
    own = [f"e.{column.name}" for column in BY_NAME[table.sql].columns]
    joined = [name for name, field in table.fields.items() if field.joins]
    said, shown = ([*_key(table), *own, *(each.fields[name].sql for name in joined)] for each in (table, over_part))
    return (
        f"SELECT {', '.join(said)} FROM {table.sql} AS e {' '.join(table.joins.values())}",
        f"SELECT {', '.join(shown)} FROM {_PART} AS e",
    )


def _key(table: EntityTable) -> list[str]:
    return [f"e.{column} AS k{position}" for position, column in enumerate(table.key)]


def _between(key: Sequence[str], after: _Place | None, upto: _Place | None) -> str:
    """The condition for what comes after one place, up to another; that on the first column alone finds row groups by
    their statistics.
    """
    first, second = key
    parts = ["true"]
    if after is not None:
        parts += [f"{first} >= {after[0]}", f"({first} > {after[0]} OR {second} > {after[1]})"]
    if upto is not None:
        parts += [f"{first} <= {upto[0]}", f"({first} < {upto[0]} OR {second} <= {upto[1]})"]
    return " AND ".join(parts)
