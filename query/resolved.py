"""The resolved tree: every name is a built-in field or a metadata key, every comparison knows the form it asks for.

This is what plans and saved queries keep, and all that `query.sql` sees. Nodes are frozen; labels are the words of the
user, for messages that come with the answer.
"""

from __future__ import annotations

from enum import Enum

from query.literals import Dimension, Moment, Number, TextValue, Truth
from query.nodes import Record, node
from query.vocabulary import Entity, FieldType


class Form(Enum):
    """What two sides of a comparison are compared as."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    TIME = "time"
    DIGEST = "digest"
    COMMON = "common"  # two metadata values: the first of number, time, boolean, text that both have


@node
class BuiltIn(Record):
    """A built-in field, reached over ``path`` (names of many-to-one paths; empty: of the row itself)."""

    path: tuple[str, ...]
    name: str
    type: FieldType
    label: str


@node
class Metadata(Record):
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


@node
class Arithmetic(Record):
    """``operator`` `+ - * / %` on numbers, or `+ -` with a time on the left; ``form`` NUMBER or TIME."""

    operator: str
    left: Value
    right: Value
    form: Form
    dimension: Dimension | None


Constant = Number | TextValue | Truth | Moment
Value = BuiltIn | Metadata | Arithmetic | Constant


@node
class Compare(Record):
    """``left operator right``; a constant, if there is one, is on the right."""

    operator: str
    left: Value
    right: Value
    form: Form


@node
class OneOf(Record):
    """Equal to one of ``constants``; ``negated``: unequal to each, and present."""

    operand: Value
    constants: tuple[Constant, ...]
    negated: bool


@node
class Like(Record):
    """A glob over the whole text."""

    operand: Value
    pattern: str
    negated: bool


@node
class Matches(Record):
    """An RE2 search."""

    operand: Value
    pattern: str
    negated: bool


@node
class Missing(Record):
    """There is no value."""

    operand: Value


@node
class Present(Record):
    """There is a value."""

    operand: Value


@node
class Has(Record):
    """A list (or a single value) holds any or ``every`` one of ``constants``."""

    operand: BuiltIn | Metadata
    constants: tuple[Constant, ...]
    every: bool
    negated: bool


@node
class IsTrue(Record):
    """The bool form is true."""

    operand: Value


@node
class Not(Record):
    """The exact complement."""

    operand: Condition


@node
class And(Record):
    """All of them."""

    operands: tuple[Condition, ...]


@node
class Or(Record):
    """At least one of them."""

    operands: tuple[Condition, ...]


@node
class Related(Record):
    """The row stands in the relation ``word`` to a row of ``query``; ``steps``: from, to, both included."""

    word: str
    query: Query
    steps: tuple[int, int] | None


Condition = Compare | OneOf | Like | Matches | Missing | Present | Has | IsTrue | Not | And | Or | Related


@node
class All(Record):
    """All rows of ``entity``."""

    entity: Entity


@node
class Operand(Record):
    """The rows of ``source`` for which ``where`` holds."""

    source: All | Query
    where: tuple[Condition, ...]


@node
class SetOperation(Record):
    """``operator`` union | intersect | minus."""

    operator: str
    operands: tuple[Operand, ...]


@node
class Where(Record):
    """A further condition."""

    conditions: tuple[Condition, ...]


@node
class Latest(Record):
    """The newest ``count`` rows of each group."""

    count: int
    per: tuple[BuiltIn | Metadata, ...]
    by: BuiltIn | Metadata


@node
class Sort(Record):
    """Missing values come last in both directions."""

    operand: Value
    descending: bool


@node
class Order(Record):
    """By the first, then by the next; then by the order that was there before, then by the id."""

    sorts: tuple[Sort, ...]


@node
class Limit(Record):
    """The first ``count`` rows."""

    count: int


@node
class AllMetadata(Record):
    """The whole metadata of the row as one object (of `show *`)."""


@node
class Column(Record):
    """A column of the answer."""

    name: str
    content: Value | Condition | AllMetadata


@node
class Aggregate(Record):
    """``function`` count | sum | min | max | avg | median; ``operand`` None: of `count(*)`."""

    name: str
    function: str
    operand: Value | None


@node
class OutputSort(Record):
    """Order of a summary by the column at ``position``."""

    position: int
    descending: bool


@node
class Summary(Record):
    """One row for each group; missing values are a group of their own."""

    groups: tuple[Column, ...]
    aggregates: tuple[Aggregate, ...]
    sorts: tuple[OutputSort, ...] = ()
    limit: int | None = None


Clause = Where | Latest | Order | Limit


@node
class Query(Record):
    """Rows of ``entity``."""

    entity: Entity
    rows: Operand | SetOperation
    clauses: tuple[Clause, ...]


@node
class Resolved(Record):
    """A whole query: its rows and what is shown of them."""

    query: Query
    output: tuple[Column, ...] | Summary
