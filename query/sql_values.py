"""Values as SQL, in the form that is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from query import sql_numbers
from query.literals import Moment, Number, TextValue, Truth
from query.resolved import Arithmetic, BuiltIn, Form, Metadata, Value
from query.sql_numbers import Pair
from query.sql_scope import Scope
from query.vocabulary import FieldType, MetadataKey

_TIME_TYPE = "TIMESTAMP WITH TIME ZONE"
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds since 1970 of the years 1 to 9999: the engine knows others, which nobody could be shown."""


def number_of_metadata(before: str) -> Pair:
    """The number form of metadata; ``before`` is what stands before the name of a form."""
    return Pair(f"{before}integer_form", f"CASE WHEN {before}integer_form IS NULL THEN {before}float_form END")


def absent(value: str) -> str:
    """True where a value is null, never null.

    Not a bare IS NULL, which the engine hands to the reader of Parquet: in a row group with one text and nulls, written
    without a dictionary, DuckDB 2.0 takes it to be true of every row (docs/decisions/0027-one-text-and-nulls.md).
    """
    return f"coalesce({value} IS NULL, FALSE)"


class Values:
    """Values of the rows of one scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.binder = scope.binder

    def known(self, found: Metadata) -> MetadataKey | None:
        """What is known of a key on the things that have it."""
        entity = self.scope.entity
        for name in found.path:
            entity, _ = self.scope.vocabulary.table(entity).paths[name]
        return self.scope.vocabulary.metadata_key(entity, found.key)

    def column(self, found: Metadata, name: str) -> str:
        """One form of a scalar metadata value."""
        if not found.seen:
            return "NULL"
        return self.scope.along(found.path, lambda scope: f"{scope.metadata(found.key)}{name}")

    def field(self, found: BuiltIn) -> str:
        """A built-in field in its own type."""
        return self.scope.along(found.path, lambda scope: scope.field(found.name))

    def whole(self, found: BuiltIn) -> str | None:
        """The integer that a built-in field is, null where it is none; None: it never is one."""
        return None if found.path else self.scope.whole(found.name)  # what groups compute is on no path

    def text(self, found: Value) -> str:
        """The text form."""
        match found:
            case TextValue(value=value):
                return self.binder.bind(value, "VARCHAR")
            case Metadata():
                return f"CAST({self.column(found, 'text_form')} AS VARCHAR)"
            case BuiltIn(type=FieldType.DIGEST):
                return f"lower(hex({self.field(found)}))"
            case BuiltIn():
                return self.field(found)
            case _:
                raise AssertionError(f"no text: {found!r}")

    def group(self, found: BuiltIn | Metadata) -> str:
        """What rows of one group share: a built-in value, or the text form."""
        return self.field(found) if isinstance(found, BuiltIn) else self.text(found)

    def truth(self, found: Value) -> str:
        """The bool form."""
        match found:
            case Truth(value=value):
                return "TRUE" if value else "FALSE"
            case Metadata():
                return f"CAST({self.column(found, 'boolean_form')} AS BOOLEAN)"
            case BuiltIn():
                return self.field(found)
            case _:
                raise AssertionError(f"no bool: {found!r}")

    def time(self, found: Value) -> str:
        """The time form."""
        match found:
            case Moment(start=start):
                return self.binder.bind(start, _TIME_TYPE)
            case Metadata():
                return f"CAST({self.column(found, 'time_form')} AS {_TIME_TYPE})"
            case BuiltIn():
                return self.field(found)
            case Arithmetic(operator=operator, left=left, right=right):
                return self._moved(operator, left, right)
            case _:
                raise AssertionError(f"no time: {found!r}")

    def _moved(self, operator: str, left: Value, right: Value) -> str:
        shift = self.numbers([right], lambda pairs: f"round({pairs[0].as_double()} * 1000000)")
        micros = f"CAST(epoch_us({self.time(left)}) AS HUGEINT) {operator} TRY_CAST({shift} AS HUGEINT)"
        moved = f"CASE WHEN u BETWEEN {_FIRST_TIME} AND {_LAST_TIME} THEN make_timestamp(CAST(u AS BIGINT)) END"
        return f"(list_transform([{micros}], lambda u: {moved})[1] AT TIME ZONE 'UTC')"

    def numbers(self, values: Sequence[Value], build: Callable[[list[Pair]], str]) -> str:
        """``build`` over numbers that it may mention often: what is computed is computed (and written) once. It may
        compare and order them.
        """
        return self._numbers(values, build, self._comparable)

    def integers_apart(self, values: Sequence[Value], build: Callable[[list[Pair]], str]) -> str:
        """The same for who has to know which of the numbers are integers."""
        return self._numbers(values, build, self._number)

    def _numbers(
        self, values: Sequence[Value], build: Callable[[list[Pair]], str], plain: Callable[[Value], Pair]
    ) -> str:
        pairs = [None if isinstance(value, Arithmetic) else plain(value) for value in values]
        computed = [self._computed(value) for value in values if isinstance(value, Arithmetic)]
        if not computed:
            return build([pair for pair in pairs if pair is not None])
        fields, bound, waiting = [], [], iter(computed)
        for position, pair in enumerate(pairs):
            struct, shape = next(waiting) if pair is None else (pair.struct(), pair)
            fields.append(f"'n{position}': {struct}")
            integer = f"s.n{position}.i" if shape.integer is not None else None
            bound.append(Pair(integer, f"s.n{position}.f" if shape.double is not None else None))
        return f"list_transform([{{{', '.join(fields)}}}], lambda s: {build(bound)})[1]"

    def _computed(self, found: Arithmetic) -> tuple[str, Pair]:
        """A struct with the result, and which of its parts can be there."""
        if found.operator == "time-":
            micros = f"(epoch_us({self.time(found.left)}) - epoch_us({self.time(found.right)}))"
            pair = Pair(None, f"{micros} / 1000000::DOUBLE")
            return pair.struct(), pair
        shapes: list[Pair] = []

        def build(pairs: list[Pair]) -> str:
            shapes.append(sql_numbers.arithmetic(found.operator, pairs[0], pairs[1]))
            return shapes[0].struct()

        return self.integers_apart([found.left, found.right], build), shapes[0]

    def _comparable(self, found: Value) -> Pair:
        """A number of which it does not matter whether it is an integer: one column, whose statistics find rows, where
        that says it exactly.
        """
        if isinstance(found, Metadata) and found.seen:
            known = self.known(found)
            if known is not None and known.exact == known.numbers:
                return Pair(None, self.column(found, "float_form"), ordered=True)
        return self._number(found)

    def _number(self, found: Value) -> Pair:
        match found:
            case Number(value=value):
                return sql_numbers.literal(self.binder, value)
            case Metadata():
                if not found.seen:
                    return Pair(None, None)
                integer, double = self.column(found, "integer_form"), self.column(found, "float_form")
                return Pair(integer, f"CASE WHEN {integer} IS NULL THEN {double} END")
            case BuiltIn(type=FieldType.FLOAT | FieldType.DURATION):
                double = f"CAST({self.field(found)} AS DOUBLE)"
                whole = self.whole(found)
                return Pair(whole, double if whole is None else f"CASE WHEN {whole} IS NULL THEN {double} END")
            case BuiltIn():
                return Pair(f"CAST({self.field(found)} AS BIGINT)", None)
            case _:
                raise AssertionError(f"no number: {found!r}")

    def missing(self, found: Value) -> str:
        """True where there is no value, never null."""
        match found:
            case Metadata():
                return f"(NOT coalesce({self._present(found)}, FALSE))"
            case BuiltIn(type=FieldType.TEXTS):
                return f"(coalesce(len({self.field(found)}), 0) = 0)"
            case BuiltIn():
                return absent(self.field(found))
            case Arithmetic(form=Form.TIME):
                return f"({self.time(found)} IS NULL)"
            case Arithmetic():
                return self.numbers([found], lambda pairs: pairs[0].missing())
            case Number() | TextValue() | Truth() | Moment():
                return "FALSE"
            case _ as unreachable:
                assert_never(unreachable)

    def _present(self, found: Metadata) -> str:
        return self.scope.along(found.path, lambda scope: scope.has_value(found.key)) if found.seen else "FALSE"

    def order_keys(self, found: Value) -> tuple[str, ...]:
        """What to sort by, most significant first; missing values are null."""
        match found:
            case Metadata(sorts_as=Form.TIME) | Arithmetic(form=Form.TIME):
                return (self.time(found),)
            case Metadata(sorts_as=Form.NUMBER) | Arithmetic():
                return self._number_keys(found)
            case Metadata():
                return (self.text(found),)
            case BuiltIn(type=FieldType.FLOAT | FieldType.DURATION):
                return self._number_keys(found)
            case BuiltIn():
                return (self.field(found),)
            case _:
                raise AssertionError(f"no order: {found!r}")

    def _number_keys(self, found: Value) -> tuple[str, ...]:
        counted: list[int] = []

        def first(pairs: list[Pair]) -> str:
            keys = sql_numbers.order_keys(pairs[0])
            counted.append(len(keys))
            return keys[0]

        one = self.numbers([found], first)
        if counted[0] == 1:
            return (one,)
        return (one, self.numbers([found], lambda pairs: sql_numbers.order_keys(pairs[0])[1]))
