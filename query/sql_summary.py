"""`summarize` as SQL: one row for each group, numbered in the order of what the groups go by."""

from __future__ import annotations

from query import groups, resolved
from query.output_types import may_be_whole
from query.resolved import Arithmetic, BuiltIn, Form, Metadata, Value
from query.sql_numbers import Pair, compare
from query.sql_select import Select
from query.sql_values import Values
from query.vocabulary import FieldType

_FORMS = {
    # form: its type, and which count of a key says that some value has it
    "integer_form": ("BIGINT", "numbers"),
    "float_form": ("DOUBLE", "numbers"),
    "boolean_form": ("BOOLEAN", "booleans"),
    "time_form": ("TIMESTAMP WITH TIME ZONE", "times"),
}
_TYPES = "['boolean', 'null', 'number', 'text', 'time', 'untyped']"
"""The types that a value can be written as, in order: the least of numbers is found sooner than that of texts."""


def grouped(select: Select, summary: resolved.Summary) -> str:
    """The name of an expression with the groups of the rows of ``select``: columns as `groups.table` says."""
    values = Values(select.scope)
    keys, columns, order = list[str](), list[str](), list[str]()
    for number, group in enumerate(summary.groups):
        content = group.content
        assert isinstance(content, BuiltIn | Metadata)
        keys.append(values.group(content))
        if isinstance(content, Metadata):
            columns += _forms(values, content, f"c{number}", keys[-1])
            order += [form.format(f"c{number}") for form in _SORTED[content.sorts_as]] + [f"c{number}_text_form"]
        else:
            columns.append(f"{keys[-1]} AS c{number}")
            order.append(f"c{number}")
    for number, each in enumerate(summary.aggregates, start=len(summary.groups)):
        columns.append(f"{_aggregate(values, each)} AS c{number}")
        if may_be_whole(each.function, each.operand):
            columns.append(f"{_whole_of(values, each)} AS {groups.WHOLE.format(number)}")
    rows = select.sql(columns, f" GROUP BY {', '.join(keys)}" if keys else "")
    by = ", ".join(f"{column} ASC NULLS LAST" for column in order)
    window = f"ORDER BY {by}" if by else ""
    body = f"SELECT *, row_number() OVER ({window}) AS {groups.NUMBER} FROM ({rows}) AS found"
    # Once: sums of doubles that are added in another order another time are other sums.
    return select.scope.binder.cte("s", body, materialized=True)


_SORTED: dict[Form, tuple[str, ...]] = {
    # Integers beyond 53 bits share a double with others: where those are the same, the exact values decide.
    Form.NUMBER: ("{0}_float_form", "coalesce(CAST({0}_integer_form AS HUGEINT), TRY_CAST({0}_float_form AS HUGEINT))"),
    Form.TIME: ("{0}_time_form",),
    Form.TEXT: (),
}


def _forms(values: Values, found: Metadata, name: str, text: str) -> list[str]:
    """A group by a metadata key, in all forms: values of one text have the same ones, however they were written."""
    known = values.known(found) if found.seen else None
    forms = []
    for form, (kind, counted) in _FORMS.items():
        some = known is not None and getattr(known, counted) > 0
        forms.append(f"CAST({f'min({values.column(found, form)})' if some else 'NULL'} AS {kind}) AS {name}_{form}")
    written = f"{_TYPES}[min(list_position({_TYPES}, {values.column(found, 'written_type')}))]"
    forms.append(f"CAST({written} AS VARCHAR) AS {name}_written_type")
    there = f"CASE WHEN {text} IS NULL THEN 0 ELSE 1 END AS {name}_values"
    return [f"{text} AS {name}_text_form", *forms, there]


def _aggregate(values: Values, each: resolved.Aggregate) -> str:
    operand = each.operand
    if operand is None:
        return "count(*)"
    if each.function == "count":
        return f"count(*) FILTER (WHERE NOT {values.missing(operand)})"
    if each.function in ("min", "max"):
        return f"{each.function}({_comparable(values, operand)})"
    if each.function == "sum" and _whole(operand):
        return f"TRY_CAST(sum({values.numbers([operand], lambda pairs: str(pairs[0].integer))}) AS BIGINT)"
    if each.function == "sum":
        return _sum(values, operand)
    number = values.numbers([operand], lambda pairs: pairs[0].as_double())
    if each.function == "median":  # the engine takes NaN for the greatest number; of sums and averages it makes NaN
        return f"CASE WHEN bool_or(isnan({number})) THEN 'nan'::DOUBLE ELSE median({number}) END"
    return f"{each.function}({number})"


def _sum(values: Values, operand: Value) -> str:
    """The sum of what may be integers or not, as a double: of integers alone it is exact before that, so that it is the
    same in any order, and missing where it overflows.
    """
    integers, doubles = _parts(values, operand)
    rounded = f"sum({values.numbers([operand], lambda pairs: pairs[0].as_double())})"
    if integers is None:
        return rounded
    exact = f"CAST(TRY_CAST(sum({integers}) AS BIGINT) AS DOUBLE)"
    return exact if doubles is None else f"CASE WHEN count({doubles}) = 0 THEN {exact} ELSE {rounded} END"


def _whole_of(values: Values, each: resolved.Aggregate) -> str:
    """The integer that a sum, least or greatest number is; null where it is none, or no sum of 64 bits."""
    assert each.operand is not None
    integers, doubles = _parts(values, each.operand)
    if integers is None:
        return "NULL::BIGINT"
    if each.function == "sum":
        total = f"TRY_CAST(sum({integers}) AS BIGINT)"
        return total if doubles is None else f"CASE WHEN count({doubles}) = 0 THEN {total} END"
    found = f"{each.function}({integers})"
    if doubles is None:
        return found
    other = f"{each.function}(nullif({doubles}, 'nan'::DOUBLE))"
    beats = compare("<=" if each.function == "min" else ">=", Pair(found, None), Pair(None, other))
    return f"CASE WHEN {other} IS NULL OR {beats} THEN {found} END"


def _parts(values: Values, operand: Value) -> tuple[str | None, str | None]:
    """The integers among numbers, and those that are none, each null where it is the other; None: there are none."""
    shapes: list[Pair] = []

    def integer(pairs: list[Pair]) -> str:
        shapes.append(pairs[0])
        return pairs[0].integer or "NULL::BIGINT"

    integers = values.integers_apart([operand], integer)
    doubles = values.integers_apart([operand], lambda pairs: pairs[0].double or "NULL::DOUBLE")
    return integers if shapes[0].integer else None, doubles if shapes[0].double else None


def _comparable(values: Values, operand: Value) -> str:
    """What min and max go by: numbers where all values are numbers, NaN left out; else times; else text."""
    match operand:
        case Metadata(sorts_as=Form.NUMBER) | Arithmetic(form=Form.NUMBER):
            return values.numbers([operand], lambda pairs: f"nullif({pairs[0].as_double()}, 'nan'::DOUBLE)")
        case _:
            return values.order_keys(operand)[0]


def _whole(operand: Value) -> bool:
    """True if the numbers of ``operand`` are always integers, so that their sum is one."""
    return isinstance(operand, BuiltIn) and operand.type in (FieldType.INTEGER, FieldType.SIZE)
