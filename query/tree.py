"""The syntax tree of a query: what was written, before names mean anything.

Nodes are frozen; ``span`` (offsets into the text) takes no part in equality, so two trees are equal if they say the
same. Parentheses leave no node: `query.format` puts back those that are needed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from enum import Enum

from query.errors import Span
from query.frozen import Frozen, frozen


@frozen
class Node(Frozen):
    """What was written somewhere in the text; ``span`` is where."""

    span: Span = field(default=(0, 0), compare=False, repr=False, kw_only=True)


class TimeShape(Enum):
    """How a date or time was written; a date and a period stand for all of their day or month."""

    INSTANT = "datetime"
    DAY = "date"
    MONTH = "month"


@frozen
class Quantity(Node):
    """A number as written, and its unit if there is one: `5`, `1.5e3`, `2 GiB`."""

    number: str
    unit: str | None = None


@frozen
class Text(Node):
    """A quoted literal; ``value`` is what it means."""

    value: str


@frozen
class Boolean(Node):
    """`true` or `false`."""

    value: bool


@frozen
class Time(Node):
    """A date, month or time as written."""

    written: str
    shape: TimeShape


@frozen
class Now(Node):
    """`now`."""


@frozen
class Parameter(Node):
    """`$name`."""

    name: str


@frozen
class Sign(Node):
    """`-x` or `+x`."""

    operator: str
    operand: Expression


@frozen
class Part(Frozen):
    """One part of a dotted name; ``quoted``: it was written in backticks."""

    text: str
    quoted: bool = False


@frozen
class Name(Node):
    """A field as written: `size`, `job.site`, `` meta.`exposure id` ``."""

    parts: tuple[Part, ...]


@frozen
class Lookalike(Node):
    """Digits or words glued by `-`: always an error, raised where the meaning of names is known."""

    written: str


@frozen
class Call(Node):
    """`count(*)`, `sum(size)`."""

    function: str
    star: bool
    arguments: tuple[Expression, ...]


@frozen
class Arithmetic(Node):
    """``operator`` is one of `+ - * / %`."""

    operator: str
    left: Expression
    right: Expression


@frozen
class Compare(Node):
    """``operator`` is one of `= != < <= > >=`."""

    operator: str
    left: Expression
    right: Expression


@frozen
class Choices(Node):
    """`(a, b, c)` after `in` and `has`."""

    bounds: tuple[Expression, ...]


@frozen
class Range(Node):
    """`low..high`, both ends included."""

    low: Expression
    high: Expression


@frozen
class In(Node):
    """`x in (…)`, `x in a..b`, `x in $list`, `x in 2026-03`."""

    operand: Expression
    choices: Choices | Range | Expression
    negated: bool = False


@frozen
class Between(Node):
    """`x between a and b`, both ends included."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False


@frozen
class Like(Node):
    """`x like "*.fits"`."""

    operand: Expression
    pattern: Text | Parameter
    negated: bool = False


@frozen
class Regex(Node):
    """`/re/`: the source between the slashes, as written."""

    source: str


@frozen
class Matches(Node):
    """`x matches /re/`."""

    operand: Expression
    pattern: Regex | Text | Parameter
    negated: bool = False


@frozen
class Is(Node):
    """`x is missing`, `x is present`; `is not` is turned into the other one."""

    operand: Expression
    missing: bool


@frozen
class Has(Node):
    """``quantifier`` is "any", "all" or None (one value)."""

    operand: Expression
    quantifier: str | None
    choices: Choices | Expression
    negated: bool = False


@frozen
class Within(Node):
    """How many steps a walk may take, both ends included; ``low`` None: `within N`, which is 1 to N."""

    low: int | None
    high: int


@frozen
class Relation(Node):
    """`upstream of ( query ) within 3 steps`. ``word``: lower case, single spaces."""

    word: str
    query: Query
    within: Within | None = None


@frozen
class Not(Node):
    """The exact complement of ``operand``."""

    operand: Expression


@frozen
class And(Node):
    """All of ``operands`` (two or more)."""

    operands: tuple[Expression, ...]


@frozen
class Or(Node):
    """At least one of ``operands`` (two or more)."""

    operands: tuple[Expression, ...]


Literal = Quantity | Text | Boolean | Time
Expression = (
    Literal
    | Now
    | Parameter
    | Sign
    | Name
    | Lookalike
    | Call
    | Arithmetic
    | Compare
    | In
    | Between
    | Like
    | Matches
    | Is
    | Has
    | Relation
    | Not
    | And
    | Or
)


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


def to_json(value: object) -> object:
    """Any tree of frozen nodes as JSON values: an object for each node, ``"node"`` first, without spans and nulls."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        node: dict[str, object] = {"node": type(value).__name__}
        for each in dataclasses.fields(value):
            content = getattr(value, each.name)
            if each.name not in ("span", "origin") and content is not None:
                node[each.name] = to_json(content)
        return node
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return str(value)
