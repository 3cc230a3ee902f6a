"""What is said about one row: literals, names, what is computed and compared, conditions."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from query.errors import Span
from query.frozen import Frozen, frozen

if TYPE_CHECKING:
    from query.tree.queries import Query


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
