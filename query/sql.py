"""The resolved tree as SQL: sets of keys, clauses from left to right, and what is shown of the rows.

A selection of rows is one SELECT as long as it can be; `latest`, a `limit` with more after it and set operations close
it into a common table expression of keys, and the next SELECT starts from those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from query import resolved, sql_numbers
from query.counts import Count, Saying
from query.frozen import Frozen, frozen
from query.literals import Moment, Number, TextValue, Truth
from query.resolved import Arithmetic, BuiltIn, Condition, Form, Metadata, Value
from query.sql_binder import Binder
from query.sql_conditions import Conditions
from query.sql_relations import Relating
from query.sql_scope import Scope
from query.sql_select import Select
from query.sql_values import Values, absent
from query.vocabulary import Entity, Vocabulary


@frozen
class Rows(Frozen):
    """Rows of ``entity`` in the making: those of ``within`` (a name of keys; None: all) for which ``conditions``
    hold.
    """

    entity: Entity
    within: str | None = None
    conditions: tuple[Condition, ...] = ()
    orders: tuple[resolved.Sort, ...] = ()
    limit: int | None = None


class Compiler:
    """Compiles one resolved query; ``countings`` are what it found worth counting."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.binder = Binder()
        self.countings: dict[Saying, str] = {}
        self.relating = Relating(vocabulary, self.binder, self.select_of)

    # ---- statements ---------------------------------------------------------------------------------------------

    def rows_statement(
        self, query: resolved.Query, columns: Sequence[resolved.Column], *, keys: bool
    ) -> tuple[str, tuple[object, ...]]:
        """The statement that shows ``columns``, the key before them if asked."""
        rows = self.rows(query)
        self.note_kept(rows)
        select = self.open(rows)
        conditions = Conditions(select.scope, self.relating.sql)
        shown = [f"{self.shown(conditions, column.content)} AS c{number}" for number, column in enumerate(columns)]
        key = [f"{column} AS key{number}" for number, column in enumerate(select.scope.key())] if keys else []
        tail = "" if self.come_in_order(select, rows, shown) else self.tail(select, rows)
        return self.binder.finish(select.sql([*key, *shown], tail))

    def summary_statement(self, query: resolved.Query, summary: resolved.Summary) -> tuple[str, tuple[object, ...]]:
        """The statement of `summarize`: the groups, then what comes after it as for any other rows."""
        from query import groups, sql_summary  # few queries summarize

        rows = self.closed_if_limited(self.rows(query))
        self.note_kept(rows)
        name = sql_summary.grouped(self.open(rows), summary)
        self.vocabulary = groups.WithGroups(self.vocabulary, groups.table(summary, name), {})
        found = resolved.Query(Entity.GROUPS, resolved.Operand(resolved.All(Entity.GROUPS), ()), summary.clauses)
        return self.rows_statement(found, summary.columns, keys=False)

    def count_statement(self, query: resolved.Query) -> tuple[str, tuple[object, ...]]:
        """The statement that counts the rows of ``query``."""
        return self.binder.finish(
            f"SELECT count(*) FROM ({self.select_of(query, lambda scope: scope.key())}) AS counted"
        )

    def counted(self) -> tuple[Count, ...]:
        """What was found worth counting, as statements of their own."""
        return tuple(Count(*self.binder.finish(sql), saying) for saying, sql in self.countings.items())

    # ---- rows ---------------------------------------------------------------------------------------------------

    def rows(self, query: resolved.Query) -> Rows:
        """The rows of a query, its last SELECT still open."""
        rows = self.set_rows(query.rows, query.entity)
        for clause in query.clauses:
            match clause:
                case resolved.Where(conditions=conditions):
                    rows = self.restricted(rows, conditions)
                case resolved.Order(sorts=sorts):
                    rows = replace(self.closed_if_limited(rows), orders=(*sorts, *rows.orders))
                case resolved.Limit(count=count):
                    rows = replace(rows, limit=count if rows.limit is None else min(count, rows.limit))
                case resolved.Latest():
                    rows = self.latest(self.closed_if_limited(rows), clause)
                case _ as unreachable:
                    assert_never(unreachable)
        return rows

    def set_rows(self, node: resolved.Operand | resolved.SetOperation, entity: Entity) -> Rows:
        """One operand, or the keys of several combined."""
        if isinstance(node, resolved.Operand):
            source = node.source
            rows = Rows(source.entity) if isinstance(source, resolved.All) else self.rows(source)
            return self.restricted(rows, node.where)
        word = {"union": "UNION", "intersect": "INTERSECT", "minus": "EXCEPT"}[node.operator]
        selects = []
        for operand in node.operands:
            rows = self.set_rows(operand, entity)
            self.note_kept(rows)
            selects.append(f"({self.select_rows(rows, lambda scope: scope.key())})")
        return Rows(entity, self.keys(entity, f" {word} ".join(selects)))

    def restricted(self, rows: Rows, conditions: tuple[Condition, ...]) -> Rows:
        """``rows`` for which ``conditions`` hold too."""
        if not conditions:
            return rows
        rows = self.closed_if_limited(rows)
        return replace(rows, conditions=(*rows.conditions, *conditions))

    def closed_if_limited(self, rows: Rows) -> Rows:
        """What comes after a limit sees only the rows within it."""
        if rows.limit is None:
            return rows
        self.note_kept(rows)
        return Rows(
            rows.entity, self.keys(rows.entity, self.select_rows(rows, lambda scope: scope.key())), (), rows.orders
        )

    def keys(self, entity: Entity, select: str) -> str:
        """The name of an expression with the keys that ``select`` gives."""
        width = len(self.vocabulary.table(entity).key)
        return self.binder.cte("q", select, f"({', '.join(f'k{number}' for number in range(width))})")

    def latest(self, rows: Rows, clause: resolved.Latest) -> Rows:
        """The newest rows of each group; rows that belong to no group are left out and counted."""
        self.note_kept(rows)
        select = self.open(rows)
        values = Values(select.scope)
        parts = [values.group(found) for found in clause.per]
        newest = values.order_keys(clause.by)
        key = select.scope.key()
        order = ", ".join([*(f"{sql} DESC NULLS LAST" for sql in newest), *(f"{column} DESC" for column in key)])
        window = f"(PARTITION BY {', '.join(parts)} ORDER BY {order})"
        by = "{" + ", ".join(f"'b{number}': {sql}" for number, sql in enumerate(newest)) + "}"
        columns = [
            *(f"{column} AS k{number}" for number, column in enumerate(key)),
            f"row_number() OVER {window} AS place",
            f"{by} AS by_now",
            f"lag({by}) OVER {window} AS by_before",
        ]
        missing = [absent(part) for part in parts]  # a list is not missing, and no group either
        self.note_left_out(select, missing, clause, rows.entity)
        select.where.extend(f"NOT {sql}" for sql in missing)
        names = ", ".join(f"k{number}" for number in range(len(key)))
        ranked = self.binder.cte("r", select.sql(columns), f"({names}, place, by_now, by_before)")
        tied = Saying("latest: in ", "groups", f" only the id decides, {clause.by.label} is the same", "warning")
        self.countings.setdefault(
            tied, f"SELECT count(*) FROM {ranked} WHERE place = {clause.count + 1} AND by_now = by_before"
        )
        return Rows(rows.entity, self.keys(rows.entity, f"SELECT {names} FROM {ranked} WHERE place <= {clause.count}"),
                    (), rows.orders)  # fmt: skip

    def note_left_out(self, select: Select, missing: list[str], clause: resolved.Latest, entity: Entity) -> None:
        """Counts the rows that `latest` leaves out because they belong to no group."""
        fields = " or ".join(found.label for found in clause.per)
        lost = Select(select.scope, [*select.where, "(" + " OR ".join(missing) + ")"])
        saying = Saying("latest: ", entity.value, f" without {fields} left out", "warning")
        self.countings.setdefault(saying, lost.sql(["count(*)"]))

    # ---- one SELECT ---------------------------------------------------------------------------------------------

    def select_of(self, query: resolved.Query, columns: Callable[[Scope], Sequence[str]]) -> str:
        """The SELECT of some columns of the rows of a query within another."""
        rows = self.rows(query)
        self.note_kept(rows)
        return self.select_rows(rows, columns)

    def select_rows(self, rows: Rows, columns: Callable[[Scope], Sequence[str]]) -> str:
        """The SELECT of ``columns``; ordered only where a limit makes it matter."""
        select = self.open(rows)
        wanted = columns(select.scope)
        return select.sql(wanted, self.tail(select, rows) if rows.limit is not None else "")

    def open(self, rows: Rows) -> Select:
        """FROM and WHERE of ``rows``."""
        scope = Scope(self.vocabulary, self.binder, rows.entity)
        where = []
        if rows.within is not None:
            key = scope.key()
            one = key[0] if len(key) == 1 else f"({', '.join(key)})"
            where.append(
                f"{one} IN (SELECT {', '.join(f'k{number}' for number in range(len(key)))} FROM {rows.within})"
            )
        conditions = Conditions(scope, self.relating.sql)
        where.extend(conditions.sql(condition) for condition in rows.conditions)
        return Select(scope, where)

    def come_in_order(self, select: Select, rows: Rows, shown: Sequence[str]) -> bool:
        """Whether all rows are shown by their ids and found so: then none has to wait for others, and millions need no
        memory. The engine keeps the order of what it reads through conditions on a row, but not through joins, which
        sub-queries become.
        """
        if rows.orders or rows.limit is not None or not select.scope.in_order():
            return False
        return not any("SELECT" in sql for sql in (*select.where, *shown))

    def tail(self, select: Select, rows: Rows) -> str:
        """ORDER BY and LIMIT: the order asked for, then the id."""
        values = Values(select.scope)
        keys = [
            f"{sql} {_direction(sort.descending)}" for sort in rows.orders for sql in values.order_keys(sort.operand)
        ]
        keys.extend(f"e.{column} ASC" for column in select.scope.table.order)
        keys.extend(f"{column} ASC" for column in select.scope.key())
        return f" ORDER BY {', '.join(keys)}" + ("" if rows.limit is None else f" LIMIT {rows.limit}")

    def note_kept(self, rows: Rows) -> None:
        """Counts rows that a `not` keeps although they lack what it asks about."""
        for found in kept_when_missing(rows.conditions):
            select = self.open(replace(rows, limit=None))
            select.where.append(Values(select.scope).missing(found))
            saying = Saying("", rows.entity.value, f" without {found.label} kept by `not`", "note")
            self.countings.setdefault(saying, select.sql(["count(*)"]))

    def shown(self, conditions: Conditions, content: Value | Condition | resolved.AllMetadata) -> str:
        """A column of the answer."""
        match content:
            case resolved.AllMetadata():
                return conditions.scope.shown_metadata(None)
            case Metadata():
                if not content.seen:
                    return "NULL"
                return conditions.scope.along(content.path, lambda scope: scope.shown_metadata(content.key))
            case BuiltIn() if conditions.values.whole(content) is not None:
                return conditions.values.numbers([content], sql_numbers.shown)
            case BuiltIn():
                return conditions.values.field(content)
            case Arithmetic(form=Form.TIME) | Moment():
                return conditions.values.time(content)
            case Arithmetic() | Number():
                return conditions.values.numbers([content], sql_numbers.shown)
            case TextValue():
                return conditions.values.text(content)
            case Truth():
                return conditions.values.truth(content)
            case _:
                return f"coalesce({conditions.sql(content)}, FALSE)"


