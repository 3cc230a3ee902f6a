"""What can be asked at all: every name is known, and every comparison is of things that have a form in common.

Only this module refuses questions for their meaning; the evaluator takes what has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from query import tree
from tests.query.oracle.entities import State, elements
from tests.query.oracle.scalars import Forms, Refused, moment, quantity, reading
from tests.query.oracle.things import PATHS

UNITS = ("size", "duration")
_FORMS = {"text": "text", "time": "time", "digest": "digest"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an expression is. ``form``: text, number, truth, time, digest; None: whatever is asked (metadata, and a
    parameter that reads like a literal). ``dimension``: size, duration, plain; None fits all. ``has``: how many
    values of a metadata key have each form.
    """

    form: str | None
    dimension: str | None = None
    constant: bool = False
    field: bool = False
    many: bool = False
    has: Mapping[str, int] | None = None
    outside: Forms | None = None

    @property
    def metadata(self) -> bool:
        return self.has is not None


@dataclass(frozen=True, slots=True)
class Given:
    """An argument of a saved query: a literal already."""

    kind: Kind
    forms: Forms


@dataclass(slots=True)
class Kinds:
    """Looks at expressions about rows of one entity."""

    state: State
    entity: str
    parameters: Mapping[str, Any]

    # ---- names ------------------------------------------------------------------------------------------------------

    def target(self, name: tree.Name) -> tuple[list[str], str, str, bool]:
        """(path, entity at its end, field or key, whether it is metadata) of a name as written."""
        path, entity, parts = [], self.entity, list(name.parts)
        while len(parts) > 1 and not parts[0].quoted and parts[0].text in PATHS[entity]:
            path.append(parts[0].text)
            entity = PATHS[entity][parts.pop(0).text]
        if parts[0].text == "meta" and not parts[0].quoted and len(parts) > 1:
            return path, entity, ".".join(part.text for part in parts[1:]), True
        key = ".".join(part.text for part in parts)
        if entity == "groups":
            return path, entity, key, self.state.types[entity][key] == "key"
        return path, entity, key, parts[0].quoted or key not in self.state.types[entity]

    def name(self, name: tree.Name) -> Kind:
        """A field or a key that the store has seen."""
        _, entity, key, metadata = self.target(name)
        if not metadata:
            return _built_in(self.state.types[entity][key])
        if key not in self.state.keys.get(entity, {}):
            raise Refused(f"no such key: {key}")
        said = self.state.keys[entity][key]
        values = [each for value in said for each in elements(value)]
        has = {
            "text": len(values),
            "number": sum(each.number is not None for each in values),
            "truth": sum(each.truth is not None for each in values),
            "time": sum(each.time is not None for each in values),
            "lists": sum(isinstance(value, tuple) for value in said),
            "things": sum(value is not None for value in said),
        }
        return Kind(None, field=True, has=has, many=0 < has["lists"] == has["things"])

    # ---- values -----------------------------------------------------------------------------------------------------

    def of(self, node: Any) -> Kind:
        """What an expression is; Refused for one without a meaning."""
        match node:
            case tree.Quantity(number=number, unit=unit):
                return Kind("number", quantity(number, unit)[1], constant=True)
            case tree.Text():
                return Kind("text", constant=True)
            case tree.Boolean():
                return Kind("truth", constant=True)
            case tree.Time(written=written):
                moment(written)
                return Kind("time", constant=True)
            case tree.Now():
                return Kind("time", constant=True)
            case tree.Parameter(name=name):
                return self.parameter(name)
            case tree.Name():
                return self.name(node)
            case tree.Sign(operand=operand):
                return self.signed(self.of(operand))
            case tree.Arithmetic(operator=operator, left=left, right=right):
                return self.arithmetic(operator, settled(self.of(left), None), settled(self.of(right), None))
            case _:
                raise Refused("a value is expected here")

    def parameter(self, name: str) -> Kind:
        """A parameter for one value."""
        if name not in self.parameters:
            raise Refused(f"no value for ${name}")
        value = self.parameters[name]
        if isinstance(value, list):
            raise Refused(f"${name} is a list")
        return outside(value)

    def signed(self, operand: Kind) -> Kind:
        """`-x`."""
        if operand.constant:
            found = settled(operand, None)
            if found.form != "number":
                raise Refused("a sign needs a number")
            return found
        return self.arithmetic("-", Kind("number", constant=True), operand)

    def arithmetic(self, operator: str, left: Kind, right: Kind) -> Kind:
        """Numbers, or times and durations."""
        left_time, right_time = _is_time(left), _is_time(right)
        if "time" in (left.form, right.form) or (left_time and right_time):
            return self.of_times(operator, left, right, left_time, right_time)
        for side in (left, right):
            self.ask(side, "number")
        constant = left.constant and right.constant
        return Kind("number", _dimension(operator, left.dimension, right.dimension), constant=constant)

    def of_times(self, operator: str, left: Kind, right: Kind, left_time: bool, right_time: bool) -> Kind:
        """Time - time, time ± duration."""
        constant = left.constant and right.constant
        if operator == "-" and left_time and right_time:
            self.ask(left, "time")
            self.ask(right, "time")
            return Kind("number", "duration", constant=constant)
        if operator == "+" and right_time and not left_time:
            left, right, left_time, right_time = right, left, True, False
        if operator not in "+-" or not left_time or right.form == "time":
            raise Refused("times are moved by durations and subtracted")
        self.ask(left, "time")
        self.ask(right, "number")
        if not right.metadata and right.dimension != "duration":
            raise Refused("a time is moved by a duration")
        return Kind("time", constant=constant)

    def ask(self, kind: Kind, form: str) -> None:
        """Refused unless a value of this kind can have ``form``; a list has several, so it has none."""
        if kind.many or (kind.metadata and kind.has is not None and 0 < kind.has["lists"] == kind.has["things"]):
            raise Refused("a list has no single value")
        if kind.metadata:
            self.ask_elements(kind, form)
        elif kind.form != form and not (kind.form == "digest" and form == "text"):
            raise Refused(f"{kind.form} is asked for {form}")

    def ask_elements(self, kind: Kind, form: str) -> None:
        """Refused if no value of a key has ``form``."""
        assert kind.has is not None
        if kind.has["text"] and not kind.has["text" if form == "digest" else form]:
            raise Refused(f"no value has the form {form}")

    # ---- comparisons ------------------------------------------------------------------------------------------------

    def common(self, operator: str, left: Kind, right: Kind) -> str | None:
        """The form that two sides are compared in; None: two keys, decided for each row."""
        if left.constant and right.constant:
            raise Refused("this comparison is about no field")
        left, right = settled(left, right.form), settled(right, left.form)
        if left.many or right.many:
            raise Refused("a comparison with a list")
        form = left.form if left.form is not None else right.form
        if form is None:
            return None
        if {left.form, right.form} == {"text", "digest"}:
            form = "digest"
        self.ask(left, "text" if left.form == "text" and form == "digest" else form)
        self.ask(right, "text" if right.form == "text" and form == "digest" else form)
        if {left.dimension, right.dimension} == set(UNITS):
            raise Refused("a size with a duration")
        for one, other in ((left, right), (right, left)):
            if one.field and one.dimension == "plain" and other.constant and other.dimension in UNITS:
                raise Refused("a plain number with a unit")
        if form == "truth" and operator not in ("=", "!="):
            raise Refused("true and false have no order")
        return form


