"""Makes up questions about a world: every operator, on every form, about values that are there, missing or mixed.

``pick`` takes one of a sequence; all chance is in it, so that Hypothesis can find the shortest question that fails.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tests.query.oracle import literals
from tests.query.oracle.entities import State
from tests.query.oracle.literals import Pick
from tests.query.oracle.pools import NOW
from tests.query.oracle.there import There
from tests.query.oracle.things import PATHS, TYPES

COMPARISONS = ["=", "!=", "<", "<=", ">", ">=", "==", "<>"]
RELATIONS: dict[str, list[tuple[str, str]]] = {
    "files": [("upstream of", "files"), ("downstream of", "files"), ("upstream of", "jobs"), ("downstream of", "jobs"),
              ("inputs of", "jobs"), ("outputs of", "jobs"), ("produced by", "jobs"), ("consumed by", "jobs"),
              ("produced by", "workflows"), ("consumed by", "workflows"), ("with the content of", "files"),
              ("containing", "replicas"), ("part of", "workflows")],
    "jobs": [("producing", "files"), ("consuming", "files"), ("upstream of", "files"), ("downstream of", "jobs"),
             ("part of", "workflows"), ("containing", "checks")],
    "workflows": [("producing", "files"), ("consuming", "files"), ("containing", "jobs"), ("containing", "files")],
    "replicas": [("of", "files")],
    "checks": [("of", "files"), ("part of", "jobs"), ("part of", "workflows")],
}  # fmt: skip
NEWEST = {"files": ["created", "taken", "n"], "jobs": ["started", "ended", "duration"], "workflows": ["started"],
          "replicas": ["registered", "verified"], "checks": ["at"]}  # fmt: skip


class Questioner:
    """Makes up questions about one state."""

    def __init__(self, state: State, pick: Pick) -> None:
        self.state = state
        self.there = There(state)
        self.pick = pick

    def chance(self, one_in: int) -> bool:
        return bool(self.pick(range(one_in)) == one_in - 1)

    # ---- whole questions --------------------------------------------------------------------------------------------

    def question(self) -> tuple[str, dict[str, Any]]:
        """A whole question and its parameters."""
        self.parameters: dict[str, Any] = {}
        entity = self.entity()
        text = self.set(entity, 2)
        clauses = self.clauses(entity)
        if self.chance(12):
            text = f"({text}{clauses}) where {self.condition(entity, 1)}"
            clauses = self.clauses(entity)
        return f"{text}{clauses}{self.output(entity)}", self.parameters

    def entity(self) -> str:
        return str(self.pick(["files"] * 8 + ["jobs"] * 4 + ["replicas", "checks"] * 2 + ["workflows"]))

    def set(self, entity: str, depth: int) -> str:
        """A set, combined of several now and then."""
        if depth and self.chance(8):
            word = self.pick(["union", "intersect", "minus"])
            operands = [self.operand(entity, depth - 1) for _ in range(2 if word == "minus" else self.pick([2, 3]))]
            return f" {word} ".join(operands)
        return self.operand(entity, depth)

    def operand(self, entity: str, depth: int) -> str:
        """A source with a condition."""
        if entity == "files" and self.chance(25):
            source = self.pick(
                ['@good_raw(campaign = "DR3")', "@big(least = 10, most = 5)", '@good_raw(campaign = "DR2")']
            )
            return source if self.chance(2) else f"{source} where {self.condition(entity, depth)}"
        if depth and self.chance(10):
            return f"({self.set(entity, depth - 1)}{self.clauses(entity)})"
        if depth and self.chance(6):
            related = f"{entity} {self.relation(entity, depth - 1)}"
            return related if self.chance(2) else f"{related} where {self.condition(entity, 1)}"
        return f"{entity} where {self.condition(entity, depth)}" if not self.chance(14) else entity

    def clauses(self, entity: str) -> str:
        """What is done with all of a set."""
        found = []
        for _ in range(self.pick([0, 0, 0, 1, 1, 2])):
            match self.pick(["order", "limit", "latest", "order", "where"]):
                case "order":
                    sorts = [
                        f"{self.sortable(entity)}{self.pick(['', ' asc', ' desc'])}" for _ in range(self.pick([1, 2]))
                    ]
                    found.append(f"order by {', '.join(sorts)}")
                case "limit":
                    found.append(f"limit {self.pick([1, 2, 3, 5, 8])}")
                case "latest":
                    per = [self.groupable(entity) for _ in range(self.pick([1, 1, 2]))]
                    by = self.pick(["", f" by {self.pick(NEWEST[entity])}"])
                    found.append(f"latest {self.pick(['', '1 ', '2 '])}per {', '.join(per)}{by}")
                case _:
                    if found:
                        found.append(f"where {self.condition(entity, 0)}")
        return "".join(f" {clause}" for clause in found)

    def output(self, entity: str) -> str:
        """What is shown."""
        match self.pick(["", "", "show", "summarize", "all"]):
            case "show":
                items = [self.shown(entity) for _ in range(self.pick([1, 2, 3]))]
                return " show " + ", ".join(f"{item} as c{place}" for place, item in enumerate(items))
            case "all":
                return " show *"
            case "summarize":
                return self.summary(entity)
            case _:
                return ""

    def shown(self, entity: str) -> str:
        return str(self.pick([self.field(entity), self.arithmetic(entity, 1), self.condition(entity, 0)]))

    def summary(self, entity: str) -> str:
        """Groups, ordered and cut off."""
        items = []
        for place in range(self.pick([1, 2, 3])):
            function = self.pick(["count", "sum", "min", "max", "avg", "median"])
            operand = self.sortable(entity) if function in ("count", "min", "max") else self.arithmetic(entity, 1)
            items.append((f"{function}({operand})" if not self.chance(4) else "count(*)") + f" as a{place}")
        groups = list(dict.fromkeys(self.groupable(entity) for _ in range(self.pick([0, 1, 1, 2]))))
        text = f" summarize {', '.join(items)}" + (f" by {', '.join(groups)}" if groups else "")
        if groups and self.chance(2):
            text += f" order by {self.pick([*groups, 'a0'])} {self.pick(['asc', 'desc'])}"
            text += self.pick(
                [
                    "",
                    "",
                    " limit 2",
                    " limit 3 order by a0",
                    " where a0 is present",
                    f" where {groups[0]} is present",
                    f" latest 1 per {groups[0]} by a0",
                    f" show a0 as x, {groups[-1]}",
                    " where a0 = a0 show *",
                ]
            )
        return text

    # ---- names ------------------------------------------------------------------------------------------------------

    def fields(self, entity: str, *kinds: str) -> list[str]:
        """Built-in fields of some types, of the things that a row belongs to as well."""
        mine = [name for name, kind in TYPES[entity].items() if kind in kinds]
        theirs = [
            f"{path}.{name}"
            for path, end in PATHS[entity].items()
            for name, kind in TYPES[end].items()
            if kind in kinds
        ]
        return [*mine, *mine, *theirs]

    def keys(self, entity: str) -> list[str]:
        """Metadata keys."""
        mine = [self.key(entity, name) for name in self.state.keys.get(entity, {})]
        theirs = [
            f"{path}.{self.key(end, name)}"
            for path, end in PATHS[entity].items()
            for name in self.state.keys.get(end, {})
        ]
        return [*mine, *mine, *theirs]

    def key(self, entity: str, name: str) -> str:
        return f"meta.{name}" if name in TYPES[entity] else literals.key(name)

    def field(self, entity: str) -> str:
        every = self.fields(entity, "text", "integer", "size", "duration", "time", "digest", "texts")
        return str(self.pick([*every, *self.keys(entity)]))

    def sortable(self, entity: str) -> str:
        if self.chance(5):
            return self.arithmetic(entity, 1)
        return str(self.pick([*self.fields(entity, "text", "integer", "size", "duration", "time"), *self.keys(entity)]))

    def groupable(self, entity: str) -> str:
        return str(self.pick([*self.fields(entity, "text", "integer"), *self.keys(entity)]))

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, entity: str, depth: int) -> str:
        """One leaf, or some of them."""
        if depth and self.chance(3):
            match self.pick(["and", "or", "or", "not", "not", "relation", "relation"]):
                case "not":
                    return f"not ({self.condition(entity, depth - 1)})"
                case "relation":
                    return self.pick(["", "not "]) + self.relation(entity, depth - 1)
                case word:
                    return (
                        "("
                        + f" {word} ".join(self.condition(entity, depth - 1) for _ in range(self.pick([2, 2, 3])))
                        + ")"
                    )
        return self.leaf(entity)

    def relation(self, entity: str, depth: int) -> str:
        """A relation to a set of another kind or the same."""
        word, other = self.pick(RELATIONS[entity])
        steps = (
            self.pick(["", "", " within 1 step", " within 2 steps", " within 2..3 steps"]) if "stream" in word else ""
        )
        return f"{word} ({self.set(other, depth) if self.chance(2) else f'{other} where {self.leaf(other)}'}){steps}"

    def leaf(self, entity: str) -> str:
        """One question about one field, of the right kind mostly."""
        if self.chance(30):
            return f"{self.field(entity)} {self.pick(COMPARISONS)} {self.literal(self.field(entity), entity)}"
        if self.chance(12):
            return f"{self.field(entity)} is {self.pick(['missing', 'present', 'not missing'])}"
        keys = self.keys(entity)
        if keys and self.chance(2):
            return self.about_key(entity, self.pick(keys))
        kind = self.pick(
            ["text", "text", "integer", "size", "duration", "time", "time", "digest", "texts", "arithmetic"]
        )
        if kind == "arithmetic":
            return f"{self.arithmetic(entity, 2)} {self.pick(COMPARISONS)} {self.arithmetic(entity, 1)}"
        fields = self.fields(entity, kind) or self.fields(entity, "text")
        return self.about(entity, self.pick(fields))

    def about(self, entity: str, field: str) -> str:
        """A built-in field."""
        kind, values = self.there.known(entity, field)
        if kind == "texts":
            return self.listed(field, [literals.quoted(each) for value in values for each in value] or ['"tape"'])
        if not values:
            return f"{field} is missing"
        writing = {
            "integer": literals.number,
            "size": literals.size,
            "duration": literals.duration,
            "time": literals.time,
        }
        if kind in writing:
            return self.compared(entity, field, [writing[kind](self.pick(values), self.pick) for _ in range(3)], kind)
        if kind == "digest":
            return self.of_digest(field, [value.hex() for value in values])
        return self.of_text(entity, field, values)

    def about_key(self, entity: str, field: str) -> str:
        """A metadata key, in one of the forms that its values have; in a form that they have not, now and then."""
        _, values = self.there.known(entity, field)
        if not values:
            return f"{field} is present"
        said = [self.pick(values) for _ in range(3)]
        shown = [self.written(each) for each in said]
        if any(isinstance(value, tuple) for value in self.there.sayings(entity, field)) and not self.chance(8):
            return self.listed(field, shown)
        if said[0].truth is not None:
            return str(self.pick([field, f"not {field}", f"{field} = {shown[0]}", f"{field} != true"]))
        if said[0].number is not None or said[0].time is not None:
            return self.compared(entity, field, shown, "number" if said[0].number is not None else "time")
        return self.of_text(entity, field, [each.text for each in said])

    def of_text(self, entity: str, field: str, values: Sequence[str]) -> str:
        one, two = literals.quoted(self.pick(values)), literals.quoted(self.pick(values))
        no = self.pick(["", "", "not "])
        return str(self.pick([
            f"{field} {self.pick(COMPARISONS)} {one}", f"{field} {no}in ({one}, {two})", f"{field} {no}in ({one}, {two}, \"x\")",
            f"{field} {no}like {literals.quoted(literals.glob(self.pick(values), self.pick))}",
            f"{field} {no}matches {literals.regex(self.pick(values), self.pick)}", f"{field} {no}between {one} and {two}",
            f"{field} {self.pick(COMPARISONS)} {self.given(self.pick(values))}", f"{field} in {self.given(list(values)[:3])}",
            f"{field} {self.pick(COMPARISONS)} {self.pick([*self.fields(entity, 'text'), *self.keys(entity)])}",
        ]))  # fmt: skip

    def of_digest(self, field: str, values: Sequence[str]) -> str:
        one = self.pick(values)
        return str(self.pick([
            f'{field} {self.pick(["=", "!="])} "{one}"', f'{field} = "sha256:{one.upper()}"', f'{field} like "{one[:4]}*"',
            f'{field} {self.pick(["", "not "])}in ("{one}", "{self.pick(values)}")', f"{field} = {self.given(one)}",
        ]))  # fmt: skip

    def compared(self, entity: str, field: str, shown: Sequence[str], kind: str) -> str:
        """Numbers and times: compared, in ranges, in lists."""
        low, high = sorted(shown[:2])
        no = self.pick(["", "", "not "])
        choices = [f"{field} {self.pick(COMPARISONS)} {shown[0]}", f"{shown[0]} {self.pick(COMPARISONS)} {field}",
                   f"{field} {no}between {low} and {high}", f"{field} {self.pick(COMPARISONS)} {shown[1]}"]  # fmt: skip
        if not any(set(each) & set("+") or " - " in each for each in shown):
            choices += [f"{field} {no}in {low}..{high}", f"{field} {no}in ({', '.join(shown)})"]
            choices.append(f"{field} {self.pick(COMPARISONS)} {self.given(shown[0])}")
        if kind == "time":
            choices.append(f"{field} {self.pick(COMPARISONS)} {self.pick(self.fields(entity, 'time') or ['now'])}")
        return str(self.pick(choices))

    def listed(self, field: str, shown: Sequence[str]) -> str:
        one, two = self.pick(shown), self.pick(shown)
        no = self.pick(["", "", "not "])
        return str(
            self.pick(
                [f"{field} {no}has {one}", f"{field} {no}has any ({one}, {two})", f"{field} {no}has all ({one}, {two})"]
            )
        )

    def given(self, value: Any) -> str:
        """The same as a parameter."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    # ---- values -----------------------------------------------------------------------------------------------------

    def written(self, said: Any) -> str:
        """A value of metadata as a literal of its typed form."""
        if said.truth is not None:
            return str(said.truth).lower()
        if said.number is not None:
            return literals.number(said.number, self.pick)
        return literals.plain_time(said.time, self.pick) if said.time is not None else literals.quoted(said.text)

    def literal(self, field: str, entity: str) -> str:
        """Whatever may be compared with a field: nobody says that it makes sense."""
        kind, values = self.there.known(entity, field)
        value = self.pick(values) if values else "raw"
        if kind == "key" and values:
            return self.written(value)
        return str(self.pick(["5", "2 GiB", "3 h", "true", "2026-05", literals.quoted(str(value)), f"{NOW:%Y-%m-%d}"]))

    def arithmetic(self, entity: str, depth: int) -> str:
        """Numbers and durations in calculations."""
        if depth and not self.chance(3):
            one, other = self.arithmetic(entity, depth - 1), self.arithmetic(entity, depth - 1)
            return f"({one} {self.pick('+-*/%')} {other})" if not self.chance(10) else f"-{one}"
        numbers = [*self.fields(entity, "integer"), *self.fields(entity, "duration", "size")[:2]]
        numbers += [key for key in self.keys(entity) if key.strip("`").rpartition(".")[2] in _NUMBERS]
        times = [f"({one} - {other})" for one in self.fields(entity, "time")[:2] for other in ("now", "2026-05-01")]
        return str(self.pick([*numbers, *numbers, "2", "3", "0.5", "-7", "9007199254740993", "10", *times]))


_NUMBERS = {"n", "run", "detector_temp", "größe", "exposure id", "memory_requested", "tract", "version", "mixed"}


def as_of(pick: Pick, commits: int, times: Sequence[dt.datetime]) -> tuple[str, dict[str, Any]]:
    """An end of a question about the past, and its parameters."""
    match pick(["commit", "time", "given"]):
        case "commit":
            return f" as of commit {pick(range(1, commits + 1))}", {}
        case "time":
            return f" as of {pick(times):%Y-%m-%dT%H:%M:%S.%f}Z", {}
        case _:
            return " as of $then", {"then": pick(times)}
