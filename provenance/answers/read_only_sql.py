"""SQL of users over a store: one question that reads the published tables and views, and nothing else.

It runs in a database of its own that may open the live segments of the tables that are asked about, and no other file;
that cannot be given more by any statement; and to which only a statement that reads is handed.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from provenance.answers.output import DecimalType
from provenance.answers.published_views import PUBLISHED
from provenance.reading.views import needed, read_from, show
from provenance.schema import BY_NAME
from provenance.segments.damage import damage_named
from provenance.segments.database import Connection
from provenance.segments.relations import quoted
from provenance.storable import storable
from query.errors import LocatedError, QueryError
from query.literals import FromOutside, Moment, Number, TextValue, Truth, read
from query.vocabulary import FieldType

if TYPE_CHECKING:
    import duckdb

    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

T = TypeVar("T")
_BLOCK_ROWS = 4096
_INT64 = range(-(1 << 63), 1 << 63)
_LISTS_NAMES = re.compile(r"\b(show|information_schema|duckdb_\w+|pg_\w+)\b")
"""Statements that may list all tables see all of them."""
_EXPLAIN = re.compile(r"\s*EXPLAIN\b(\s+ANALYZE\b)?(\s*\([A-Za-z_,\s]*\))?", re.IGNORECASE)
_ONE = "`pirene sql` takes one statement, which reads: SELECT, FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, EXPLAIN"
_DECIMAL = re.compile(r"DECIMAL\(([0-9]+),([0-9]+)\)")
_TYPES: Mapping[str, FieldType] = {
    "BOOLEAN": FieldType.BOOLEAN,
    "TIMESTAMP WITH TIME ZONE": FieldType.TIME,
    "VARCHAR[]": FieldType.TEXTS,
    "FLOAT": FieldType.FLOAT,
    "DOUBLE": FieldType.FLOAT,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), FieldType.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), FieldType.INTEGER),
}


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a result; what has no type of ours is text."""

    name: str
    type: FieldType | DecimalType


@dataclass(frozen=True, slots=True)
class SqlResult:
    """What a statement gives. ``rows`` streams; an error on the way is a QueryError, damage a DamagedStoreError."""

    columns: tuple[ResultColumn, ...]
    rows: Iterator[tuple[object, ...]]


def ask(store: Store, sql: str, parameters: Mapping[str, object] | None = None) -> SqlResult:
    """Run one statement that reads, on the newest state of ``store``.

    ``parameters``: values for ``$name``; text is read as a literal, as in the query language. Raises QueryError (with
    the place in the text, where DuckDB knows it), DamagedStoreError.
    """
    _require_unicode("the statement", sql)
    snapshot = store.snapshot()
    values = {name: _value(name, value) for name, value in (parameters or {}).items()}
    with ExitStack() as opened:
        connection = opened.enter_context(_database(store, snapshot, sql))
        with _errors_placed(sql), damage_named(store.storage, snapshot, of_user=True):
            _refuse_others(_only_reading(connection, sql), values)
            connection.execute(sql, values)
            types = [str(column[1]) for column in connection.description]
            names = _distinct(column[0] for column in connection.description)
        columns = tuple(ResultColumn(*pair) for pair in zip(names, map(_field_type, types), strict=True))
        named = damage_named(store.storage, snapshot, of_user=True)
        return SqlResult(columns, _rows(opened.pop_all(), connection, named, sql, columns))


def _require_unicode(what: str, text: str) -> None:
    """A terminal of another encoding hands over bytes that are no text; no value of the store can equal those."""
    if storable(text) != text:
        raise QueryError(f"{what} holds bytes that are not UTF-8: {storable(text)}", hint="write it as UTF-8")


@contextmanager
def _database(store: Store, snapshot: Snapshot, sql: str) -> Iterator[Connection]:
    """A database that shows what the statement may refer to, and is locked; closed at the end."""
    import duckdb

    lowered = sql.lower()
    tables, views = needed(lowered)
    if _LISTS_NAMES.search(lowered):
        tables, views = tuple(BY_NAME), tuple(view.name for view in PUBLISHED if view.name not in BY_NAME)
        tables, views = needed(" ".join((*tables, *views)))
    segments = [segment for table in sorted(read_from(tables)) for segment in snapshot.segments(table)]
    paths = ", ".join(quoted(str(path)) for path in store.storage.paths(segments))
    with Connection(
        duckdb.connect(
            ":memory:", config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        )
    ) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET errors_as_json = true")
        connection.execute("SET python_enable_replacements = false")
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        with damage_named(store.storage, snapshot):
            show(connection, store, snapshot, tables, views)
        connection.execute("SET lock_configuration = true")
        yield connection


