"""What is said about many rows: sources, set operations, clauses, the whole statement."""

from __future__ import annotations

from dataclasses import field

from query.frozen import Frozen, frozen
from query.tree.expressions import Choices, Expression, Name, Node, Parameter, Part, Relation, Time


@frozen
class Entity(Node):
    """All rows of an entity, or those in a relation. ``name``: plural, lower case."""

    name: str
    relation: Relation | None = None


@frozen
class Argument(Node):
    """`name = value` of a saved query."""

    name: str
    value: Choices | Expression


@frozen
class Saved(Node):
    """`@name(argument, ...)`."""

    name: str
    arguments: tuple[Argument, ...] = ()


@frozen
class Origin(Frozen):
    """The saved query that stood in place of a tree: places in the tree are places in its ``text``."""

    name: str
    text: str


@frozen
class Nested(Node):
    """`( query )` as a source. ``origin``: it was a saved query, which takes no part in what it says."""

    query: Query
    origin: Origin | None = field(default=None, compare=False, repr=False, kw_only=True)


@frozen
class Operand(Node):
    """A source and the condition on it."""

    source: Entity | Saved | Nested
    where: Expression | None = None


@frozen
class SetOperation(Node):
    """``operator`` is "union", "intersect" or "minus" (of exactly two)."""

    operator: str
    operands: tuple[Operand, ...]


@frozen
class Where(Node):
    """`where` after another clause."""

    condition: Expression


@frozen
class Latest(Node):
    """`latest n per a, b by c`; ``count`` None: 1."""

    count: int | None
    per: tuple[Name, ...]
    by: Name | None


@frozen
class Sort(Node):
    """``descending`` None: not said, which is ascending."""

    operand: Expression
    descending: bool | None = None


@frozen
class Order(Node):
    """`order by a, b desc`."""

    sorts: tuple[Sort, ...]


@frozen
class Limit(Node):
    """`limit 20`, `limit $n`."""

    count: int | Parameter


@frozen
class Everything(Node):
    """`*` of `show *`."""


@frozen
class Item(Node):
    """`expression as name`."""

    operand: Expression
    name: Part | None = None


@frozen
class Show(Node):
    """`show a, b as c, *`."""

    items: tuple[Item | Everything, ...]


@frozen
class Summarize(Node):
    """`summarize sum(size) as bytes by site`."""

    items: tuple[Item | Everything, ...]
    by: tuple[Name, ...] = ()


Clause = Where | Latest | Order | Limit | Show | Summarize


@frozen
class Query(Node):
    """A set and the clauses applied to all of it, from left to right."""

    rows: Operand | SetOperation
    clauses: tuple[Clause, ...] = ()


@frozen
class AsOfTime(Node):
    """`as of 2026-05-01`."""

    time: Time | Parameter


@frozen
class AsOfCommit(Node):
    """`as of commit 42`."""

    number: int | Parameter


@frozen
class Statement(Node):
    """A whole query."""

    query: Query
    as_of: AsOfTime | AsOfCommit | None = None
