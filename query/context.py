"""What a resolution is given, what it finds out on the way, and how it says that something is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn

from query import literals, tree
from query.errors import QueryMeaningError, Span, did_you_mean
from query.literals import BadLiteral, Constant
from query.vocabulary import Entity, EntityTable, FieldType, MetadataKey, Vocabulary


@dataclass
class Context:
    """One resolution.

    ``outside`` are the parameters as handed over; ``saved`` the names of the saved queries, each in the one before it,
    whose ``text`` this is; ``opened`` all that were put in place of their names; ``shown_as`` what columns that were
    given a name show.
    """

    text: str
    vocabulary: Vocabulary
    outside: Mapping[str, object]
    now: dt.datetime
    unknown_keys: Literal["error", "no match"] = "error"
    saved: tuple[str, ...] = ()
    notes: dict[str, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)
    shown_as: dict[str, str] = field(default_factory=dict)
    _keys: dict[tuple[Entity, str], MetadataKey | None] = field(default_factory=dict)

    def table(self, entity: Entity) -> EntityTable:
        """How rows of ``entity`` are found."""
        return self.vocabulary.table(entity)

    def key(self, entity: Entity, key: str) -> MetadataKey | None:
        """What is known of a metadata key; asked of the vocabulary once."""
        if (entity, key) not in self._keys:
            self._keys[entity, key] = self.vocabulary.metadata_key(entity, key)
        return self._keys[entity, key]

    def inside(self, name: str, text: str) -> Context:
        """The context in which the saved query ``name`` is read: its own text, the names of those it is in."""
        return replace(self, text=text, saved=(*self.saved, name))

    def note(self, message: str) -> None:
        """Something worth knowing; said once."""
        self.notes[message] = None

    def warn(self, message: str) -> None:
        """Something that may make the answer another than the one meant; said once."""
        self.warnings[message] = None

    def fail(self, message: str, span: Span, hint: str | None = None) -> NoReturn:
        """Raise QueryMeaningError at ``span``."""
        raise QueryMeaningError(message, text=self.text, span=span, hint=hint)

    def handed_over(self, parameter: tree.Parameter) -> object:
        """The value of a parameter, as it came. An unknown one is an error."""
        if parameter.name not in self.outside:
            near = did_you_mean(parameter.name, self.outside)
            hint = f"did you mean ${near}?" if near else f"give it with -p {parameter.name}=VALUE, or under params"
            self.fail(f"no value for ${parameter.name}", parameter.span, hint)
        self.used.add(parameter.name)
        return self.outside[parameter.name]

    def parameter(self, parameter: tree.Parameter) -> Constant:
        """The value of a parameter where one value is meant."""
        value = self.handed_over(parameter)
        if literals.is_list(value):
            self.fail(
                f"${parameter.name} is a list, and one value is expected here",
                parameter.span,
                "lists go after in and has any",
            )
        return self.constant(value, parameter)

    def constant(self, value: object, parameter: tree.Parameter) -> Constant:
        """A value from outside as a constant."""
        if isinstance(
            value, literals.Number | literals.TextValue | literals.Truth | literals.Moment | literals.FromOutside
        ):
            return value  # an argument of a saved query: it was a literal
        try:
            constant = literals.constant(value)
        except BadLiteral as error:
            self.fail(f"${parameter.name}: {error}", parameter.span, error.hint)
        return self.checked(constant, parameter.span)

    def checked(self, constant: Constant, span: Span) -> Constant:
        """``constant``, if it can travel to the engine: text must be Unicode without lone surrogates."""
        text = constant.value if isinstance(constant, literals.TextValue) else getattr(constant, "text", "")
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(
                "this text holds bytes that are no Unicode", span, "no stored text can equal it; use like with ? there"
            )
        return constant


ENTITY_WORDS: dict[str, Entity] = {entity.value: entity for entity in Entity if entity is not Entity.GROUPS}
NUMERIC = {FieldType.INTEGER, FieldType.FLOAT, FieldType.SIZE, FieldType.DURATION}


def amount(count: int, noun: str) -> str:
    """`1 204 311 files`, `1 value`."""
    return f"{count:,}".replace(",", " ") + f" {noun[:-1] if count == 1 and noun.endswith('s') else noun}"
