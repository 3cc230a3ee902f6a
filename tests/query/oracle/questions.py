"""Makes up questions about a world: every operator, on every form, about values that are there, missing or mixed.

``pick`` takes one of a sequence; all chance is in it, so that Hypothesis can find the shortest question that fails.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tests.query.oracle.entities import State
from tests.query.oracle.leaves import Leaves
from tests.query.oracle.literals import Pick

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
        self.leaves = Leaves(state, pick)
        self.pick = pick

    # ---- whole questions --------------------------------------------------------------------------------------------

    def question(self) -> tuple[str, dict[str, Any]]:
        """A whole question and its parameters."""
        entity = self.entity()
        text = self.set(entity, 2)
        clauses = self.clauses(entity)
        if self.leaves.chance(12):
            text = f"({text}{clauses}) where {self.condition(entity, 1)}"
            clauses = self.clauses(entity)
        return f"{text}{clauses}{self.output(entity)}", self.leaves.parameters

    def entity(self) -> str:
        return str(self.pick(["files"] * 8 + ["jobs"] * 4 + ["replicas", "checks"] * 2 + ["workflows"]))

    def set(self, entity: str, depth: int) -> str:
        """A set, combined of several now and then."""
        if depth and self.leaves.chance(8):
            word = self.pick(["union", "intersect", "minus"])
            operands = [self.operand(entity, depth - 1) for _ in range(2 if word == "minus" else self.pick([2, 3]))]
            return f" {word} ".join(operands)
        return self.operand(entity, depth)

    def operand(self, entity: str, depth: int) -> str:
        """A source with a condition."""
        if entity == "files" and self.leaves.chance(25):
            source = self.pick(
                ['@good_raw(campaign = "DR3")', "@big(least = 10, most = 5)", '@good_raw(campaign = "DR2")']
            )
            return source if self.leaves.chance(2) else f"{source} where {self.condition(entity, depth)}"
        if depth and self.leaves.chance(10):
            return f"({self.set(entity, depth - 1)}{self.clauses(entity)})"
        if depth and self.leaves.chance(6):
            related = f"{entity} {self.relation(entity, depth - 1)}"
            return related if self.leaves.chance(2) else f"{related} where {self.condition(entity, 1)}"
        return f"{entity} where {self.condition(entity, depth)}" if not self.leaves.chance(14) else entity

    def clauses(self, entity: str) -> str:
        """What is done with all of a set."""
        found = []
        for _ in range(self.pick([0, 0, 0, 1, 1, 2])):
            match self.pick(["order", "limit", "latest", "order", "where"]):
                case "order":
                    sorts = [
                        f"{self.leaves.sortable(entity)}{self.pick(['', ' asc', ' desc'])}"
                        for _ in range(self.pick([1, 2]))
                    ]
                    found.append(f"order by {', '.join(sorts)}")
                case "limit":
                    found.append(f"limit {self.pick([1, 2, 3, 5, 8])}")
                case "latest":
                    per = [self.leaves.groupable(entity) for _ in range(self.pick([1, 1, 2]))]
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
        return str(self.pick([self.leaves.field(entity), self.leaves.arithmetic(entity, 1), self.condition(entity, 0)]))

    def summary(self, entity: str) -> str:
        """Groups, ordered and cut off."""
        items = []
        for place in range(self.pick([1, 2, 3])):
            function = self.pick(["count", "sum", "min", "max", "avg", "median"])
            operand = (
                self.leaves.sortable(entity)
                if function in ("count", "min", "max")
                else self.leaves.arithmetic(entity, 1)
            )
            items.append((f"{function}({operand})" if not self.leaves.chance(4) else "count(*)") + f" as a{place}")
        groups = list(dict.fromkeys(self.leaves.groupable(entity) for _ in range(self.pick([0, 1, 1, 2]))))
        text = f" summarize {', '.join(items)}" + (f" by {', '.join(groups)}" if groups else "")
        if groups and self.leaves.chance(2):
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

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, entity: str, depth: int) -> str:
        """One leaf, or some of them."""
        if depth and self.leaves.chance(3):
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
        return self.leaves.leaf(entity)

    def relation(self, entity: str, depth: int) -> str:
        """A relation to a set of another kind or the same."""
        word, other = self.pick(RELATIONS[entity])
        steps = (
            self.pick(["", "", " within 1 step", " within 2 steps", " within 2..3 steps"]) if "stream" in word else ""
        )
        return f"{word} ({self.set(other, depth) if self.leaves.chance(2) else f'{other} where {self.leaves.leaf(other)}'}){steps}"


def as_of(pick: Pick, commits: int, times: Sequence[dt.datetime]) -> tuple[str, dict[str, Any]]:
    """An end of a question about the past, and its parameters."""
    match pick(["commit", "time", "given"]):
        case "commit":
            return f" as of commit {pick(range(1, commits + 1))}", {}
        case "time":
            return f" as of {pick(times):%Y-%m-%dT%H:%M:%S.%f}Z", {}
        case _:
            return " as of $then", {"then": pick(times)}