def _only_reading(connection: Connection, sql: str) -> frozenset[str]:
    """The names of the parameters of the one statement. Raises QueryError unless it is one, and only reads."""
    import duckdb

    statement = _single(connection, sql)
    kind = statement.type
    if kind is duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE runs what it explains, whatever that is; a file that may be read may also be written.
        start = _EXPLAIN.match(sql)
        kind = _single(connection, sql[start.end() :]).type if start else kind
    if kind is not duckdb.StatementType.SELECT:
        raise QueryError(f"{kind.name} is no statement that only reads", hint=_ONE)
    return frozenset(statement.named_parameters)


def _single(connection: Connection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"found {len(statements) or 'no'} statements", hint=_ONE)
    return statements[0]


def _refuse_others(wanted: frozenset[str], values: Mapping[str, object]) -> None:
    """Raise QueryError unless there is a value for each parameter, and a parameter for each value."""
    for name in sorted(wanted - values.keys()):
        raise QueryError(f"no value for ${name}", hint=f"give it with -p {name}=VALUE")
    for name in sorted(values.keys() - wanted):
        raise QueryError(f"there is no ${name} in the statement", hint="leave out its -p, or use it")


def _rows(
    opened: ExitStack,
    connection: Connection,
    named: AbstractContextManager[None],
    sql: str,
    columns: tuple[ResultColumn, ...],
) -> Iterator[tuple[object, ...]]:
    """The rows that ``connection`` has; all that is ``opened`` is closed behind the last of them."""
    with opened, _errors_placed(sql), named:
        while block := connection.fetchmany(_BLOCK_ROWS):
            for row in block:
                yield tuple(_shown(column, value) for column, value in zip(columns, row, strict=True))


def _distinct(names: Iterable[str]) -> list[str]:
    """Names of columns, those that come again as DuckDB has them in a table: a, a_1, a_2. Rows as objects need that."""
    found: dict[str, None] = {}
    for name in names:
        candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
        found[next(candidate for candidate in candidates if candidate not in found)] = None
    return list(found)


def _field_type(name: str) -> FieldType | DecimalType:
    decimal = _DECIMAL.fullmatch(name)
    if decimal is not None:
        return DecimalType(int(decimal[1]), int(decimal[2]))
    return _TYPES.get(name, FieldType.TEXT)


def _shown(column: ResultColumn, value: Any) -> object:
    """A value in a form that every output has."""
    match value:
        case int() if value not in _INT64:
            raise QueryError(f"{column.name}: {value} has more than 64 bits", hint="cast it, for example to VARCHAR")
        case dt.datetime() if column.type is FieldType.TIME:
            return value
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta() | uuid.UUID():
            return str(value)
        case dict():
            return {str(key): _shown(column, element) for key, element in value.items()}
        case list() | tuple():
            return [_shown(column, element) for element in value]
        case _:
            return value


def _value(name: str, value: object) -> object:
    """A parameter as DuckDB takes it: the number, truth or time that its text reads like, else the text."""
    if isinstance(value, list):
        return [_value(name, element) for element in value]
    _require_unicode(f"the value of ${name}", str(value))
    found = read(str(value))
    match found.reading if isinstance(found, FromOutside) else found:
        case Number(value=number) | Truth(value=number):
            return number
        case Moment(start=start):
            return start
        case TextValue(value=text):
            return text


@contextmanager
def _errors_placed(sql: str) -> Iterator[None]:
    """Turns what DuckDB says of a statement into a QueryError with the place in its text."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        kind, _, said = str(error).partition(": ")
        try:
            details: Mapping[str, str] = json.loads(said)
        except ValueError:
            raise QueryError(" ".join(str(error).split())) from error
        message, *more = details["exception_message"].splitlines()
        hint = " ".join(line.strip() for line in more if line.strip()) or None
        if "position" not in details:
            raise QueryError(f"{kind}: {message}", hint=hint) from error
        start = len(sql.encode()[: int(details["position"])].decode(errors="ignore"))
        length = int(details.get("location", "[0,1]").strip("[]").split(",")[1])
        raise LocatedError(f"{kind}: {message}", text=sql, span=(start, start + length), hint=hint) from error
