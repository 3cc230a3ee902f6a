"""Queries made in Python: the same tree as the text, for programs that would else glue text together.

    from query.builder import F, agg, files, jobs, upstream_of

    raw = files().where((F.kind == "raw") & F.run.between(5140, 5152) & (F.detector_temp < -95))
    newest = raw.latest(1, per=[F.tract, F.band], by=F.created)
    used = files(upstream_of(files().where(F.name == "catalog_v7.parquet"))).where(F.kind == "raw")
    store.query(raw.summarize(agg.count().as_("n"), by=[F.campaign]))

``F.job.site`` is the field `job.site`; ``F["exposure id"]`` is always a metadata key, whatever is in its name. Values
are Python's: text, numbers, bools, dates, times with a zone, time differences; `quantity`, `month` and `now` make the
others. Conditions are joined with ``&``, ``|`` and ``~``, each comparison in parentheses: Python's own ``and``, ``or``,
``not`` and ``in`` cannot be taken over, and are errors here. A query is a value: each method gives a new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from query import format as text_of
from query import tree
from query.builder_aggregates import agg
from query.builder_values import (
    Condition,
    F,
    Field,
    Item,
    Plain,
    Sort,
    Value,
    choices_of,
    everything,
    month,
    node_of,
    now,
    operands_of,
    param,
    quantity,
    unexpected,
)
from query.errors import QueryError
from query.frozen import Frozen, frozen
from query.parse import parse

__all__ = [
    "F",
    "Query",
    "agg",
    "checks",
    "downstream_of",
    "everything",
    "files",
    "jobs",
    "month",
    "now",
    "param",
    "quantity",
    "related",
    "replicas",
    "saved",
    "upstream_of",
    "workflows",
]

_STATES = "a date, a time with a zone, or param(…)"


@frozen
class Query(Frozen):
    """A query; ``statement`` is its tree. `text` is what it is in the language."""

    statement: tree.Statement

    @property
    def text(self) -> str:
        """The query in the language. Raises QueryError where a name is a word of the language: ``F["order"]``."""
        text = text_of.format_statement(self.statement)
        if parse(text) != self.statement:
            raise QueryError(
                f"this says something else as a text: {text}",
                hint='write F["order"] where a name is a word of the language',
            )
        return text

    def where(self, *conditions: Condition) -> Query:
        """The rows for which all ``conditions`` hold, too."""
        query = self.statement.query
        if query.clauses:
            return self._clause(tree.Where(_all(conditions)))
        rows = query.rows
        if isinstance(rows, tree.SetOperation):
            rows = tree.Operand(tree.Nested(query))
        before = () if rows.where is None else operands_of(Condition(rows.where), tree.And)
        together = _all((*(Condition(each) for each in before), *conditions))
        return self._query(replace(query, rows=replace(rows, where=together)))

    def latest(self, count: int | None = None, *, per: Iterable[Field], by: Field | None = None) -> Query:
        """The newest ``count`` (1) rows of each group."""
        if count is not None:
            _whole("latest()", count, least=1)
        return self._clause(tree.Latest(count, _names(per), None if by is None else _name(by)))

    def order_by(self, *sorts: Value | Sort) -> Query:
        """In this order, then by the id."""
        return self._clause(tree.Order(tuple(map(_sort, sorts))))

    def limit(self, count: int | Value) -> Query:
        """The first rows only."""
        if isinstance(count, Value) and isinstance(count.node, tree.Parameter):
            return self._clause(tree.Limit(count.node))
        return self._clause(tree.Limit(_whole("limit()", count, least=0, otherwise="param(…)")))

    def show(self, *items: Value | Condition | Item | tree.Everything) -> Query:
        """These columns."""
        return self._clause(tree.Show(tuple(map(_item, items))))

    def summarize(self, *items: Value | Item, by: Iterable[Field] = ()) -> Query:
        """One row for each group."""
        return self._clause(tree.Summarize(tuple(map(_item, items)), _names(by)))

    def union(self, *others: Query) -> Query:
        """The rows of any of them."""
        return _combined("union", (self, *others))

    def intersect(self, *others: Query) -> Query:
        """The rows of all of them."""
        return _combined("intersect", (self, *others))

    def minus(self, other: Query) -> Query:
        """The rows of this one that are none of ``other``."""
        return _combined("minus", (self, other))

    def as_of(self, state: int | dt.date | Value) -> Query:
        """What it was as of a commit (a number), a day or a time."""
        if isinstance(state, int):
            commit = _whole("as_of()", state, least=0, otherwise=_STATES)
            return replace(self, statement=replace(self.statement, as_of=tree.AsOfCommit(commit)))
        node = node_of(state) if isinstance(state, dt.date | Value) else None
        if not isinstance(node, tree.Time | tree.Parameter):
            raise unexpected("as_of()", f"the number of a commit, {_STATES}", state)
        return replace(self, statement=replace(self.statement, as_of=tree.AsOfTime(node)))

    def _clause(self, clause: tree.Clause) -> Query:
        query = self.statement.query
        return self._query(replace(query, clauses=(*query.clauses, clause)))

    def _query(self, query: tree.Query) -> Query:
        return replace(self, statement=replace(self.statement, query=query))


def files(relation: Condition | None = None) -> Query:
    """All files, or those in a relation: ``files(upstream_of(…))``."""
    return _entity("files", relation)


def jobs(relation: Condition | None = None) -> Query:
    """All jobs, or those in a relation."""
    return _entity("jobs", relation)


def workflows(relation: Condition | None = None) -> Query:
    """All workflows, or those in a relation."""
    return _entity("workflows", relation)


def replicas(relation: Condition | None = None) -> Query:
    """All replicas, or those in a relation."""
    return _entity("replicas", relation)


def checks(relation: Condition | None = None) -> Query:
    """All checks, or those in a relation."""
    return _entity("checks", relation)


def saved(name: str, **arguments: Value | Plain | list[Any]) -> Query:
    """The saved query `@name(argument = value, …)`."""
    given = tuple(
        tree.Argument(key, choices_of(value) if isinstance(value, list) else node_of(value))
        for key, value in arguments.items()
    )
    return _of(tree.Operand(tree.Saved(name.removeprefix("@"), given)))


def _relation(word: str, query: Query, within: int | tuple[int, int] | None = None) -> Condition:
    if not isinstance(query, Query):
        raise unexpected(word, "a query", query)
    if query.statement.as_of is not None:
        raise QueryError("`as of` belongs to the whole query", hint="leave it out of the inner one")
    return Condition(tree.Relation(word, query.statement.query, None if within is None else _steps(within)))


def _steps(within: object) -> tree.Within:
    match within:
        case (low, high):
            return tree.Within(_whole("within", low, least=0), _whole("within", high, least=0))
        case _:
            return tree.Within(None, _whole("within", within, least=0, otherwise="two of them"))


def upstream_of(query: Query, within: int | tuple[int, int] | None = None) -> Condition:
    """What ``query`` came from, in any number of steps or ``within`` some."""
    return _relation("upstream of", query, within)


def downstream_of(query: Query, within: int | tuple[int, int] | None = None) -> Condition:
    """What came from ``query``."""
    return _relation("downstream of", query, within)


def related(word: str, query: Query) -> Condition:
    """Any other relation, by its word: ``related("produced by", jobs())``, ``related("with the content of", …)``."""
    return _relation(" ".join(word.lower().split()), query)


def _entity(name: str, relation: Condition | None) -> Query:
    if relation is None:
        return _of(tree.Operand(tree.Entity(name)))
    if not isinstance(relation, Condition) or not isinstance(relation.node, tree.Relation):
        raise QueryError(f"{name}(…) takes a relation, as upstream_of(…)", hint="other conditions go into where(…)")
    return _of(tree.Operand(tree.Entity(name, relation.node)))


def _of(operand: tree.Operand) -> Query:
    return Query(tree.Statement(tree.Query(operand)))


def _combined(operator: str, queries: tuple[Query, ...]) -> Query:
    operands = []
    for each in queries:
        if not isinstance(each, Query):
            raise unexpected(f"{operator}()", "queries", each)
        query = each.statement.query
        if each.statement.as_of is not None:
            raise QueryError("`as of` belongs to the whole query", hint="give it to what they are combined to")
        if isinstance(query.rows, tree.Operand) and not query.clauses:
            operands.append(query.rows)
        else:
            operands.append(tree.Operand(tree.Nested(query)))
    return Query(tree.Statement(tree.Query(tree.SetOperation(operator, tuple(operands)))))


def _item(item: Value | Condition | Item | tree.Everything) -> tree.Item | tree.Everything:
    if isinstance(item, tree.Everything):
        return item
    return item.node if isinstance(item, Item) else tree.Item(node_of(item))


def _sort(sort: Value | Sort) -> tree.Sort:
    if isinstance(sort, Sort):
        return sort.node
    if not isinstance(sort, Value):
        raise unexpected("order_by()", "fields, as F.name or F.name.desc()", sort)
    return tree.Sort(sort.node)


def _whole(where: str, number: object, *, least: int, otherwise: str = "") -> int:
    """A whole number, which a bool is not."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise unexpected(where, "a whole number" + (f", or {otherwise}" if otherwise else ""), number)
    if number < least:
        raise ValueError(f"{where} takes a whole number of {least} or more, found {number}")
    return number


def _names(fields: Iterable[Field]) -> tuple[tree.Name, ...]:
    if isinstance(fields, str | Value):
        raise unexpected("per and by", "a list of fields, as [F.name]", fields)
    return tuple(map(_name, fields))


def _name(field: Field) -> tree.Name:
    if not isinstance(field, Field) or not isinstance(field.node, tree.Name):
        raise QueryError(f"a field is expected here, as F.name: {field!r}")
    return field.node


def _all(conditions: tuple[Condition, ...]) -> tree.Expression:
    operands = tuple(operand for each in conditions for operand in operands_of(each, tree.And))
    if not operands:
        raise QueryError("where() takes one condition at least")
    return operands[0] if len(operands) == 1 else tree.And(operands)
