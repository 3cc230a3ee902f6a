"""The smallest questions: one operator about one field, on every form, about values that are there, missing or mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.query.oracle import literals
from tests.query.oracle.entities import State
from tests.query.oracle.literals import Pick
from tests.query.oracle.pools import NOW
from tests.query.oracle.there import There
from tests.query.oracle.things import PATHS, TYPES

COMPARISONS = ["=", "!=", "<", "<=", ">", ">=", "==", "<>"]

_NUMBERS = {"n", "run", "detector_temp", "größe", "exposure id", "memory_requested", "tract", "version", "mixed"}


class Leaves:
    """Makes up conditions and calculations; ``parameters`` are those that they were given."""

    def __init__(self, state: State, pick: Pick) -> None:
        self.state = state
        self.there = There(state)
        self.pick = pick
        self.parameters: dict[str, Any] = {}

    def chance(self, one_in: int) -> bool:
        return bool(self.pick(range(one_in)) == one_in - 1)

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
