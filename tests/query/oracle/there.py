"""Values that are there: what a question about a field can be about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.query.oracle.entities import State, elements
from tests.query.oracle.things import DESCRIBED, PATHS, TYPES, Thing


@dataclass(frozen=True, slots=True)
class There:
    """What a state holds."""

    state: State

    def end(self, entity: str, field: str) -> tuple[str, str, list[Thing]]:
        """(entity, name, things) at the end of a path."""
        first, _, rest = field.partition(".")
        if rest and first in PATHS[entity]:
            return self.end(PATHS[entity][first], rest)
        return entity, field, list(self.state.things[entity].values())

    def sayings(self, entity: str, field: str) -> list[Any]:
        end, name, _ = self.end(entity, field)
        return self.state.keys[end][name.removeprefix("meta.").strip("`")] if end in DESCRIBED else []

    def known(self, entity: str, field: str) -> tuple[str, list[Any]]:
        """(type, values that there are) of a built-in field, or ("key", values) of a metadata key."""
        end, name, things = self.end(entity, field)
        if name in TYPES[end]:
            return TYPES[end][name], [thing.fields[name] for thing in things if thing.fields[name] is not None]
        return "key", [each for value in self.sayings(entity, field) for each in elements(value)]
