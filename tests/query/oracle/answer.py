"""The oracle: a query and what a store was told -> the rows, or that the question is refused.

It shares the parser with the language, and nothing that comes after: names, forms, missing values, walks and order are
thought of again here, row by row, as the description of the language has them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from query import tree
from query.parse import parse
from tests.query.oracle.entities import State, state
from tests.query.oracle.facts import Said, World
from tests.query.oracle.scalars import Forms, Refused, moment
from tests.query.oracle.sets import Rows, Sets
from tests.query.oracle.summary import Row, about_columns, grouped, name_of, refuse_twice
from tests.query.oracle.things import DESCRIBED, PATHS, Key, Thing

_CONDITIONS = (
    tree.And | tree.Or | tree.Not | tree.Compare | tree.In | tree.Between | tree.Like | tree.Matches | tree.Is
    | tree.Has | tree.Relation
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """``keys`` of the rows (none of a summary) and what is shown of them; None: the main fields, not looked at here.

    ``chosen`` of ``total`` rows of the entity took part.
    """

    keys: list[Key]
    shown: list[Row] | None
    chosen: int
    total: int


class Oracle:
    """Answers questions about one world. ``now`` is what the word means."""

    def __init__(self, world: World, now: dt.datetime) -> None:
        self.world = world
        self.now = now
        self._states: dict[int, State] = {}

    def state(self, horizon: int) -> State:
        """What there was as of a commit."""
        if horizon not in self._states:
            self._states[horizon] = state(self.world, horizon)
        return self._states[horizon]

    def answer(self, text: str, parameters: Mapping[str, Any] | None = None) -> Expected:
        """The answer; Refused."""
        statement = parse(text)
        sets = Sets(self.state(self.horizon(statement, parameters or {})), self.now, parameters or {})
        clauses = statement.query.clauses
        place = next((place for place, each in enumerate(clauses) if isinstance(each, tree.Summarize)), len(clauses))
        rows, shown = with_clauses(sets, sets.query(tree.Query(statement.query.rows)), clauses[:place])
        total = len(sets.state.things[rows.entity])
        if place == len(clauses):
            return Expected([thing.key for thing in rows.things], shown, len(rows.things), total)
        if shown is not None:
            raise Refused("shown before it is summarized")
        of_groups, groups = grouped(sets, rows, clauses[place])
        groups, shown = with_clauses(
            of_groups, groups, [about_columns(of_groups, each) for each in clauses[place + 1 :]]
        )
        if shown is None:
            shown = show(of_groups, groups, tree.Show((tree.Everything(),)))
        return Expected([], shown, len(rows.things), total)

    def horizon(self, statement: tree.Statement, parameters: Mapping[str, Any]) -> int:
        """The commit that is asked about; a day or month is over when it ends."""
        newest = len(self.world.commits)
        match statement.as_of:
            case None:
                return newest
            case tree.AsOfCommit(number=number):
                found = parameters[number.name] if isinstance(number, tree.Parameter) else number
                if not isinstance(found, int) or not 0 <= found <= newest:
                    raise Refused("no such commit")
                return found
            case tree.AsOfTime(time=tree.Parameter(name=name)):
                when = parameters[name]
                if not isinstance(when, dt.datetime):
                    raise Refused("no time")
                return self.world.at(when)
            case tree.AsOfTime(time=tree.Time(written=written)):
                period = moment(written)
                assert period.time is not None
                return self.world.at(period.time if period.end is None else period.end - dt.timedelta(microseconds=1))
            case _:
                raise AssertionError(statement.as_of)


def with_clauses(sets: Sets, rows: Rows, clauses: Sequence[Any]) -> tuple[Rows, list[Row] | None]:
    """The rows after ``clauses``, from left to right, and what is shown of them, if that is said: once, anywhere."""
    shows = [clause for clause in clauses if isinstance(clause, tree.Show)]
    if len(shows) > 1:
        raise Refused("shown twice")
    for clause in clauses:
        if clause not in shows:
            rows = sets.clause(rows, clause)
    return rows, show(sets, rows, shows[0]) if shows else None


def show(sets: Sets, rows: Rows, clause: tree.Show) -> list[Row]:
    """Columns: values as they are, metadata as it was written, conditions as true or false."""
    names: list[str] = []
    columns: list[Callable[[Thing], Any]] = []
    for item in clause.items:
        if not isinstance(item, tree.Everything):
            names.append(name_of(item))
            columns.append(_column(sets, rows.entity, item.operand))
            continue
        for field in sets.state.types[rows.entity]:
            names.append(field)
            columns.append(_field(field))
        if rows.entity in DESCRIBED:
            names.append("metadata")
            columns.append(_all_metadata)
    refuse_twice(names)
    return [tuple(column(thing) for column in columns) for thing in rows.things]


def _field(name: str) -> Callable[[Thing], Any]:
    return lambda thing: thing.fields[name]


def _all_metadata(thing: Thing) -> dict[str, Any]:
    return {key: _written(value) for key, value in thing.metadata.items() if value is not None}


def _written(value: Any) -> Any:
    return [each.text for each in value] if isinstance(value, tuple) else value.text


def _column(sets: Sets, entity: str, node: Any) -> Callable[[Thing], Any]:
    if isinstance(node, _CONDITIONS):
        return sets.conditions(entity).of(node)
    values = sets.values(entity)
    kind = values.kinds.of(node)
    if isinstance(node, tree.Name):
        if kind.metadata:
            return _metadata(sets, entity, node)
        path, _, key, _ = values.kinds.target(node)
        return lambda thing: _along(sets, thing, path, lambda end: end.fields[key])
    value = values.of(node)
    return lambda thing: _plain(value(thing))


def _metadata(sets: Sets, entity: str, node: tree.Name) -> Callable[[Thing], Any]:
    path, _, key, _ = sets.values(entity).kinds.target(node)

    def written(thing: Thing) -> Any:
        said: Said | tuple[Said, ...] | None = thing.metadata.get(key)
        return None if said is None else _written(said)

    return lambda thing: _along(sets, thing, path, written)


def _along(sets: Sets, thing: Thing, path: list[str], content: Callable[[Thing], Any]) -> Any:
    at: Thing | None = thing
    for step in path:
        assert at is not None
        link = at.links[step]
        at = None if link is None else sets.state.things[PATHS[at.entity][step]].get(link)
        if at is None:
            return None
    assert at is not None
    return content(at)


def _plain(forms: Forms) -> Any:
    for form in ("number", "time", "truth", "text"):
        if getattr(forms, form) is not None:
            return getattr(forms, form)
    return None
