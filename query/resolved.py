"""The resolved tree: every name is a built-in field or a metadata key, every comparison knows the form it asks for.

This is what plans and saved queries keep, and all that `query.sql` sees. Nodes are frozen; labels are the words of the
user, for messages that come with the answer.
"""

from __future__ import annotations

from enum import Enum

from query.frozen import Frozen, frozen
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


@frozen
class BuiltIn(Frozen):
    """A built-in field, reached over ``path`` (names of many-to-one paths; empty: of the row itself)."""

    path: tuple[str, ...]
    name: str
    type: FieldType
    label: str


@frozen
class Metadata(Frozen):
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


@frozen
class Arithmetic(Frozen):
    """``operator`` `+ - * / %` on numbers, or `+ -` with a time on the left; ``form`` NUMBER or TIME."""

    operator: str
    left: Value
    right: Value
    form: Form
    dimension: Dimension | None


Constant = Number | TextValue | Truth | Moment
Value = BuiltIn | Metadata | Arithmetic | Constant


@frozen
class Compare(Frozen):
    """``left operator right``; a constant, if there is one, is on the right."""

    operator: str
    left: Value
    right: Value
    form: Form


@frozen
class OneOf(Frozen):
    """Equal to one of ``constants``; ``negated``: unequal to each, and present."""

    operand: Value
    constants: tuple[Constant, ...]
    negated: bool


@frozen
class Like(Frozen):
    """A glob over the whole text."""

    operand: Value
    pattern: str
    negated: bool


@frozen
class Matches(Frozen):
    """An RE2 search."""

    operand: Value
    pattern: str
    negated: bool


@frozen
class Missing(Frozen):
    """There is no value."""

    operand: Value


@frozen
class Present(Frozen):
    """There is a value."""

    operand: Value


@frozen
class Has(Frozen):
    """A list (or a single value) holds any or ``every`` one of ``constants``."""

    operand: BuiltIn | Metadata
    constants: tuple[Constant, ...]
    every: bool
    negated: bool


@frozen
class IsTrue(Frozen):
    """The bool form is true."""

    operand: Value


@frozen
class Not(Frozen):
    """The exact complement."""

    operand: Condition


@frozen
class And(Frozen):
    """All of them."""

    operands: tuple[Condition, ...]


@frozen
class Or(Frozen):
    """At least one of them."""

    operands: tuple[Condition, ...]


@frozen
class Related(Frozen):
    """The row stands in the relation ``word`` to a row of ``query``; ``steps``: from, to, both included."""

    word: str
    query: Query
    steps: tuple[int, int] | None


Condition = Compare | OneOf | Like | Matches | Missing | Present | Has | IsTrue | Not | And | Or | Related


@frozen
class All(Frozen):
    """All rows of ``entity``."""

    entity: Entity


@frozen
class Operand(Frozen):
    """The rows of ``source`` for which ``where`` holds."""

    source: All | Query
    where: tuple[Condition, ...]


@frozen
class SetOperation(Frozen):
    """``operator`` union | intersect | minus."""

    operator: str
    operands: tuple[Operand, ...]


@frozen
class Where(Frozen):
    """A further condition."""

    conditions: tuple[Condition, ...]


@frozen
class Latest(Frozen):
    """The newest ``count`` rows of each group."""

    count: int
    per: tuple[BuiltIn | Metadata, ...]
    by: BuiltIn | Metadata


@frozen
class Sort(Frozen):
    """Missing values come last in both directions."""

    operand: Value
    descending: bool


@frozen
class Order(Frozen):
    """By the first, then by the next; then by the order that was there before, then by the id."""

    sorts: tuple[Sort, ...]


@frozen
class Limit(Frozen):
    """The first ``count`` rows."""

    count: int


@frozen
class AllMetadata(Frozen):
    """The whole metadata of the row as one object (of `show *`)."""


@frozen
class Column(Frozen):
    """A column of the answer."""

    name: str
    content: Value | Condition | AllMetadata


@frozen
class Aggregate(Frozen):
    """``function`` count | sum | min | max | avg | median; ``operand`` None: of `count(*)`."""

    name: str
    function: str
    operand: Value | None


Clause = Where | Latest | Order | Limit


@frozen
class Summary(Frozen):
    """One row for each group; missing values are a group of their own.

    ``clauses`` and ``columns`` (what is shown) are about these rows: entity GROUPS, fields called as the columns are.
    """

    groups: tuple[Column, ...]
    aggregates: tuple[Aggregate, ...]
    clauses: tuple[Clause, ...] = ()
    columns: tuple[Column, ...] = ()


@frozen
class Query(Frozen):
    """Rows of ``entity``."""

    entity: Entity
    rows: Operand | SetOperation
    clauses: tuple[Clause, ...]


@frozen
class Resolved(Frozen):
    """A whole query: its rows and what is shown of them."""

    query: Query
    output: tuple[Column, ...] | Summary
