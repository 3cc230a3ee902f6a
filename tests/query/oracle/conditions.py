"""Conditions: there is no third truth value. What is missing makes a comparison false, and `not` is the complement."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from query import tree
from tests.query.oracle.kinds import Kind, outside, settled
from tests.query.oracle.scalars import Forms, Refused, compare
from tests.query.oracle.things import Thing
from tests.query.oracle.values import Values, given

Test = Callable[[Thing], bool]
_BOTH = ("number", "time", "truth", "text")


@dataclass(slots=True)
class Conditions:
    """Makes tests of a row. ``relate`` makes those of relations, which hold whole queries."""

    values: Values
    relate: Callable[[str, tree.Relation], Test]

    def of(self, node: Any) -> Test:
        """The test of a condition; Refused where it makes no sense."""
        match node:
            case tree.And(operands=operands):
                tests = [self.of(operand) for operand in operands]
                return lambda thing: all(test(thing) for test in tests)
            case tree.Or(operands=operands):
                tests = [self.of(operand) for operand in operands]
                return lambda thing: any(test(thing) for test in tests)
            case tree.Not(operand=operand):
                test = self.of(operand)
                return lambda thing: not test(thing)
            case tree.Compare(operator=operator, left=left, right=right):
                return self.compared(operator, left, right)
            case tree.Between():
                return self.ranged(node, node.low, node.high)
            case tree.In(choices=tree.Range(low=low, high=high)):
                return self.ranged(node, low, high)
            case tree.In():
                return self.member(node)
            case tree.Like() | tree.Matches():
                return self.pattern(node)
            case tree.Is(operand=operand, missing=missing):
                absent = self.values.missing(operand)
                return lambda thing: absent(thing) == missing
            case tree.Has():
                return self.has(node)
            case tree.Relation():
                return self.relate(self.values.kinds.entity, node)
            case _:
                return self.bare(node)

    def compared(self, operator: str, left: Any, right: Any) -> Test:
        """`left operator right`."""
        kinds = self.values.kinds
        form = kinds.common(operator, kinds.of(left), kinds.of(right))
        one, other = self.values.of(left), self.values.of(right)
        if form == "digest":
            one, other = (self.digest(operator, node, of) for node, of in ((left, one), (right, other)))
        if form is not None:
            return lambda thing: compare(operator, form, one(thing), other(thing))
        return lambda thing: _in_common(operator, one(thing), other(thing))

    def digest(self, operator: str, node: Any, of: Callable[[Thing], Forms]) -> Callable[[Thing], Forms]:
        """Digests compare whatever the case of their digits; a literal has to be one, and they have no order."""
        if self.values.kinds.of(node).constant:
            text = of(_NOWHERE).text
            assert text is not None
            digits = text.removeprefix("sha256:")
            if operator not in ("=", "!=") or not re.fullmatch("[0-9a-fA-F]{64}", digits):
                raise Refused("no digest")
            return lambda thing: Forms(digest=digits.lower())
        return lambda thing: _as_digest(of(thing))

    def ranged(self, node: tree.Between | tree.In, low: Any, high: Any) -> Test:
        """Both ends included; not between: before the one or after the other."""
        if self.values.kinds.of(node.operand).constant:
            raise Refused("this comparison is about no field")
        first, second = ("<", ">") if node.negated else (">=", "<=")
        one, other = self.compared(first, node.operand, low), self.compared(second, node.operand, high)
        if node.negated:
            return lambda thing: one(thing) or other(thing)
        return lambda thing: one(thing) and other(thing)

    def member(self, node: tree.In) -> Test:
        """`in`: equal to one; `not in`: unequal to each."""
        if self.values.kinds.of(node.operand).constant:
            raise Refused("this comparison is about no field")
        operator = "!=" if node.negated else "="
        tests = [self.compared_with(operator, node.operand, *bound) for bound in self.bounds(node.choices)]
        if not tests:
            return lambda thing: False
        if node.negated:
            return lambda thing: all(test(thing) for test in tests)
        return lambda thing: any(test(thing) for test in tests)

    def compared_with(self, operator: str, operand: Any, kind: Kind, forms: Forms) -> Test:
        """A comparison with a value that no node stands for: one of a list."""
        mine = self.values.kinds.of(operand)
        form = self.values.kinds.common(operator, mine, kind)
        assert form is not None
        value = self.values.of(operand)
        if form == "digest":
            value = self.digest(operator, operand, value)
            constant = self.digest(operator, tree.Text(forms.text or ""), lambda thing: forms)(_NOWHERE)
            return lambda thing: compare(operator, "digest", value(thing), constant)
        return lambda thing: compare(operator, form, value(thing), forms)

    def bounds(self, choices: Any) -> list[tuple[Kind, Forms]]:
        """The values of a list; a parameter may be one."""
        found: list[tuple[Kind, Forms]] = []
        for node in choices.bounds if isinstance(choices, tree.Choices) else [choices]:
            parameters = self.values.kinds.parameters
            if isinstance(node, tree.Parameter) and isinstance(parameters.get(node.name), list):
                found.extend((outside(each), given(each)) for each in parameters[node.name])
            else:
                found.append((self.values.kinds.of(node), self.values.constant(node)))
        return found

    def pattern(self, node: tree.Like | tree.Matches) -> Test:
        """`like` over the whole text, `matches` anywhere in it; of what has no text neither holds."""
        kinds = self.values.kinds
        kind = kinds.of(node.operand)
        if kind.constant or isinstance(node.operand, tree.Arithmetic | tree.Sign):
            raise Refused("a pattern is about a field")
        kinds.ask(kind, "text")
        pattern = node.pattern
        source = pattern.source if isinstance(pattern, tree.Regex) else self.values.constant(pattern).text
        if source is None:
            raise Refused("a pattern is text")
        fits = _glob(source) if isinstance(node, tree.Like) else _search(source)
        value = self.values.of(node.operand)

        def test(thing: Thing) -> bool:
            forms = value(thing)
            text = forms.digest if forms.text is None else forms.text
            return text is not None and fits(text) != node.negated

        return test

    def has(self, node: tree.Has) -> Test:
        """A list (or the one value that there is) has any or all of some; what is missing has and lacks nothing."""
        if not isinstance(node.operand, tree.Name):
            raise Refused("has asks a field")
        kinds = self.values.kinds
        kind = kinds.name(node.operand)
        if not kind.metadata and not kind.many:
            raise Refused("it holds one value")
        wanted = []
        for bound, forms in self.bounds(node.choices):
            form = settled(bound, "text" if not kind.metadata else None).form
            assert form is not None
            if kind.metadata:
                kinds.ask_elements(kind, form)
            elif form != "text":
                raise Refused("it holds texts")
            wanted.append((form, forms))
        listed = self.values.listed(node.operand)

        def test(thing: Thing) -> bool:
            values = listed(thing)
            if values is None:
                return False
            all_values = values if isinstance(values, list) else [values]
            found = [any(compare("=", form, each, forms) for each in all_values) for form, forms in wanted]
            return (all(found) if node.quantifier == "all" else any(found)) != node.negated

        return test

    def bare(self, node: Any) -> Test:
        """A bare key asks its bool form."""
        kind = self.values.kinds.of(node)
        if kind.constant or (not kind.metadata and kind.form != "truth"):
            raise Refused("a condition is expected here")
        self.values.kinds.ask(kind, "truth")
        value = self.values.of(node)
        return lambda thing: value(thing).truth is True


_NOWHERE = Thing("", (), {}, ())


def _in_common(operator: str, one: Forms, other: Forms) -> bool:
    """Two keys: the first form that both have here."""
    for form in _BOTH:
        if getattr(one, form) is not None and getattr(other, form) is not None:
            return compare(operator, form, one, other)
    return False


def _as_digest(forms: Forms) -> Forms:
    digest = forms.digest if forms.digest is not None else forms.text
    return Forms(digest=None if digest is None else digest.lower())


def _glob(source: str) -> Callable[[str], bool]:
    for low, high in re.findall(r"\[!?\]?[^\]]*?(.)-(.)[^\]]*\]", source):
        if low > high:
            raise Refused("a range runs backwards")
    return lambda text: fnmatch.fnmatchcase(text, source)


def _search(source: str) -> Callable[[str], bool]:
    """RE2 knows no Unicode in its classes; Python does."""
    try:
        compiled = re.compile(source, re.ASCII)
    except re.error as error:
        raise Refused(str(error)) from None
    return lambda text: compiled.search(text) is not None
