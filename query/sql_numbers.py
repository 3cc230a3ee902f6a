"""Numbers without loss: a value is an integer of 64 bits or a double, and the two compare exactly.

The engine compares BIGINT with DOUBLE by rounding the integer, holds NaN equal to itself and above all numbers, and
raises on overflow. Here an integer never meets a double unrounded, NaN equals nothing, and what overflows is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from query.frozen import Frozen, frozen
from query.sql_binder import Binder

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_TWO_TO_63 = "9223372036854775808::DOUBLE"


@frozen
class Pair(Frozen):
    """SQL of a number: at most one of ``integer`` (BIGINT) and ``double`` is not null in a row. None: it always is.

    ``ordered``: the double is never NaN.
    """

    integer: str | None
    double: str | None
    ordered: bool = False

    def as_double(self) -> str:
        """The nearest double."""
        widened = None if self.integer is None else f"CAST({self.integer} AS DOUBLE)"
        parts = [part for part in (widened, self.double) if part is not None]
        return f"coalesce({', '.join(parts)})" if len(parts) == 2 else parts[0] if parts else "NULL::DOUBLE"

    def missing(self) -> str:
        """True where there is no number."""
        parts = [f"{part} IS NULL" for part in (self.integer, self.double) if part is not None]
        return "(" + " AND ".join(parts) + ")" if parts else "TRUE"

    def struct(self) -> str:
        """Both parts in one value, so that an expression can be mentioned once."""
        return f"{{'i': {self.integer or 'NULL::BIGINT'}, 'f': {self.double or 'NULL::DOUBLE'}}}"


def literal(binder: Binder, value: int | float) -> Pair:
    """A constant."""
    if isinstance(value, int) and _LOWEST <= value <= _HIGHEST:
        return Pair(binder.bind(value, "BIGINT"), None)
    return Pair(None, binder.bind(float(value), "DOUBLE"))


def compare_constant(binder: Binder, operator: str, pair: Pair, value: int | float) -> str:
    """`pair operator value`: true where it holds, false or null elsewhere."""
    parts = []
    if pair.integer is not None:
        parts.append(_integer_with_constant(binder, operator, pair.integer, value))
    if pair.double is not None:
        parts.append(_double_with_constant(binder, operator, pair, value))
    return _any(parts)


def _integer_with_constant(binder: Binder, operator: str, integer: str, value: int | float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        holds = operator == "!=" or (operator[0] == "<" and value > 0) or (operator[0] == ">" and value < 0)
        return f"{integer} IS NOT NULL" if holds and not (math.isnan(value) and operator != "!=") else "FALSE"
    exact = Fraction(value)
    if operator in ("=", "!="):
        if exact.denominator != 1 or not _LOWEST <= exact <= _HIGHEST:
            return "FALSE" if operator == "=" else f"{integer} IS NOT NULL"
        return f"{integer} {'=' if operator == '=' else '<>'} {binder.bind(exact.numerator, 'BIGINT')}"
    if operator[0] == "<":
        bound = math.floor(exact) if operator == "<=" else math.ceil(exact) - 1
        if bound < _LOWEST:
            return "FALSE"
        return f"{integer} IS NOT NULL" if bound >= _HIGHEST else f"{integer} <= {binder.bind(bound, 'BIGINT')}"
    bound = math.ceil(exact) if operator == ">=" else math.floor(exact) + 1
    if bound > _HIGHEST:
        return "FALSE"
    return f"{integer} IS NOT NULL" if bound <= _LOWEST else f"{integer} >= {binder.bind(bound, 'BIGINT')}"


def _double_with_constant(binder: Binder, operator: str, pair: Pair, value: int | float) -> str:
    double = pair.double
    if isinstance(value, float) and math.isnan(value):
        return f"{double} IS NOT NULL" if operator == "!=" else "FALSE"
    nearest = float(value)
    difference = 0 if nearest == value else 1 if nearest > value else -1  # Python compares int and float exactly
    if operator in ("=", "!=") and difference:
        return "FALSE" if operator == "=" else f"{double} IS NOT NULL"
    if difference:  # no double lies between the value and the nearest one: move the bound there
        inclusive = (difference < 0) == (operator[0] == "<")
        operator = operator[0] + ("=" if inclusive else "")
    bound = binder.bind(nearest, "DOUBLE")
    if (operator[0] == ">" or operator == "=") and not pair.ordered:
        return f"({double} {operator} {bound} AND NOT isnan({double}))"
    return f"{double} {'<>' if operator == '!=' else operator} {bound}"


def compare(operator: str, left: Pair, right: Pair) -> str:
    """`left operator right` for two values of a row."""
    parts = []
    if left.integer is not None and right.integer is not None:
        parts.append(f"{left.integer} {_sql(operator)} {right.integer}")
    if left.double is not None and right.double is not None:
        parts.append(_doubles(operator, left.double, right.double))
    if left.integer is not None and right.double is not None:
        parts.append(_mixed(operator, left.integer, right.double))
    if left.double is not None and right.integer is not None:
        flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(operator, operator)
        parts.append(_mixed(flipped, right.integer, left.double))
    return _any(parts)


def _doubles(operator: str, left: str, right: str) -> str:
    compared = f"{left} {_sql(operator)} {right}"
    if operator == "!=":
        # To the engine only NaN equals itself, and is unequal to every other number; what is missing is neither.
        return f"({compared} OR ({left} = {right} AND isnan({left})))"
    return f"({compared} AND NOT isnan({left}) AND NOT isnan({right}))"


def _mixed(operator: str, integer: str, double: str) -> str:
    """An integer with a double: the double is rounded towards the side that keeps the answer."""
    rounding = {"<": "ceil", ">=": "ceil", "<=": "floor", ">": "floor"}.get(operator, "floor")
    compared = f"{integer} {_sql(operator)} TRY_CAST({rounding}({double}) AS BIGINT)"
    if operator == "=":
        compared = f"({compared} AND {double} = floor({double}))"
    if operator == "!=":
        compared = f"({compared} OR {double} <> floor({double}))"
    above, below = operator in ("<", "<=", "!="), operator in (">", ">=", "!=")
    return (
        f"(CASE WHEN {integer} IS NULL OR {double} IS NULL THEN NULL "
        f"WHEN isnan({double}) THEN {operator == '!='} WHEN {double} >= {_TWO_TO_63} THEN {above} "
        f"WHEN {double} < -{_TWO_TO_63} THEN {below} ELSE {compared} END)"
    )


def arithmetic(operator: str, left: Pair, right: Pair) -> Pair:
    """The result of `+ - * / %`: exact between integers (except `/`), missing where it overflows or divides by zero."""
    integer = None
    if operator != "/" and left.integer is not None and right.integer is not None:
        integer = _integers(operator, left.integer, right.integer)
    if operator != "/" and left.double is None and right.double is None:
        return Pair(integer, None)
    double = _finite(_double_arithmetic(operator, left.as_double(), right.as_double()))
    if integer is not None:
        double = f"CASE WHEN {left.integer} IS NULL OR {right.integer} IS NULL THEN {double} END"
    return Pair(integer, double)


def _integers(operator: str, left: str, right: str) -> str:
    one, other = f"CAST({left} AS HUGEINT)", f"CAST({right} AS HUGEINT)"
    if operator == "%":
        divisor = f"nullif({other}, 0)"
        return f"CAST((({one} % {divisor}) + {divisor}) % {divisor} AS BIGINT)"
    return f"TRY_CAST({one} {operator} {other} AS BIGINT)"


def _double_arithmetic(operator: str, left: str, right: str) -> str:
    if operator == "/":
        return f"{left} / nullif({right}, 0)"
    if operator == "%":
        divisor = f"nullif({right}, 0)"
        rest = f"({left} % {divisor})"  # the sign of the dividend, as fmod of C
        return f"CASE WHEN {rest} <> 0 AND ({rest} < 0) <> ({divisor} < 0) THEN {rest} + {divisor} ELSE {rest} END"
    return f"{left} {operator} {right}"


def _finite(double: str) -> str:
    return f"nullif(nullif(nullif({double}, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE)"


def shown(pairs: Sequence[Pair]) -> str:
    """The first of ``pairs`` as a column: of integers, of doubles, or of both, each row's as it is."""
    integer, double = pairs[0].integer, pairs[0].double
    if integer is None or double is None:
        return integer or double or "NULL::DOUBLE"
    either = "UNION(integer BIGINT, double DOUBLE)"
    return f"CASE WHEN {integer} IS NULL THEN CAST({double} AS {either}) ELSE CAST({integer} AS {either}) END"


