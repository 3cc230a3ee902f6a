"""The resolved tree: every name is a built-in field or a metadata key, every comparison knows the form it asks for.

This is what plans and saved queries keep, and all that `query.sql` sees. Nodes are frozen; labels are the words of the
user, for messages that come with the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from query.literals import Dimension, Moment, Number, TextValue, Truth
from query.vocabulary import Entity, FieldType


class Form(Enum):
    """What two sides of a comparison are compared as."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"
    DIGEST = "digest"
    COMMON = "common"  # two metadata values: the first of number, time, boolean, text that both have


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A built-in field, reached over ``path`` (names of many-to-one paths; empty: of the row itself)."""

    path: tuple[str, ...]
    name: str
    type: FieldType
    label: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """A metadata key of ``entity`` (the value of `metadata.entity`), reached over ``path``.

    ``seen`` False: the store does not know the key, so it is missing everywhere. ``sorts_as`` is the form that orders
    it.
    """

    path: tuple[str, ...]
    entity: str
    key: str
    seen: bool
    sorts_as: Form
    label: str


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``operator`` `+ - * / %` on numbers, or `+ -` with a time on the left; ``form`` NUMBER or TIME."""

    operator: str
    left: Value
    right: Value
    form: Form
    dimension: Dimension | None


Constant = Number | TextValue | Truth | Moment
Value = BuiltIn | Metadata | Arithmetic | Constant


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``; a constant, if there is one, is on the right."""

    operator: str
    left: Value
    right: Value
    form: Form


@dataclass(frozen=True, slots=True)
class OneOf:
    """Equal to one of ``constants``; ``negated``: unequal to each, and present."""

    operand: Value
    constants: tuple[Constant, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Like:
    """A glob over the whole text."""

    operand: Value
    pattern: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Matches:
    """An RE2 search."""

    operand: Value
    pattern: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value."""

    operand: Value


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value."""

    operand: Value


@dataclass(frozen=True, slots=True)
class Has:
    """A list (or a single value) holds any or ``every`` one of ``constants``."""

    operand: BuiltIn | Metadata
    constants: tuple[Constant, ...]
    every: bool
    negated: bool


@dataclass(frozen=True, slots=True)
class IsTrue:
    """The bool form is true."""

    operand: Value


@dataclass(frozen=True, slots=True)
class Not:
    """The exact complement."""

    operand: Condition


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """The row stands in the relation ``word`` to a row of ``query``; ``steps``: from, to, both included."""

    word: str
    query: Query
    steps: tuple[int, int] | None


Condition = Compare | OneOf | Like | Matches | Missing | Present | Has | IsTrue | Not | And | Or | Related


@dataclass(frozen=True, slots=True)
class All:
    """All rows of ``entity``."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class Operand:
    """The rows of ``source`` for which ``where`` holds."""

    source: All | Query
    where: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class SetOperation:
    """``operator`` union | intersect | minus."""

    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """A further condition."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest ``count`` rows of each group."""

    count: int
    per: tuple[BuiltIn | Metadata, ...]
    by: BuiltIn | Metadata


@dataclass(frozen=True, slots=True)
class Sort:
    """Missing values come last in both directions."""

    operand: Value
    descending: bool


@dataclass(frozen=True, slots=True)
class Order:
    """By the first, then by the next; then by the order that was there before, then by the id."""

    sorts: tuple[Sort, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The first ``count`` rows."""

    count: int


@dataclass(frozen=True, slots=True)
class AllMetadata:
    """The whole metadata of the row as one object (of `show *`)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the answer."""

    name: str
    content: Value | Condition | AllMetadata


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``function`` count | sum | min | max | avg | median; ``operand`` None: of `count(*)`."""

    name: str
    function: str
    operand: Value | None


@dataclass(frozen=True, slots=True)
class OutputSort:
    """Order of a summary by the column at ``position``."""

    position: int
    descending: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """One row for each group; missing values are a group of their own."""

    groups: tuple[Column, ...]
    aggregates: tuple[Aggregate, ...]
    sorts: tuple[OutputSort, ...] = ()
    limit: int | None = None


Clause = Where | Latest | Order | Limit


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of ``entity``."""

    entity: Entity
    rows: Operand | SetOperation
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A whole query: its rows and what is shown of them."""

    query: Query
    output: tuple[Column, ...] | Summary
