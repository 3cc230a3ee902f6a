"""The query of a selection, as planning asks it: with the parameters that it takes, at the moment of the plan, of files
that can be read. A metadata key that the store has never seen is no match and a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planner.planned import Plan
from planner.workflow import Selection
from provenance.answers.ask import Answer, WithoutCondition, answer, without_conditions
from provenance.identity import FileId
from query.errors import QueryError
from query.selection import READABLE

_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class SelectionQuery:
    """A selection of a plan; ``given`` are the values of the command line that it takes, over those of its own."""

    plan: Plan
    selection: Selection
    given: Mapping[str, object]

    @classmethod
    def of(cls, plan: Plan, selection: Selection) -> SelectionQuery:
        """That of a selection, with what the plan's request has for its parameters."""
        known = {*selection.params, *parameters_named(selection.query)}
        given = {name: value for name, value in plan.request.parameters.items() if name in known}
        return cls(plan, selection, given)

    @property
    def parameters(self) -> dict[str, object]:
        """The values that it is asked with, by name."""
        return {**self.selection.params, **self.given}

    def ask(self, statuses: tuple[str, ...] = READABLE) -> Answer:
        """What it chooses of the files of ``statuses``, to be read by `chosen_files`. Raises QueryError."""
        try:
            return answer(
                self.plan.request.store,
                self.selection.query,
                self.parameters,
                now=self.plan.planned,
                unknown_keys="no match",
                readable_only=True,
                statuses=statuses,
                keys=True,
            )
        except QueryError as error:
            error.add_note(f"in the query of selection {self.selection.name!r} ({self.selection.query_place})")
            raise

    def without_conditions(self) -> list[WithoutCondition]:
        """For each of its conditions: how many files it would choose without that one."""
        return without_conditions(
            self.plan.request.store,
            self.selection.query,
            self.parameters,
            now=self.plan.planned,
            unknown_keys="no match",
            readable_only=True,
        )


def chosen_files(asked: Answer) -> list[FileId]:
    """The files of an answer, each as often as it has rows."""
    return [(int(key[0]), int(key[1])) for key, _ in asked.keyed_rows()]


def parameters_named(query: str) -> set[str]:
    """The names of parameters in a query; those in a text or a comment too: rather one too many than one too few."""
    return set(_PARAMETER.findall(query))