def order_keys(pair: Pair) -> tuple[str, ...]:
    """Sort keys of a number, exact; NaN sorts with the missing ones."""
    if pair.double is None:
        return (pair.integer or "NULL::BIGINT",)
    if pair.ordered and pair.integer is None:
        return (pair.double,)
    ordered = f"nullif({pair.as_double()}, 'nan'::DOUBLE)"
    if pair.integer is None:
        return (ordered,)
    return (ordered, f"coalesce(CAST({pair.integer} AS HUGEINT), TRY_CAST({pair.double} AS HUGEINT))")


def one_of(binder: Binder, pair: Pair, values: list[int | float], *, negated: bool) -> str:
    """Equal to one of ``values``, or, negated, a number unequal to all."""
    parts = []
    if pair.integer is not None:
        whole = {int(value) for value in values if math.isfinite(value) and value == int(value)}
        inside = sorted(value for value in whole if _LOWEST <= value <= _HIGHEST)
        parts.append(_member(binder, pair.integer, inside, "BIGINT", negated=negated))
    if pair.double is not None:
        exact = {float(value) for value in values if not math.isnan(value) and float(value) == value}
        member = _member(binder, pair.double, sorted(exact), "DOUBLE", negated=negated)
        parts.append(member)
    return _any(parts)


def _member(binder: Binder, sql: str, values: list[int] | list[float], kind: str, *, negated: bool) -> str:
    if not values:
        return f"{sql} IS NOT NULL" if negated else "FALSE"
    contains = f"list_contains({binder.bind(values, kind + '[]')}, {sql})"
    return f"({sql} IS NOT NULL AND NOT {contains})" if negated else f"({sql} IS NOT NULL AND {contains})"


def _sql(operator: str) -> str:
    return "<>" if operator == "!=" else operator


def _any(parts: list[str]) -> str:
    return "(" + " OR ".join(parts) + ")" if parts else "FALSE"
