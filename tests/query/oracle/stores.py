"""Tells a world to a real store, through the same door as everybody, and asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from provenance.answers.ask import Answer, answer
from provenance.answers.entities import WIDE
from provenance.answers.saved_queries import save
from provenance.answers.vocabulary import Rows, StoreVocabulary
from provenance.history.commits import CommitKind
from provenance.metadata import Written
from provenance.metadata_rows import add_metadata
from provenance.reading.views import MADE_ONCE, VIEWS, Reading
from provenance.schema import BY_NAME, IN_ORDER
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.wide import wide
from provenance.wide.wide_build import promote
from query.compile import Compiled, compile_query
from query.vocabulary import Entity, MetadataKey
from tests.query.oracle.facts import Said, Told, World
from tests.query.oracle.pools import NOW


def tell(world: World, place: Path) -> Store:
    """A store that was told all of ``world``, which learns when each of its commits was made."""
    store = Store.open(place)
    for number, told in enumerate(world.commits, start=1):
        if told.kind == "save":
            ((_, row),) = told.rows
            save(store, row["name"], row["query"])
        else:
            store.commit(CommitKind(told.kind), _batch(told))
        (made,) = store.commits(after=number - 1)
        told.made = made.time
    return store


def _batch(told: Told) -> Batch:
    batch = Batch()
    for table, row in told.rows:
        batch.add(table, **row)
    for entity, source, number, key, value, at in told.sayings:
        written = None if value is None else _written(value) if isinstance(value, Said) else tuple(map(_written, value))
        add_metadata(
            batch, entity, source, number, key, written, origin="set", author="anna", at=at, withdrawn=value is None,  # type: ignore[arg-type]
        )  # fmt: skip
    return batch


def _written(said: Said) -> Written:
    return Written(said.text, said.written_type)  # type: ignore[arg-type]


@dataclass(slots=True)
class Asked:
    """An answer: keys of its rows, and what is shown of them; metadata as it was written."""

    keys: list[tuple[Any, ...]]
    shown: list[tuple[Any, ...]]


class Remembered(StoreVocabulary):
    """Asks the store once about a key, not once for each question."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self._remembered: dict[tuple[Entity, str], MetadataKey | None] = {}

    def metadata_key(self, entity: Entity, key: str) -> MetadataKey | None:
        if (entity, key) not in self._remembered:
            self._remembered[entity, key] = super().metadata_key(entity, key)
        return self._remembered[entity, key]


class Loaded(Reading):
    """A state of a store whose tables were read once: thousands of questions about one store need not open its files."""

    def __init__(self, store: Store, horizon: int) -> None:
        snapshot = store.snapshot()
        super().__init__(store, snapshot if horizon == snapshot.number else snapshot.at(horizon))
        for name in (*BY_NAME, *(table + IN_ORDER for table in BY_NAME), *VIEWS):
            connection = self.define(f"SELECT * FROM {name}")
            if name in MADE_ONCE:
                continue  # it is a table already
            connection.execute(f"CREATE TEMP TABLE loaded_{name} AS SELECT * FROM {name}")
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM loaded_{name}")
        self.vocabulary = Remembered(self.rows)


class Asking:
    """Asks one store many questions: through the front door, or of tables that are loaded already."""

    def __init__(self, store: Store, world: World, *, widened: bool) -> None:
        self.store = store
        self.world = world
        self.widened = widened
        self._loaded: dict[int, Loaded] = {}

    def ask(self, text: str, parameters: Mapping[str, Any], horizon: int) -> Asked:
        """The answer as of a commit, from loaded tables. Raises QueryError."""
        if horizon not in self._loaded:
            self._loaded[horizon] = Loaded(self.store, horizon)
        reading = self._loaded[horizon]
        compiled = _compiled(text, reading.vocabulary, parameters)
        for count in compiled.counts if len(text) % 8 == 0 else ():
            assert reading.rows(count.sql, count.parameters)[0][0] >= 0, text
        keys = compiled.key_columns
        kinds = [column.type for column in compiled.columns]
        rows = reading.rows(compiled.sql, compiled.parameters)
        return Asked(
            [row[:keys] for row in rows],
            [tuple(_as_written(kind, value) for kind, value in zip(kinds, row[keys:], strict=True)) for row in rows],
        )

    def vocabulary(self) -> StoreVocabulary:
        """What is known of the store as it is now."""
        newest = len(self.world.commits)
        if newest not in self._loaded:
            self._loaded[newest] = Loaded(self.store, newest)
        return self._loaded[newest].vocabulary

    def ask_at_the_door(self, text: str, parameters: Mapping[str, Any]) -> Asked:
        """The same as anybody asks. Raises QueryError, StoreError."""
        with _few_rows_are_many() if self.widened else contextlib.nullcontext():
            return _asked(answer(self.store, text, parameters, now=NOW, keys=" summarize " not in text))

    def widen(self) -> None:
        """Make wide tables of what there is now."""
        with _few_rows_are_many():
            for table in WIDE:
                assert promote(self.store, table, eager=True)

    def close(self) -> None:
        for reading in self._loaded.values():
            reading.close()


def _compiled(text: str, vocabulary: StoreVocabulary, parameters: Mapping[str, Any]) -> Compiled:
    summary = " summarize " in text
    return compile_query(text, vocabulary, parameters, NOW, keys=not summary)


def _as_written(kind: object, value: Any) -> Any:
    """Metadata, which comes as a list of rows, as text; anything else as it is."""
    if kind not in ("metadata", "metadata value"):
        return value
    found: dict[str, Any] = {}
    for each in value or ():
        text = each["text_form"]
        if each["position"] is None:
            found[each["key"]] = text
        else:
            found.setdefault(each["key"], []).extend([] if each["position"] < 0 else [text])
    return found if kind == "metadata" else next(iter(found.values()), None)


def _asked(found: Answer) -> Asked:
    rows = list(found.keyed_rows(as_text=("metadata", "metadata value")))
    return Asked([key for key, _ in rows], [row for _, row in rows])


@contextlib.contextmanager
def _few_rows_are_many() -> Iterator[None]:
    with patch.object(wide, "MIN_ROWS", 1):
        yield
