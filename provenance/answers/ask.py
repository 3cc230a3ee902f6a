"""Ask a store: text of the query language in, a stream of rows out, with everything that has to be said about them.

One question sees one state of the store (its newest commit, or the one that ``as of`` names) and one ``now``. Rows
are not held: a listing of ten million files needs the memory of a few thousand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from provenance.answers.entities import ENTITIES
from provenance.answers.vocabulary import StoreVocabulary
from provenance.errors import StoreError, WideTableError
from provenance.metadata import shown
from provenance.metadata_rows import EMPTY_LIST_POSITION
from provenance.reading.views import Reading, Row, fetch
from provenance.wide.wide_reading import WideReading
from query.compile import Compiled, compile_query, without_each
from query.compile import as_of as stated_as_of
from query.selection import READABLE
from query.vocabulary import Entity, FieldType

if TYPE_CHECKING:
    from provenance.store import Store

UnknownKeys = Literal["error", "no match"]
_Said = tuple[tuple[str, ...], tuple[str, ...]]
"""Notes and warnings."""
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """A column of an answer. ``type``: that of a built-in field, "metadata" (all keys) or "metadata value" (of one
    key).
    """

    name: str
    type: FieldType | Literal["metadata", "metadata value"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: columns, rows as a stream, and what the asker has to know about them.

    ``text`` is the normalised query, ``tree`` its resolved tree (JSON), ``commit`` the newest commit that it sees and
    ``now`` what that word meant. ``notes`` and ``warnings`` are sentences for a person.
    """

    columns: tuple[AnswerColumn, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    text: str
    tree: object
    sql: str
    parameters: tuple[object, ...]
    entity: Entity
    commit: int
    now: dt.datetime
    _reading: Reading
    _key_columns: int
    _without_wide: Callable[[], Compiled]

    def rows(self, *, as_text: Collection[str] = ()) -> Iterator[tuple[object, ...]]:
        """The rows, as values of Python: digests as bytes, times aware, metadata as it was written. Streams.

        Columns of a type in ``as_text`` ("metadata", "metadata value") hold the source text of what was written
        instead, for a reader without types: `1.10` is not `1.1` there.
        """
        for _, row in self.keyed_rows(as_text=as_text):
            yield row

    def keyed_rows(self, *, as_text: Collection[str] = ()) -> Iterator[tuple[tuple[Any, ...], tuple[object, ...]]]:
        """(key of the entity, row); the key is empty unless keys were asked for."""
        keys = self._key_columns
        convert = [_converter(column.type, column.type in as_text) for column in self.columns]
        for block in self._blocks():
            for row in block:
                yield row[:keys], tuple(f(value) for f, value in zip(convert, row[keys:], strict=True))

    def objects(self) -> Iterator[dict[str, object]]:
        """The rows as objects keyed by column name; digests in hex, times as aware datetimes."""
        names = [column.name for column in self.columns]
        for row in self.rows():
            yield {
                name: value.hex() if isinstance(value, bytes) else value for name, value in zip(names, row, strict=True)
            }

    def plan(self) -> str:
        """DuckDB's plan for the query, as text."""
        return "\n".join(str(row[-1]) for block in self._blocks("EXPLAIN ") for row in block)

    def _blocks(self, before: str = "") -> Iterator[list[Row]]:
        """The rows as they come. A wide table that turns out to be damaged, or was made anew meanwhile, is left aside:
        rows have one order, with it and without, so those that have come are passed over the second time.
        """
        come = 0
        if not self._reading.wide_left_aside:
            try:
                for block in self._reading.blocks(before + self.sql, self.parameters):
                    yield block
                    come += len(block)
                return
            except WideTableError as error:
                self._reading.leave_wide_tables_aside(error)
        compiled = self._without_wide()
        for block in self._reading.blocks(before + compiled.sql, compiled.parameters):
            if len(block) > come:
                yield block[come:]
            come = max(0, come - len(block))


@dataclass(frozen=True, slots=True)
class WithoutCondition:
    """How many rows would match if one condition were dropped."""

    condition: str
    rows: int


def answer(
    store: Store,
    text: str,
    parameters: Mapping[str, object] | None = None,
    *,
    now: dt.datetime | None = None,
    as_of: int | None = None,
    unknown_keys: UnknownKeys = "error",
    readable_only: bool = False,
    statuses: tuple[str, ...] = READABLE,
    keys: bool = False,
) -> Answer:
    """Ask ``store``. ``now`` (default: the clock) must carry a time zone; ``as_of`` is a commit (the query may name
    its own).

    ``unknown_keys`` "no match": keys that the store has never seen match nothing and warn. ``readable_only``: a
    selection of inputs, which must choose files and leaves out those without a good copy (or of other ``statuses``).
    ``keys``: see `Answer.keyed_rows`. Raises QueryError, StoreError.
    """
    moment = dt.datetime.now(dt.UTC) if now is None else now
    values = dict(parameters or {})
    reading = _reading(store, text, values, moment, as_of)

    def compiled_over(wide: WideReading | None) -> Compiled:
        vocabulary = _vocabulary(reading, text, wide)
        return compile_query(
            text,
            vocabulary,
            values,
            moment,
            unknown_keys=unknown_keys,
            selection=readable_only,
            statuses=statuses,
            keys=keys,
        )

    def understood(wide: WideReading | None) -> tuple[Compiled, _Said]:
        compiled = compiled_over(wide)
        return compiled, _said(compiled, reading)

    compiled, (notes, warnings) = _with_wide_tables(reading, understood)
    return Answer(
        columns=tuple(AnswerColumn(column.name, column.type) for column in compiled.columns),
        notes=notes,
        warnings=warnings,
        text=compiled.text,
        tree=compiled.tree,
        sql=compiled.sql,
        parameters=compiled.parameters,
        entity=compiled.entity,
        commit=reading.snapshot.number if reading.snapshot.horizon is None else reading.snapshot.horizon,
        now=moment,
        _reading=reading,
        _key_columns=compiled.key_columns,
        _without_wide=lambda: compiled_over(None),
    )


def without_conditions(
    store: Store,
    text: str,
    parameters: Mapping[str, object] | None = None,
    *,
    now: dt.datetime | None = None,
    as_of: int | None = None,
    unknown_keys: UnknownKeys = "error",
    readable_only: bool = False,
) -> list[WithoutCondition]:
    """For each condition of a query that finds nothing: how many rows would match without it."""
    moment = dt.datetime.now(dt.UTC) if now is None else now
    values = dict(parameters or {})
    with _reading(store, text, values, moment, as_of) as reading:

        def counted(wide: WideReading | None) -> list[WithoutCondition]:
            vocabulary = _vocabulary(reading, text, wide)
            conditions = without_each(
                text, vocabulary, values, moment, unknown_keys=unknown_keys, selection=readable_only
            )
            return [WithoutCondition(c.text, _number(reading.rows(c.sql, c.parameters))) for c in conditions]

        return _with_wide_tables(reading, counted)


def _with_wide_tables(reading: Reading, asked: Callable[[WideReading | None], _Result]) -> _Result:
    """What ``asked`` gives with wide tables; without them if one of them is damaged."""
    try:
        return asked(WideReading(reading, ENTITIES))
    except WideTableError as error:
        reading.leave_wide_tables_aside(error)
        return asked(None)


def _reading(store: Store, text: str, parameters: Mapping[str, object], now: dt.datetime, as_of: int | None) -> Reading:
    """The state of the store that is asked about."""
    stated = stated_as_of(text, parameters, now)
    snapshot = store.snapshot()
    number = as_of
    if stated is not None:
        number = store.number_at(stated.time) if stated.time is not None else stated.commit
    if number is None:
        return Reading(store, snapshot)
    if not 0 <= number <= snapshot.number:
        raise StoreError(f"as of commit {number}: this store has commits up to {snapshot.number}")
    return Reading(store, snapshot.at(number))


def _vocabulary(reading: Reading, text: str, wide: WideReading | None) -> StoreVocabulary:
    store, earlier = reading.store, reading.snapshot.horizon is not None

    def newest(sql: str, parameters: Sequence[object]) -> list[Row]:
        return fetch(store, sql, parameters)

    return StoreVocabulary(reading.rows, text, wide, newest if earlier else None)


def _said(compiled: Compiled, reading: Reading) -> _Said:
    """Notes and warnings, those that need counting included."""
    notes, warnings = list(compiled.notes), list(compiled.warnings)
    for count in compiled.counts:
        number = _number(reading.rows(count.sql, count.parameters))
        if number:
            (notes if count.saying.severity == "note" else warnings).append(count.saying.said(number))
    return tuple(notes), tuple(warnings)


def _number(rows: Sequence[Row]) -> int:
    value = rows[0][0]
    return value if isinstance(value, int) else 0


def _converter(column_type: object, as_text: bool) -> Callable[[object], object]:
    """From a value of the engine to one of Python."""
    if column_type == "metadata":
        return lambda values: _metadata(values, as_text)
    if column_type == "metadata value":
        # Of one key: None where it is missing.
        return lambda values: next(iter(_metadata(values, as_text).values()), None)
    return lambda value: value


def _metadata(values: object, as_text: bool) -> dict[str, object]:
    """The keys of one thing as they were written; lists as lists."""
    found: dict[str, object] = {}
    for entry in values if isinstance(values, list) else ():
        _put(found, entry["key"], entry, as_text)
    return found


def _put(found: dict[str, object], key: str, entry: Mapping[str, Any], as_text: bool) -> None:
    value = shown(entry["written"], entry["written_type"] or "null", entry["text_form"])
    if as_text and value is not None:
        value = entry["text_form"] if entry["written"] is None else entry["written"]
    if entry["position"] is None:
        found[key] = value
    elif entry["position"] == EMPTY_LIST_POSITION:
        found[key] = []
    else:
        elements = found.setdefault(key, [])
        assert isinstance(elements, list)
        elements.append(value)
