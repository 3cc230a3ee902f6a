"""What can be asked about a store, as the language wants to be told: the entities of every store, and the metadata keys
and saved queries of this one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from provenance.answers.entities import ENTITIES
from query.vocabulary import Entity, EntityTable, MetadataKey, Relations, SavedText

if TYPE_CHECKING:
    from provenance.reading.views import Row
    from provenance.wide.wide_reading import WideReading

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_MOST_WORDS = 100

Rows: TypeAlias = "Callable[[str, Sequence[object]], list[Row]]"
"""Runs a statement over tables and views, as of the state of the store that is asked about."""

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
