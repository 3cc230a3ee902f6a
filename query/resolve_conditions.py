"""Conditions: which form each comparison asks for, and that the values have it.

A comparison that no value can answer is an error with a way out; one that some values cannot answer is a warning that
counts them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from query import glob, literals, names, resolved, tree
from query import resolve_lists as lists
from query.asked_keys import FORM_WORDS, AskedKeys
from query.context import Context
from query.errors import Span
from query.literals import Dimension, Moment, Number, TextValue, Truth
from query.resolve_arithmetic import check_dimensions
from query.resolve_values import field, value
from query.resolved import BuiltIn, Condition, Form, Metadata
from query.typed import Typed, settled
from query.vocabulary import Entity, FieldType

RelationResolver = Callable[[Context, Entity, tree.Relation], resolved.Related]

_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_WRITTEN = {
    FieldType.SIZE: "a size is written 500, 2 kB or 2 GiB",
    FieldType.DURATION: "a duration is written 60 s, 5 min or 2 h",
    FieldType.INTEGER: "a number is written without quotes",
}
_HEX = frozenset("0123456789abcdefABCDEF")


class Conditions:
    """Resolves conditions about rows of one entity. ``relation`` resolves relations: they hold whole queries."""

    def __init__(self, context: Context, entity: Entity, relation: RelationResolver) -> None:
        self.context = context
        self.entity = entity
        self.relation = relation
        self.keys = AskedKeys(context, entity)

    def condition(self, node: tree.Expression) -> Condition:
        """What ``node`` asks. A value where a condition is meant is an error."""
        match node:
            case tree.And(operands=operands):
                return resolved.And(tuple(self.condition(operand) for operand in operands))
            case tree.Or(operands=operands):
                return resolved.Or(tuple(self.condition(operand) for operand in operands))
            case tree.Not(operand=operand):
                return resolved.Not(self.condition(operand))
            case tree.Compare(operator=operator, left=left, right=right):
                return self.comparison(operator, self.value(left), self.value(right), node.span)
            case tree.Between(operand=operand, low=low, high=high, negated=negated):
                return self.within(self.value(operand), self.value(low), self.value(high), negated, node.span)
            case tree.In():
                return self.one_of(node)
            case tree.Like() | tree.Matches():
                return self.pattern(node)
            case tree.Is(operand=operand, missing=missing):
                return self.presence(operand, missing)
            case tree.Has():
                return self.has(node)
            case tree.Relation():
                return self.relation(self.context, self.entity, node)
            case _:
                return self.truth(node)

    def value(self, node: tree.Expression) -> Typed:
        """The value of an expression about a row."""
        return value(self.context, self.entity, node)

    # ---- comparisons --------------------------------------------------------------------------------------------

    def comparison(self, operator: str, left: Typed, right: Typed, span: Span, *, warn: bool = True) -> Condition:
        """`left operator right`, compared in the one form that both are asked for. ``warn``: of values without it."""
        if left.constant and right.constant:
            self.context.fail(
                "this comparison is about no field", span, "a text needs quotes, a field none; $name is a value"
            )
        left, right = settled(left, right.form), settled(right, left.form)
        if left.constant:
            left, right, operator = right, left, _FLIPPED[operator]
        form = self.common_form(left, right, span, warn)
        check_dimensions(self.context, left.dimension, right.dimension, span, operator)
        if form is Form.BOOLEAN and operator not in ("=", "!="):
            self.context.fail(f"{operator} does not work on true and false", span, "use = or !=")
        right = self.as_digest(right, operator) if form is Form.DIGEST else right
        if isinstance(left.value, BuiltIn) and isinstance(right.value, TextValue) and operator in ("=", "!="):
            names.warn_of_no_value(self.context, self.entity, left.value, right.value.value)
        return resolved.Compare(operator, _value(left), _value(right), form)

    def common_form(self, left: Typed, right: Typed, span: Span, warn: bool) -> Form:
        """The form of a comparison; checks that both sides have it."""
        for side in (left, right):
            self.keys.refuse_list(side)
        if left.form is None and right.form is None:
            self.keys.warn_lists(left)
            self.keys.warn_lists(right)
            return Form.COMMON
        form = left.form if left.form is not None else right.form
        assert form is not None
        for side, other in ((left, right), (right, left)):
            if side.form is None:
                self.keys.ask(side, Form.TEXT if form is Form.DIGEST else form, other.span, warn=warn)
        if left.form is None or right.form is None or left.form is right.form:
            self.check_unit(left, right)
            return form
        if {left.form, right.form} == {Form.DIGEST, Form.TEXT}:
            return Form.DIGEST
        self.mismatch(left, right, span)
        raise AssertionError("mismatch always raises")

    def mismatch(self, left: Typed, right: Typed, span: Span) -> None:
        """A built-in field compares with its own type only."""
        assert left.form is not None and right.form is not None
        what = left.value.label if isinstance(left.value, BuiltIn) else "this"
        hint = None
        if left.form in (Form.TEXT, Form.DIGEST) and right.constant:
            hint = f'a text is written in quotes: "{self.context.text[slice(*right.span)]}"'
        elif isinstance(right.value, TextValue) and literals.read(right.value.value) != right.value:
            hint = f"without quotes: {right.value.value}"
        elif isinstance(left.value, BuiltIn) and left.value.type in _WRITTEN:
            hint = _WRITTEN[left.value.type]
        elif left.form is Form.TIME:
            hint = "a time is written 2026-05, 2026-05-01 or 2026-05-01T13:30:00Z"
        self.context.fail(f"{what} is {FORM_WORDS[left.form]}, and this is {FORM_WORDS[right.form]}", right.span, hint)

    def check_unit(self, left: Typed, right: Typed) -> None:
        """A literal with a unit says what it counts; a plain built-in number counts something else."""
        units = (Dimension.SIZE, Dimension.DURATION)
        if (
            right.constant
            and right.dimension in units
            and left.dimension is Dimension.NONE
            and isinstance(left.value, BuiltIn)
        ):
            self.context.fail(
                f"{left.value.label} is a plain number, and this has a unit", right.span, "leave the unit out"
            )

    def as_digest(self, typed: Typed, operator: str) -> Typed:
        """A quoted digest as lower-case hex; anything that is no digest could only compare wrongly."""
        if not isinstance(typed.value, TextValue):
            return typed
        digits = typed.value.value.removeprefix("sha256:")
        if operator not in ("=", "!=") or len(digits) != 64 or not _HEX.issuperset(digits):
            hint = 'for a part of it: like "3b7e*"' if operator in ("=", "!=") else "digests have no order"
            self.context.fail("a sha256 is 64 hexadecimal digits", typed.span, hint)
        return replace(typed, value=TextValue(digits.lower()))

    def within(self, operand: Typed, low: Typed, high: Typed, negated: bool, span: Span) -> Condition:
        """Both ends included; negated: before the one or after the other."""
        if operand.constant:
            self.context.fail("this comparison is about no field", span)
        first, second = ("<", ">") if negated else (">=", "<=")
        both = (self.comparison(first, operand, low, span), self.comparison(second, operand, high, span))
        return resolved.Or(both) if negated else resolved.And(both)

    def one_of(self, node: tree.In) -> Condition:
        """`in` a range, a list, a list parameter, or one value (a month, say)."""
        operand = self.value(node.operand)
        if isinstance(node.choices, tree.Range):
            low, high = (lists.bound(self.context, end) for end in (node.choices.low, node.choices.high))
            return self.within(operand, low, high, node.negated, node.span)
        if operand.constant:
            self.context.fail("this comparison is about no field", node.span)
        constants = self.constants(operand, lists.bounds(self.context, node.choices), node.span)
        return resolved.OneOf(_value(operand), constants, node.negated)

    def constants(self, operand: Typed, bounds: list[Typed], span: Span) -> tuple[resolved.Constant, ...]:
        """Each bound checked against ``operand`` as `=` would."""
        constants: dict[resolved.Constant, None] = {}
        forms: set[Form] = set()
        for bound in bounds:
            compared = self.comparison("=", operand, bound, bound.span, warn=False)
            assert isinstance(compared, resolved.Compare)
            assert isinstance(compared.right, Number | TextValue | Truth | Moment)
            constants[compared.right] = None
            forms.add(compared.form)
        self.keys.warn_rest(operand, forms)
        times = sum(isinstance(each, Moment) for each in constants)
        lists.refuse_many(self.context, times, lists.MOST_TIMES, "dates and times in a list", span)
        return tuple(constants)

    # ---- the other predicates -----------------------------------------------------------------------------------

    def pattern(self, node: tree.Like | tree.Matches) -> Condition:
        """`like` and `matches` ask the text form."""
        word = "like" if isinstance(node, tree.Like) else "matches"
        operand = self.value(node.operand)
        self.keys.refuse_list(operand)
        if (
            operand.form not in (None, Form.TEXT, Form.DIGEST)
            or operand.constant
            or isinstance(operand.value, resolved.Arithmetic)
        ):
            self.context.fail(f"{word} works on text", operand.span, "use = < > in between for numbers and times")
        if operand.form is None:
            self.keys.ask(operand, Form.TEXT, node.span)
        source = self.pattern_text(node.pattern)
        if isinstance(node, tree.Like):
            problem = glob.problem(source)
            if problem is not None:
                self.context.fail(problem, node.pattern.span, "*, ? and [a-z] are special; [*] is a star itself")
            return resolved.Like(_value(operand), source, node.negated)
        problem = glob.regex_problem(source)
        if problem is not None:
            self.context.fail(
                f"not a regular expression: {problem}", node.pattern.span, "RE2 syntax; like takes * and ?"
            )
        return resolved.Matches(_value(operand), source, node.negated)

    def pattern_text(self, pattern: tree.Text | tree.Regex | tree.Parameter) -> str:
        """The source of a pattern; a parameter's text is taken as it is."""
        match pattern:
            case tree.Text(value=text) | tree.Regex(source=text):
                self.context.checked(TextValue(text), pattern.span)
                return text
            case tree.Parameter():
                found = self.context.parameter(pattern)
                if isinstance(found, literals.FromOutside):
                    return found.text
                if not isinstance(found, TextValue):
                    self.context.fail(f"${pattern.name} is no text, and a pattern is one", pattern.span)
                return found.value

    def presence(self, node: tree.Expression, missing: bool) -> Condition:
        """`is missing`, `is present`."""
        operand = self.value(node)
        if operand.constant:
            self.context.fail("a literal is never missing", node.span)
        return resolved.Missing(_value(operand)) if missing else resolved.Present(_value(operand))

    def has(self, node: tree.Has) -> Condition:
        """Membership in a list; a single value is a list of one."""
        if not isinstance(node.operand, tree.Name):
            self.context.fail("`has` asks a field", node.operand.span)
        operand = field(self.context, self.entity, node.operand)
        found = operand.value
        assert isinstance(found, BuiltIn | Metadata)
        if isinstance(found, BuiltIn) and found.type is not FieldType.TEXTS:
            self.context.fail(
                f"{found.label} holds one value", node.operand.span, f"write {found.label} = … or {found.label} in (…)"
            )
        constants: dict[resolved.Constant, None] = {}
        forms: set[Form] = set()
        for bound in lists.bounds(self.context, node.choices):
            settled_bound = settled(bound, Form.TEXT if isinstance(found, BuiltIn) else None)
            assert (
                isinstance(settled_bound.value, Number | TextValue | Truth | Moment) and settled_bound.form is not None
            )
            if isinstance(found, BuiltIn) and settled_bound.form is not Form.TEXT:
                self.context.fail(f"{found.label} holds texts", bound.span, "a text is written in quotes")
            if isinstance(found, Metadata):
                self.keys.ask(operand, settled_bound.form, bound.span, lists=True, warn=False)
                forms.add(settled_bound.form)
            constants[settled_bound.value] = None
        self.keys.warn_rest(operand, forms)
        each = node.quantifier == "all" or any(isinstance(constant, Moment) for constant in constants)
        looks = len(constants) if each else 0
        lists.refuse_many(self.context, looks, lists.MOST_LOOKS, "values that are looked for one by one", node.span)
        return resolved.Has(found, tuple(constants), node.quantifier == "all", node.negated)

    def truth(self, node: tree.Expression) -> Condition:
        """A bare key asks its bool form."""
        operand = self.value(node)
        self.keys.refuse_list(operand)
        if operand.constant or operand.form not in (None, Form.BOOLEAN):
            what = FORM_WORDS.get(operand.form, "a value") if operand.form is not None else "a value"
            self.context.fail(
                f"a condition is expected here, and this is {what}", node.span, "compare it: = != < > in like has"
            )
        if operand.form is None:
            self.keys.ask(operand, Form.BOOLEAN, node.span)
        return resolved.IsTrue(_value(operand))


def _value(typed: Typed) -> resolved.Value:
    found = typed.value
    assert not isinstance(found, literals.FromOutside)
    return found
