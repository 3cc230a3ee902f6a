"""The parse tree to our nodes: the one place that knows the shape of the grammar's rules."""

from __future__ import annotations

from typing import Any, TypeVar

from query import lalr, tree
from query.backticks import unquoted
from query.errors import QuerySyntaxError, QueryTooLarge, Span
from query.literals import BadLiteral, unquote

# What a child is (branch or leaf, of which kind) follows from the rule that its branch stands for: no type says it.
Branch = Any
Leaf = Any

_MAX_NESTING = 250  # operators inside operators: this walk and those after it are recursive
_NOT_EQUAL = "<>"
_INT_LIMIT = 18  # digits of a count: nobody means more, and int() of a million digits would hang

_Node = TypeVar("_Node")


def statement(parsed: Branch, text: str) -> tree.Statement:
    """The tree of a parsed query. Raises QuerySyntaxError for literals that stand for nothing."""
    return _Converter(text).statement(parsed)


class _Converter:
    """Holds the text, for errors, and how deep the walk is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0

    # ---- whole queries ------------------------------------------------------------------------------------------

    def statement(self, node: Branch) -> tree.Statement:
        query = self.query(node.children[0])
        as_of: tree.AsOfTime | tree.AsOfCommit | None = None
        for child in node.children[1:]:
            leaf = child.children[0]
            if child.data == "as_of_time":
                when = self.parameter(leaf) if leaf.type == "PARAM" else self.time(leaf)
                as_of = tree.AsOfTime(when, span=_span(child))
            else:
                as_of = tree.AsOfCommit(self.count(leaf), span=_span(child))
        return tree.Statement(query, as_of, span=_span(node))

    def query(self, node: Branch) -> tree.Query:
        self.deeper(node)
        rows = self.rows(node.children[0])
        clauses = tuple(self.clause(child) for child in node.children[1:])
        self.depth -= 1
        return tree.Query(rows, clauses, span=_span(node))

    def rows(self, node: Branch) -> tree.Operand | tree.SetOperation:
        if node.data == "operand":
            return self.operand(node)
        return tree.SetOperation(node.data, tuple(self.operand(child) for child in node.children), span=_span(node))

    def operand(self, node: Branch) -> tree.Operand:
        where = self.expression(node.children[1].children[0]) if len(node.children) > 1 else None
        return tree.Operand(self.source(node.children[0]), where, span=_span(node))

    def source(self, node: Branch) -> tree.Entity | tree.Saved | tree.Nested:
        span = _span(node)
        if node.data == "nested":
            return tree.Nested(self.query(node.children[0]), span=span)
        if node.data == "saved":
            arguments = node.children[1].children if len(node.children) > 1 else []
            return tree.Saved(node.children[0][1:], tuple(self.argument(child) for child in arguments), span=span)
        word = node.children[0].lower()
        relation = self.relation(node.children[1]) if len(node.children) > 1 else None
        return tree.Entity(word if word.endswith("s") else word + "s", relation, span=span)

    def argument(self, node: Branch) -> tree.Argument:
        name, _, value = node.children
        return tree.Argument(str(name), self.choices(value), span=_span(node))

    def relation(self, node: Branch) -> tree.Relation:
        within = None
        if len(node.children) > 2:
            numbers = [self.integer(leaf) for leaf in node.children[2].children]
            low = numbers[0] if len(numbers) == 2 else None
            within = tree.Within(low, numbers[-1], span=_span(node.children[2]))
        word = " ".join(node.children[0].lower().split())
        return tree.Relation(word, self.query(node.children[1]), within, span=_span(node))

    # ---- clauses ------------------------------------------------------------------------------------------------

    def clause(self, node: Branch) -> tree.Clause:
        span, children = _span(node), node.children
        match node.data:
            case "where":
                return tree.Where(self.expression(children[0]), span=span)
            case "latest":
                count = self.integer(children[0]) if _is_leaf(children[0]) else None
                rest = children[1:] if count is not None else children
                by = self.name(rest[1]) if len(rest) > 1 else None
                return tree.Latest(count, self.names(rest[0]), by, span=span)
            case "order":
                return tree.Order(tuple(self.sort(child) for child in children), span=span)
            case "limit":
                return tree.Limit(self.count(children[0]), span=span)
            case "show":
                return tree.Show(tuple(self.item(child) for child in children), span=span)
            case _:
                by_fields = self.names(children[-1]) if children[-1].data == "fields" else ()
                items = children[:-1] if by_fields else children
                return tree.Summarize(tuple(self.item(child) for child in items), by_fields, span=span)

    def sort(self, node: Branch) -> tree.Sort:
        descending = node.children[1].type == "DESC" if len(node.children) > 1 else None
        return tree.Sort(self.expression(node.children[0]), descending, span=_span(node))

    def item(self, node: Branch) -> tree.Item | tree.Everything:
        if node.data == "everything":
            return tree.Everything(span=_span(node))
        name = _part(node.children[1]) if len(node.children) > 1 else None
        return tree.Item(self.expression(node.children[0]), name, span=_span(node))

    def names(self, node: Branch) -> tuple[tree.Name, ...]:
        return tuple(self.name(child) for child in node.children)

    def name(self, node: Branch) -> tree.Name:
        return tree.Name(tuple(_part(leaf) for leaf in node.children), span=_span(node))

    # ---- expressions --------------------------------------------------------------------------------------------

    def expression(self, node: Branch) -> tree.Expression:
        if _is_leaf(node):
            raise AssertionError(f"bare token in an expression: {node!r}")
        self.deeper(node)
        found = self._expression(node)
        self.depth -= 1
        return found

    def deeper(self, node: Branch) -> None:
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise QueryTooLarge(
                f"operators are nested deeper than {_MAX_NESTING} (at character {_span(node)[0] + 1})",
                hint="`and` and `or` take any number of conditions; long sums and chains of `not` do not",
            )

    def _expression(self, node: Branch) -> tree.Expression:
        span, children, kind = _span(node), node.children, node.data
        match kind:
            case "or_" | "and_":
                operands = tuple(self.expression(child) for child in children)
                return tree.Or(operands, span=span) if kind == "or_" else tree.And(operands, span=span)
            case "not_":
                return tree.Not(self.expression(children[1]), span=span)
            case "group":
                return self.expression(children[0])
            case "add" | "subtract" | "multiply" | "divide" | "modulo":
                left, operator, right = children
                return tree.Arithmetic(str(operator), self.expression(left), self.expression(right), span=span)
            case "signed":
                return tree.Sign(str(children[0]), self.expression(children[1]), span=span)
            case "field":
                return self.name(node)
            case "call":
                star = len(children) > 1 and _is_leaf(children[1])
                arguments = () if star else tuple(self.expression(child) for child in children[1:])
                return tree.Call(str(children[0]), star, arguments, span=span)
            case "lookalike":
                return tree.Lookalike(str(children[0]), span=span)
            case "related" | "relation":
                return self.relation(children[0] if kind == "related" else node)
            case "compare" | "in_" | "between" | "like" | "matches" | "is_" | "has":
                return self.predicate(node)
            case _:
                return self.literal(node)

    def predicate(self, node: Branch) -> tree.Expression:
        span, children = _span(node), node.children
        operand = self.expression(children[0])
        negated = _is_leaf(children[1]) and children[1].type == "NOT"
        rest = children[2:] if negated else children[1:]
        match node.data:
            case "compare":
                return tree.Compare(_operator(rest[0]), operand, self.expression(rest[1]), span=span)
            case "in_":
                return tree.In(operand, self.choices(rest[0]), negated, span=span)
            case "between":
                return tree.Between(operand, self.expression(rest[0]), self.expression(rest[1]), negated, span=span)
            case "like":
                pattern = self.parameter(rest[0]) if rest[0].type == "PARAM" else self.quoted(rest[0])
                return tree.Like(operand, pattern, negated, span=span)
            case "matches":
                return tree.Matches(operand, self.expression_pattern(rest[0]), negated, span=span)
            case "is_":
                return tree.Is(operand, (rest[0].type == "MISSING") != negated, span=span)
            case _:
                quantifier = rest[0].lower() if _is_leaf(rest[0]) else None
                return tree.Has(operand, quantifier, self.bounds(rest[-1]), negated, span=span)

    def expression_pattern(self, leaf: Leaf) -> tree.Regex | tree.Text | tree.Parameter:
        if leaf.type == "REGEX":
            return tree.Regex(leaf[1:-1], span=_span(leaf))
        return self.parameter(leaf) if leaf.type == "PARAM" else self.quoted(leaf)

    def choices(self, node: Branch) -> Any:
        if node.data == "range":
            low, high = node.children
            return tree.Range(self.expression(low), self.expression(high), span=_span(node))
        return self.bounds(node)

    def bounds(self, node: Branch) -> tree.Choices | tree.Expression:
        if node.data == "list":
            return tree.Choices(tuple(self.expression(child) for child in node.children), span=_span(node))
        return self.expression(node)

    # ---- leaves -------------------------------------------------------------------------------------------------

    def literal(self, node: Branch) -> tree.Expression:
        span, children = _span(node), node.children
        match node.data:
            case "quantity":
                unit = str(children[1]) if len(children) > 1 else None
                return tree.Quantity(str(children[0]), unit, span=span)
            case "text":
                return self.quoted(children[0])
            case "boolean":
                return tree.Boolean(children[0].type == "TRUE", span=span)
            case "datetime" | "date" | "period":
                return self.time(children[0])
            case "now":
                return tree.Now(span=span)
            case "parameter":
                return self.parameter(children[0])
            case _:
                raise AssertionError(f"rule of the grammar without a node: {node.data}")

    def time(self, leaf: Leaf) -> tree.Time:
        shapes = {"DATETIME": tree.TimeShape.INSTANT, "DATE": tree.TimeShape.DAY, "PERIOD": tree.TimeShape.MONTH}
        return tree.Time(str(leaf), shapes[leaf.type], span=_span(leaf))

    def parameter(self, leaf: Leaf) -> tree.Parameter:
        return tree.Parameter(leaf[1:], span=_span(leaf))

    def quoted(self, leaf: Leaf) -> tree.Text:
        try:
            return tree.Text(unquote(str(leaf)), span=_span(leaf))
        except BadLiteral as error:
            raise QuerySyntaxError(str(error), text=self.text, span=_span(leaf), hint=error.hint) from None

    def integer(self, leaf: Leaf) -> int:
        if len(leaf) > _INT_LIMIT:
            raise QuerySyntaxError("this number is too large for a count", text=self.text, span=_span(leaf))
        return int(leaf)

    def count(self, leaf: Leaf) -> int | tree.Parameter:
        return self.parameter(leaf) if leaf.type == "PARAM" else self.integer(leaf)


def _is_leaf(node: Branch | Leaf) -> bool:
    return isinstance(node, lalr.Leaf)


def _part(leaf: Leaf) -> tree.Part:
    if leaf.type == "QNAME":
        return tree.Part(unquoted(leaf), quoted=True)
    return tree.Part(str(leaf))


def _operator(leaf: Leaf) -> str:
    written = str(leaf)
    return {"==": "=", _NOT_EQUAL: "!="}.get(written, written)


def _span(node: Branch | Leaf) -> Span:
    found: Span = node.span
    return found