def outside(value: Any) -> Kind:
    """A parameter: text is what it reads like, or text where text is asked for."""
    match value:
        case Given(kind=kind):
            return kind
        case bool():
            return Kind("truth", constant=True)
        case int() | float():
            return Kind("number", constant=True)
        case str():
            found = reading(value)
            return (
                Kind("text", constant=True) if found is None else Kind(None, found[1], constant=True, outside=found[0])
            )
        case _:
            return Kind("time", constant=True)


def settled(kind: Kind, other: str | None) -> Kind:
    """A parameter's text beside something of form ``other``."""
    if kind.outside is None:
        return kind
    if other in ("text", "digest"):
        return Kind("text", constant=True)
    form = next(form for form in ("number", "truth", "time") if getattr(kind.outside, form) is not None)
    return replace(kind, form=form, outside=None)


def _built_in(kind: str) -> Kind:
    if kind == "texts":
        return Kind("text", field=True, many=True)
    dimension = kind if kind in UNITS else "plain" if kind == "integer" else None
    return Kind(_FORMS.get(kind, "number"), dimension, field=True)


def _is_time(kind: Kind) -> bool:
    """A key is taken for times where it has times and no numbers."""
    if kind.has is not None:
        return kind.has["time"] > 0 and kind.has["number"] == 0
    return kind.form == "time"


def _dimension(operator: str, one: str | None, other: str | None) -> str | None:
    plain = (None, "plain")
    if operator in "+-%":
        if {one, other} == set(UNITS):
            raise Refused("a size and a duration")
        return other if one in plain else one
    if operator == "*":
        return one if other in plain else other if one in plain else "plain"
    return one if other in plain else "plain"
