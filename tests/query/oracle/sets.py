"""Sets of rows and the clauses on them, from left to right."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from query import tree
from query.parse import parse
from tests.query.oracle.conditions import Conditions, Test
from tests.query.oracle.entities import State
from tests.query.oracle.kinds import Given, Kinds
from tests.query.oracle.scalars import Forms, Refused
from tests.query.oracle.things import Key, Thing
from tests.query.oracle.values import Values
from tests.query.oracle.walks import relate

NEWEST_BY = {"files": "created", "jobs": "ended", "workflows": "started", "replicas": "registered", "checks": "at"}
Sorting = tuple[Callable[[Thing], Any], bool]


@dataclass(slots=True)
class Rows:
    """Rows of one entity in their order; ``sorts`` are what they were ordered by, most significant first."""

    entity: str
    things: list[Thing]
    sorts: list[Sorting] = field(default_factory=list)


@dataclass(slots=True)
class Sets:
    """Answers queries about one state of a store."""

    state: State
    now: dt.datetime
    parameters: Mapping[str, Any]
    saved: tuple[str, ...] = ()

    def values(self, entity: str) -> Values:
        """Values of rows of an entity."""
        return Values(Kinds(self.state, entity, self.parameters), self.now)

    def conditions(self, entity: str) -> Conditions:
        """Conditions on rows of an entity."""
        return Conditions(self.values(entity), self.relation)

    def relation(self, entity: str, node: tree.Relation) -> Test:
        """`upstream of (…)` and its like."""
        inner = self.query(node.query)
        return relate(self.state, entity, node, inner.entity, {thing.key for thing in inner.things})

    def query(self, node: tree.Query) -> Rows:
        """A set with its clauses, without what is shown."""
        rows = self.set(node.rows)
        for clause in node.clauses:
            rows = self.clause(rows, clause)
        return rows

    def set(self, node: tree.Operand | tree.SetOperation) -> Rows:
        """One operand, or several combined; what was combined has the order of the entity."""
        if isinstance(node, tree.Operand):
            return self.operand(node)
        sets = [self.operand(operand) for operand in node.operands]
        if len({rows.entity for rows in sets}) != 1:
            raise Refused("both sides must be of one kind")
        keys = [{thing.key for thing in rows.things} for rows in sets]
        entity = sets[0].entity
        match node.operator:
            case "union":
                wanted = set.union(*keys)
            case "intersect":
                wanted = set.intersection(*keys)
            case _:
                wanted = keys[0] - keys[1]
        return Rows(entity, [thing for thing in self.state.rows(entity) if thing.key in wanted])

    def operand(self, node: tree.Operand) -> Rows:
        """A source, and the condition on it."""
        match node.source:
            case tree.Entity(name=name, relation=relation):
                rows = Rows(name, self.state.rows(name))
                if relation is not None:
                    test = self.relation(name, relation)
                    rows.things = [thing for thing in rows.things if test(thing)]
            case tree.Nested(query=query):
                rows = self.query(query)
            case tree.Saved():
                rows = self.saved_query(node.source)
        return rows if node.where is None else self.where(rows, node.where)

    def saved_query(self, node: tree.Saved) -> Rows:
        """Its own text with its own parameters, and nothing of those outside."""
        text = self.state.queries.get(node.name)
        if text is None or node.name in self.saved:
            raise Refused("no such saved query, or one that uses itself")
        arguments = {argument.name: self.argument(argument.value) for argument in node.arguments}
        if any(f"${name}" not in text for name in arguments):
            raise Refused("it has no such parameter")
        found = parse(text)
        if found.as_of is not None:
            raise Refused("as of within")
        return Sets(self.state, self.now, arguments, (*self.saved, node.name)).query(found.query)

    def argument(self, value: Any) -> Any:
        """An argument is a literal, several, or a parameter handed on."""
        if isinstance(value, tree.Parameter):
            return self.parameters[value.name]
        given = [Given(*bound) for bound in self.conditions("files").bounds(value)]
        return given if isinstance(value, tree.Choices) else given[0]

    def where(self, rows: Rows, condition: Any) -> Rows:
        """Those for which it holds."""
        test = self.conditions(rows.entity).of(condition)
        return Rows(rows.entity, [thing for thing in rows.things if test(thing)], rows.sorts)

    def clause(self, rows: Rows, clause: Any) -> Rows:
        """One clause."""
        match clause:
            case tree.Where(condition=condition):
                return self.where(rows, condition)
            case tree.Order(sorts=written):
                sorts = [(self.sort_key(rows.entity, each.operand), bool(each.descending)) for each in written]
                sorts += rows.sorts
                return Rows(rows.entity, ordered(rows.things, sorts), sorts)
            case tree.Limit(count=count):
                return Rows(rows.entity, rows.things[: self.count(count)], rows.sorts)
            case tree.Latest():
                return self.latest(rows, clause)
            case _:
                raise Refused("what is shown belongs to the end")

    def count(self, count: int | tree.Parameter) -> int:
        """Of `limit`."""
        if isinstance(count, int):
            return count
        self.values("files").kinds.parameter(count.name)
        number = self.values("files").constant(count).number
        if not isinstance(number, int) or number < 0:
            raise Refused("limit needs a whole number")
        return number

    def sort_key(self, entity: str, node: Any) -> Callable[[Thing], Any]:
        """What rows are ordered by; None (missing, NaN) comes last. A key: by number or time if all values have it."""
        values = self.values(entity)
        kind = values.kinds.of(node)
        if kind.constant:
            raise Refused("an order by the same value for all")
        if kind.many:
            raise Refused("a list has no order")
        form = sorting_form(kind.has) if kind.has is not None else kind.form
        assert form is not None
        value = values.of(node)

        def key(thing: Thing) -> Any:
            found = getattr(value(thing), form)
            return None if isinstance(found, float) and math.isnan(found) else found

        return key

    def latest(self, rows: Rows, clause: tree.Latest) -> Rows:
        """The newest of each group, of equals the one with the last id; who belongs to no group is left out."""
        if clause.count == 0:
            raise Refused("latest 0")
        groups = [self.group_key(rows.entity, name) for name in clause.per]
        by = clause.by if clause.by is not None else tree.Name((tree.Part(_newest(rows.entity)),))
        newest = self.sort_key(rows.entity, by)
        found: dict[Any, list[Thing]] = {}
        for thing in rows.things:
            key = tuple(group(thing) for group in groups)
            if None not in key:
                found.setdefault(key, []).append(thing)
        chosen: set[Key] = set()
        for members in found.values():
            last_first = sorted(members, key=lambda thing: thing.key, reverse=True)
            chosen |= {thing.key for thing in ordered(last_first, [(newest, True)])[: clause.count or 1]}
        return Rows(rows.entity, [thing for thing in rows.things if thing.key in chosen], rows.sorts)

    def group_key(self, entity: str, name: tree.Name) -> Callable[[Thing], Any]:
        """What rows of a group share: of a key the text form; None: missing."""
        values = self.values(entity)
        kind = values.kinds.of(name)
        if kind.many:
            raise Refused("a list is no group")
        value = values.of(name)
        return lambda thing: group_of(value(thing))


def _newest(entity: str) -> str:
    if entity not in NEWEST_BY:
        raise Refused("latest by what?")
    return NEWEST_BY[entity]


def group_of(forms: Forms) -> Any:
    """The one value of a built-in field, as it is shown, or the text form."""
    if forms.digest is not None:
        return bytes.fromhex(forms.digest)
    for form in ("text", "number", "time", "truth"):
        if getattr(forms, form) is not None:
            return getattr(forms, form)
    return None


def sorting_form(has: Mapping[str, int]) -> str:
    """Number or time if all values of a key have it, else text."""
    for form in ("number", "time"):
        if has["text"] and has[form] == has["text"]:
            return form
    return "text"


def ordered(things: list[Thing], sorts: list[Sorting]) -> list[Thing]:
    """By the first, then by the next; missing values last in both directions; else as they were."""
    for key, descending in reversed(sorts):
        keyed = [(key(thing), thing) for thing in things]
        present = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=descending)
        things = [thing for _, thing in present] + [thing for found, thing in keyed if found is None]
    return things
