"""Conditions as SQL.

What is written here is true in a row exactly where the condition holds; elsewhere it is false or null, which WHERE, AND
and OR treat alike. Only `not` must tell them apart, and does so with coalesce: there is no third truth value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from query import glob, resolved, sql_numbers
from query.literals import Moment, Number, TextValue, Truth
from query.resolved import BuiltIn, Condition, Form, Metadata, Value
from query.sql_scope import Scope
from query.sql_values import Values, number_of_metadata
from query.vocabulary import FieldType

Relate = Callable[[Scope, resolved.Related], str]


class Conditions:
    """Conditions on the rows of one scope. ``relate`` writes relations."""

    def __init__(self, scope: Scope, relate: Relate) -> None:
        self.scope = scope
        self.values = Values(scope)
        self.relate = relate

    def sql(self, node: Condition) -> str:
        """True exactly where ``node`` holds."""
        match node:
            case resolved.And(operands=operands):
                return "(" + " AND ".join(self.sql(operand) for operand in operands) + ")"
            case resolved.Or(operands=operands):
                return "(" + " OR ".join(self.sql(operand) for operand in operands) + ")"
            case resolved.Not(operand=operand):
                return f"(NOT coalesce({self.sql(operand)}, FALSE))"
            case resolved.Compare():
                return self.comparison(node)
            case resolved.OneOf():
                return self.one_of(node)
            case resolved.Like() | resolved.Matches():
                return self.pattern(node)
            case resolved.Missing(operand=found):
                return self.values.missing(found)
            case resolved.Present(operand=found):
                return f"(NOT {self.values.missing(found)})"
            case resolved.Has():
                return self.has(node)
            case resolved.IsTrue(operand=found):
                return f"({self.values.truth(found)} = TRUE)"
            case resolved.Related():
                return self.relate(self.scope, node)
            case _ as unreachable:
                assert_never(unreachable)

    def comparison(self, node: resolved.Compare) -> str:
        """Two values in one form."""
        match node.form:
            case Form.NUMBER:
                return self.numbers(node)
            case Form.TIME:
                return self.times(node.operator, self.values.time(node.left), node.right)
            case Form.DIGEST:
                return self.digests(node)
            case Form.TEXT:
                return f"({self.values.text(node.left)} {_sql(node.operator)} {self.values.text(node.right)})"
            case Form.BOOLEAN:
                return f"({self.values.truth(node.left)} {_sql(node.operator)} {self.values.truth(node.right)})"
            case Form.COMMON:
                return self.common(node)
            case _ as unreachable:
                assert_never(unreachable)

    def numbers(self, node: resolved.Compare) -> str:
        """Exactly, integers with doubles too."""
        operator, right = node.operator, node.right
        if isinstance(right, Number):
            constant = right.value
            binder = self.scope.binder
            return self.values.numbers(
                [node.left], lambda pairs: sql_numbers.compare_constant(binder, operator, pairs[0], constant)
            )
        return self.values.numbers([node.left, right], lambda pairs: sql_numbers.compare(operator, pairs[0], pairs[1]))

    def times(self, operator: str, left: str, right: Value) -> str:
        """A date or month stands for all of it: equal is within, greater is after its end."""
        if not isinstance(right, Moment) or right.end is None:
            return f"({left} {_sql(operator)} {self.values.time(right)})"
        start, end = self.values.time(right), self.values.time(Moment(right.end))
        match operator:
            case "=":
                return f"({left} >= {start} AND {left} < {end})"
            case "!=":
                return f"({left} < {start} OR {left} >= {end})"
            case "<" | ">=":
                return f"({left} {operator} {start})"
            case _:
                return f"({left} {'<' if operator == '<=' else '>='} {end})"

    def digests(self, node: resolved.Compare) -> str:
        """Bytes with bytes where the other side is a constant, which finds a row by its column statistics."""
        if isinstance(node.right, TextValue) and isinstance(node.left, BuiltIn) and node.left.type is FieldType.DIGEST:
            digest = self.scope.binder.bind(bytes.fromhex(node.right.value), "BLOB")
            return f"({self.values.field(node.left)} {_sql(node.operator)} {digest})"
        return f"(lower({self.values.text(node.left)}) {_sql(node.operator)} lower({self.values.text(node.right)}))"

    def common(self, node: resolved.Compare) -> str:
        """Two metadata values: the first of number, time, boolean, text that both have in this row."""
        left, right, operator = node.left, node.right, _sql(node.operator)
        assert isinstance(left, Metadata) and isinstance(right, Metadata)
        if not (left.seen and right.seen):
            return "FALSE"
        numbers = self.values.numbers(
            [left, right], lambda pairs: sql_numbers.compare(node.operator, pairs[0], pairs[1])
        )
        has_number = [self.values.numbers([side], lambda pairs: f"NOT {pairs[0].missing()}") for side in (left, right)]
        branches = [f"WHEN {has_number[0]} AND {has_number[1]} THEN {numbers}"]
        for form in (self.values.time, self.values.truth, self.values.text):
            one, other = form(left), form(right)
            branches.append(f"WHEN {one} IS NOT NULL AND {other} IS NOT NULL THEN {one} {operator} {other}")
        return f"(CASE {' '.join(branches)} END)"

    def one_of(self, node: resolved.OneOf) -> str:
        """Each kind of constant asks its own form; negated, all of them must be there and differ."""
        parts = []
        texts = [constant.value for constant in node.constants if isinstance(constant, TextValue)]
        numbers = [constant.value for constant in node.constants if isinstance(constant, Number)]
        if texts:
            parts.append(self.member(node.operand, texts, node.negated))
        if numbers:
            binder = self.scope.binder
            parts.append(
                self.values.numbers(
                    [node.operand], lambda pairs: sql_numbers.one_of(binder, pairs[0], numbers, negated=node.negated)
                )
            )
        for constant in node.constants:
            if isinstance(constant, Truth | Moment):
                form = Form.TIME if isinstance(constant, Moment) else Form.BOOLEAN
                parts.append(
                    self.comparison(resolved.Compare("!=" if node.negated else "=", node.operand, constant, form))
                )
        if not parts:
            return f"(NOT {self.values.missing(node.operand)})" if node.negated else "FALSE"
        return "(" + (" AND " if node.negated else " OR ").join(parts) + ")"

    def member(self, operand: Value, texts: list[str], negated: bool) -> str:
        """A text among texts. The list has no nulls, and a null operand gives null in both directions: no match."""
        word = "NOT IN" if negated else "IN"
        if isinstance(operand, BuiltIn) and operand.type is FieldType.DIGEST:
            listed = ", ".join(self.scope.binder.bind(bytes.fromhex(text), "BLOB") for text in texts)
            return f"({self.values.field(operand)} {word} ({listed}))"
        values = self.scope.binder.bind(texts, "VARCHAR[]")
        return f"({self.values.text(operand)} {word} (SELECT unnest({values})))"

    def pattern(self, node: resolved.Like | resolved.Matches) -> str:
        """`like` over the whole text, `matches` anywhere in it."""
        text, binder = self.values.text(node.operand), self.scope.binder
        if isinstance(node, resolved.Matches):
            test = f"regexp_matches({text}, {binder.bind(node.pattern, 'VARCHAR')})"
        elif (plain := glob.plain_like(node.pattern)) is not None:
            test = f"{text} LIKE {binder.bind(plain, 'VARCHAR')} ESCAPE '\\'"
        else:
            test = f"regexp_full_match({text}, {binder.bind(glob.to_regex(node.pattern), 'VARCHAR')}, 's')"
        return f"(NOT ({test}))" if node.negated else f"({test})"

    def has(self, node: resolved.Has) -> str:
        """Membership, value by value."""
        found = node.operand
        if isinstance(found, Metadata) and not found.seen:
            return "FALSE"
        joined = self.holds_all(found, node.constants) if node.every else self.holds_any(found, node.constants)
        if not node.negated:
            return joined
        return f"(NOT coalesce({joined}, FALSE) AND NOT {self.values.missing(found)})"

    def holds_all(self, found: BuiltIn | Metadata, constants: tuple[resolved.Constant, ...]) -> str:
        """Each of ``constants`` equals one of the values of ``found``."""
        if isinstance(found, BuiltIn):
            return f"list_has_all({self.values.field(found)}, {self.texts(constants)})"
        tests = [self.holds_any(found, (constant,)) for constant in constants]
        return f"({' AND '.join(tests)})" if tests else "TRUE"

    def holds_any(self, found: BuiltIn | Metadata, constants: tuple[resolved.Constant, ...]) -> str:
        """One of the values of ``found`` equals one of ``constants``: one look at them, however many there are."""
        if isinstance(found, BuiltIn):
            return f"list_has_any({self.values.field(found)}, {self.texts(constants)})"

        def equal(before: str) -> str:
            return self.element(before, constants)

        return self.scope.along(found.path, lambda scope: scope.metadata_rows(found.key, equal))

    def texts(self, constants: tuple[resolved.Constant, ...]) -> str:
        """The texts among ``constants`` as one parameter."""
        return self.scope.binder.bind([each.value for each in constants if isinstance(each, TextValue)], "VARCHAR[]")

    def element(self, before: str, constants: tuple[resolved.Constant, ...]) -> str:
        """The metadata value whose forms have names that start with ``before`` equals one of ``constants``."""
        binder = self.scope.binder
        parts = []
        if any(isinstance(each, TextValue) for each in constants):
            parts.append(f"{before}text_form IN (SELECT unnest({self.texts(constants)}))")
        numbers = [each.value for each in constants if isinstance(each, Number)]
        if numbers:
            parts.append(sql_numbers.one_of(binder, number_of_metadata(before), numbers, negated=False))
        parts += [f"{before}boolean_form = {str(each.value).upper()}" for each in constants if isinstance(each, Truth)]
        parts += [self.times("=", f"{before}time_form", each) for each in constants if isinstance(each, Moment)]
        return f"({' OR '.join(parts)})" if parts else "FALSE"


def _sql(operator: str) -> str:
    return "<>" if operator == "!=" else operator