def kept_when_missing(conditions: Sequence[Condition]) -> list[BuiltIn | Metadata]:
    """The fields whose absence makes a `not` true: those of comparisons under an odd number of them."""
    found: dict[str, BuiltIn | Metadata] = {}
    for condition in conditions:
        for field in _asked(condition, negated=False):
            found.setdefault(field.label, field)
    return list(found.values())


def _asked(node: Condition, *, negated: bool) -> list[BuiltIn | Metadata]:
    match node:
        case resolved.Not(operand=operand):
            return _asked(operand, negated=not negated)
        case resolved.And(operands=operands) | resolved.Or(operands=operands):
            return [field for operand in operands for field in _asked(operand, negated=negated)]
        case resolved.Missing() | resolved.Present() | resolved.Related():
            return []
        case resolved.Compare(left=left, right=right):
            return [*_fields(left), *_fields(right)] if negated else []
        case _:
            return _fields(node.operand) if negated else []


def _fields(value: Value) -> list[BuiltIn | Metadata]:
    match value:
        case BuiltIn() | Metadata():
            return [value]
        case Arithmetic(left=left, right=right):
            return [*_fields(left), *_fields(right)]
        case _:
            return []


def _direction(descending: bool) -> str:
    return f"{'DESC' if descending else 'ASC'} NULLS LAST"
