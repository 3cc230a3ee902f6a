"""Runs the tables of the grammar: a lexer that knows what may come next, and an LALR(1) automaton.

`query.parser_tables` has Lark make the tables from ql.lark beforehand. What is left to do when a query is asked is
little enough to be done here: importing Lark and its own reading of the tables took ten times as long as all of this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from query.errors import Span
from query.frozen import Frozen, frozen

END = "$END"
"""The terminal after the last token."""


class Leaf(str):
    """A token: its text, the terminal that it is (``type``) and where it stands."""

    __slots__ = ("span", "type")

    span: Span
    type: str

    def __new__(cls, text: str, terminal: str, start: int) -> Leaf:
        """A token that starts at ``start``."""
        leaf = super().__new__(cls, text)
        leaf.type = terminal
        leaf.span = (start, start + len(text))
        return leaf


@frozen
class Branch(Frozen):
    """What a rule of the grammar has matched; ``data`` is the name of the rule, or of the alternative if it has one."""

    data: str
    children: list[Branch | Leaf]
    span: Span


@frozen
class Rule(Frozen):
    """How ``size`` symbols become one called ``origin``.

    They become a branch ``data`` of those that are ``kept`` (their places; with True: a repetition, whose own children
    come in its place), or, if ``data`` is None, the only one passes as it is.
    """

    origin: str
    size: int
    data: str | None
    kept: Sequence[tuple[int, bool]]


@frozen
class Tables(Frozen):
    """What the grammar says, in the form in which it is used.

    ``terminals``: regular expressions, those first that win over others. ``states``: for each state what a symbol that
    comes next leads to: a state (0 and above: it is taken), or a rule (``~action``: its symbols are complete).
    """

    terminals: Mapping[str, str]
    ignored: Sequence[str]
    rules: Sequence[Rule]
    end: int
    states: Sequence[Mapping[str, int]]

    @classmethod
    def from_json(cls, text: str | bytes) -> Tables:
        """The tables that `query.parser_tables` wrote."""
        document = json.loads(text)
        return cls(**(document | {"rules": [Rule(*rule) for rule in document["rules"]]}))


_FOLD_TO_ASCII = frozenset("\u0130\u0131\u017f\u212a")


class Unexpected(Exception):  # noqa: N818 - what it says, not what it is
    """No text of the language goes on like this.

    ``leaf`` is what stands there; its type is empty if no terminal matches, END if nothing stands there.
    ``expected`` are the terminals that could.
    """

    def __init__(self, leaf: Leaf, expected: frozenset[str]) -> None:
        super().__init__(leaf.type)
        self.leaf = leaf
        self.expected = expected


class Parser:
    """Text to branches and leaves, as ``tables`` say."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._tried: dict[int, tuple[str, ...]] = {}

    def parse(self, text: str) -> Branch:
        """The branch that stands for all of ``text``. Raises Unexpected."""
        states = [0]
        symbols: list[Branch | Leaf] = []

        def reduce(rule: Rule) -> None:
            parts = symbols[-rule.size :]
            symbols[-rule.size :] = [parts[0] if rule.data is None else _branch(rule.data, rule, parts)]

        position = 0
        while True:
            leaf = self._next(text, position, states[-1])
            if not self._take(states, leaf.type, reduce):
                raise Unexpected(leaf, self._expected(states))
            if leaf.type == END:
                (whole,) = symbols
                assert isinstance(whole, Branch)
                return whole
            symbols.append(leaf)
            position = leaf.span[1]

    def expected_after(self, text: str) -> frozenset[str] | None:
        """The terminals that can come after ``text``; None if no text of the language starts with it."""
        states = [0]
        position = 0
        while (leaf := self._next(text, position, states[-1])).type != END:
            if not self._take(states, leaf.type, lambda rule: None):
                return None
            position = leaf.span[1]
        return self._expected(states)

    def _next(self, text: str, position: int, state: int) -> Leaf:
        """The next token that is not ignored: one that can come in ``state``, or else any that the language knows."""
        while position < len(text):
            leaf = self._match(text, position, self._terminals(state)) or self._match(
                text, position, self._tables.terminals
            )
            if leaf is None:
                return Leaf("", "", position)
            if leaf.type not in self._tables.ignored:
                return leaf
            position = leaf.span[1]
        return Leaf("", END, position)

    def _match(self, text: str, position: int, terminals: Iterable[str]) -> Leaf | None:
        for terminal in terminals:
            pattern = self._patterns.get(terminal)
            if pattern is None:  # compiled when first tried: most queries need a few
                pattern = self._patterns[terminal] = re.compile(self._tables.terminals[terminal])
            if (match := pattern.match(text, position)) and not self._only_folds(terminal, match[0]):
                return Leaf(match[0], terminal, position)
        return None

    def _only_folds(self, terminal: str, found: str) -> bool:
        """Whether a word of the language was found where there is none: `fıles`. To `re`, which knows of four letters
        that fold to those of ASCII, it is one as soon as case does not matter.
        """
        if found.isascii() or not self._tables.terminals[terminal].startswith("(?i:"):
            return False
        return not _FOLD_TO_ASCII.isdisjoint(found)

    def _terminals(self, state: int) -> tuple[str, ...]:
        """The terminals to try in ``state``, in their order."""
        if state not in self._tried:
            possible = self._tables.states[state].keys() | self._tables.ignored
            self._tried[state] = tuple(name for name in self._tables.terminals if name in possible)
        return self._tried[state]

    def _take(self, states: list[int], terminal: str, reduce: Callable[[Rule], None]) -> bool:
        """Complete the rules that ``terminal`` ends (``reduce`` is told of each) and take it; False: it cannot come."""
        while states[-1] != self._tables.end:
            action = self._tables.states[states[-1]].get(terminal)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                return True
            rule = self._tables.rules[~action]
            del states[-rule.size :]
            states.append(self._tables.states[states[-1]][rule.origin])
            reduce(rule)
        return True

    def _expected(self, states: list[int]) -> frozenset[str]:
        """The terminals that can come: an automaton of this kind finds out about some only after completing rules."""
        possible = self._tables.states[states[-1]].keys() - {rule.origin for rule in self._tables.rules}
        return frozenset(name for name in possible if self._take(states.copy(), name, lambda rule: None))


def _branch(data: str, rule: Rule, parts: Sequence[Branch | Leaf]) -> Branch:
    children: list[Branch | Leaf] = []
    for place, spread in rule.kept:
        part = parts[place]
        if not (spread and isinstance(part, Branch)):
            children.append(part)
        elif children:
            children += part.children
        else:
            children = part.children  # a repetition grows by one at a time: not copied each time
    return Branch(data, children, (parts[0].span[0], parts[-1].span[1]))
