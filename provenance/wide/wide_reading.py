"""Wide tables as one reading sees them: what was made as of a commit, with what came since in place of what it changes.

A thing that anything was said of since is put together anew from the tables, by the SQL that made the wide table; all
others stand there as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from provenance.schema import IN_ORDER
from provenance.segments.relations import quoted
from provenance.wide import wide
from query.vocabulary import Entity, EntityTable, MetadataKey

if TYPE_CHECKING:
    from provenance.reading.views import Reading

_MOST_CHANGED = 3
"""If more than one in three of the rows changed, putting all together takes no longer."""


class WideReading:
    """The wide tables for one `Reading`; each is looked for when its entity is first asked about."""

    def __init__(self, reading: Reading, entities: Mapping[Entity, EntityTable]) -> None:
        self._reading = reading
        self._entities = entities
        self._found: dict[Entity, _Table | None] = {}

    def table(self, entity: Entity) -> EntityTable | None:
        """The entity with its wide table; None if there is none that pays."""
        found = self._table(entity)
        return None if found is None else found.described

    def key(self, entity: Entity, key: str) -> MetadataKey | None:
        """What is known of a key that stands in columns; None for all others."""
        found = self._table(entity)
        return None if found is None else found.keys.get(key)

    def unseen(self, entity: Entity, key: str) -> bool:
        """Whether no thing of the entity ever had a key; False also if that is not known without reading."""
        found = self._table(entity)
        return found is not None and found.seen is not None and key not in found.seen

    def _table(self, entity: Entity) -> _Table | None:
        if entity not in self._found:
            self._found[entity] = self._made(self._entities[entity])
        return self._found[entity]

    def _made(self, table: EntityTable) -> _Table | None:
        store, snapshot = self._reading.store, self._reading.snapshot
        if table.metadata is None or sum(part.rows for part in snapshot.segments(table.sql)) < wide.MIN_ROWS:
            return None
        found = wide.newest(store.storage, store.store_id, table, snapshot)
        return None if found is None else _table_since(self._reading, table, found)


class _Table:
    """A wide table that the connection of a reading has as a view. ``seen`` are all keys, None: not known."""

    def __init__(
        self,
        table: EntityTable,
        view: str,
        columns: dict[str, str],
        keys: dict[str, MetadataKey],
        seen: frozenset[str] | None,
        *,
        in_order: bool,
    ) -> None:
        self.keys = keys
        self.seen = seen
        self.described = wide.described(table, view, {key: columns[key] for key in keys}, in_order=in_order)


def _table_since(reading: Reading, table: EntityTable, found: wide.Wide) -> _Table | None:
    """The view over ``found`` and what came since; None if that is too much."""
    view, columns = f"wide_{table.entity.value}", found.columns()
    keys = {key.name: key for key in found.keys.values()}
    parts = ", ".join(quoted(str(path)) for path in reading.store.storage.paths(found.parts))
    rows = f"read_parquet([{parts}], hive_partitioning = false)"
    reading.wide.extend(found.parts)
    changed = _changed(reading, table, found)
    if changed is not None:
        if changed * _MOST_CHANGED > found.rows:
            return None
        keys = _put_together(reading, table, found, view)
        same = " AND ".join(f"c.k{position} = e.{column}" for position, column in enumerate(table.key))
        rows = (
            f"(SELECT e.* FROM {rows} AS e ANTI JOIN {view}_changed AS c ON {same} UNION ALL BY NAME FROM {view}_later)"
        )
    reading.named[view] = rows
    return _Table(table, view, columns, keys, _seen(reading, table, found), in_order=changed is None)


def _seen(reading: Reading, table: EntityTable, found: wide.Wide) -> frozenset[str] | None:
    """All keys that things of the entity ever had."""
    if found.others is None:
        return None
    later = reading.snapshot.since("metadata", found.number)
    seen = found.others.union(found.columns())
    if later is None:
        return seen
    rows = reading.store.relation("metadata", later)
    return seen.union(
        key for (key,) in reading.make(f"SELECT DISTINCT key FROM {rows} WHERE entity = {quoted(table.metadata or '')}")
    )


def _changed(reading: Reading, table: EntityTable, found: wide.Wide) -> int | None:
    """Makes the table of the keys of things that something was said of since; how many they are, None if none is."""
    selects = []
    for name in wide.sources(table):
        later = reading.snapshot.since(name, found.number)
        identity = wide.identity(table, name)
        if later is None or identity is None:
            continue
        own = f" AND entity = {quoted(table.metadata or '')}" if name == "metadata" else ""
        rows = reading.store.relation(name, later)
        selects.append(f"SELECT {', '.join(identity)} FROM {rows} WHERE commit_number > {found.number}{own}")
    if not selects:
        return None
    names = ", ".join(f"k{position}" for position in range(len(table.key)))
    changed = f"wide_{table.entity.value}_changed"
    distinct = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(selects)}) AS t({names})"
    reading.make(f"CREATE OR REPLACE TEMP TABLE {changed} AS {distinct}")
    return int(reading.make(f"SELECT count(*) FROM {changed}")[0][0]) or None


def _put_together(reading: Reading, table: EntityTable, found: wide.Wide, view: str) -> dict[str, MetadataKey]:
    """Makes the rows of what changed; the keys that columns can still stand for, with their counts of now."""
    columns = found.columns()

    def of_changed(name: str) -> str:
        if name == f"metadata{IN_ORDER}":
            return f"SELECT * FROM {view}_metadata"
        return _restricted(reading, table, name, f"{view}_changed")

    def before(name: str) -> str:
        return f"{of_changed(name)} WHERE commit_number <= {found.number}"

    named = ", ".join(quoted(key) for key in columns) or "NULL"
    said = _restricted(reading, table, f"metadata{IN_ORDER}", f"{view}_changed")
    only = f"WHERE t.entity = {quoted(table.metadata or '')} AND t.key IN ({named})"
    reading.make(f"CREATE OR REPLACE TEMP TABLE {view}_metadata AS {said} {only}")
    counts = []
    for seen in (before, of_changed):
        made = wide.within(wide.values_sql(table, columns), seen)
        reading.make(f"CREATE OR REPLACE TEMP TABLE {wide.VALUES} AS {made}")
        counts.append(reading.make(wide.counts_sql(columns, wide.VALUES)) if columns else [])
    reading.make(f"CREATE OR REPLACE TEMP TABLE {view}_later AS {wide.within(wide.rows_sql(table), of_changed)}")
    return {
        key.name: _moved(key, [now - then for then, now in zip(old[1:-1], new[1:-1], strict=True)])
        for key, old, new in zip(found.keys.values(), *counts, strict=True)
        if new[-1] <= 1
    }


def _moved(key: MetadataKey, by: list[int]) -> MetadataKey:
    """What is known of a key after its counts changed."""
    return wide.counted(key.name, [count + more for count, more in zip(wide.counts_of(key), by, strict=True)])


def _restricted(reading: Reading, table: EntityTable, name: str, changed: str) -> str:
    """The rows of a table that are about things in ``changed``, under the alias ``t``."""
    rows = reading.store.relation(name, reading.snapshot)
    identity = wide.identity(table, name)
    if identity is None:
        return f"SELECT t.* FROM {rows} AS t"
    same = " AND ".join(f"c.k{position} = t.{column}" for position, column in enumerate(identity))
    return f"SELECT t.* FROM {rows} AS t SEMI JOIN {changed} AS c ON {same}"
