"""Tree to text: the normalised form of a query. `parse(format(tree))` gives the same tree."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import assert_never

from query import tree
from query.backticks import quoted
from query.literals import quote

# How tightly a node binds, as in the grammar; an operand that binds less tightly than its place asks gets parentheses.
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _FACTOR, _ATOM = range(8)

_PLAIN = re.compile(r"[^\W\d]\w*")


def format_statement(statement: tree.Statement) -> str:
    """The whole query, on one line unless a quoted key holds a line break."""
    text = format_query(statement.query)
    match statement.as_of:
        case None:
            return text
        case tree.AsOfTime(time=when):
            return f"{text} as of {format_expression(when)}"
        case tree.AsOfCommit(number=number):
            return f"{text} as of commit {_count(number)}"
        case _ as unreachable:
            assert_never(unreachable)


def laid_out(statement: tree.Statement, width: int = 100) -> str:
    """The whole query for people: on one line of ``width`` if it fits, else a line for each clause, and for each of the
    conditions that `and` joins. It parses to the same tree.
    """
    text = format_statement(statement)
    if len(text) <= width:
        return text
    query = statement.query
    operands = query.rows.operands if isinstance(query.rows, tree.SetOperation) else (query.rows,)
    word = query.rows.operator if isinstance(query.rows, tree.SetOperation) else ""
    lines: list[str] = []
    for number, operand in enumerate(operands):
        lines.append(f"{word} " * bool(number) + _operand(replace(operand, where=None)))
        lines.extend([] if operand.where is None else _conditions(operand.where))
    for clause in query.clauses:
        lines.extend(_conditions(clause.condition) if isinstance(clause, tree.Where) else [f"  {_clause(clause)}"])
    if statement.as_of is not None:
        lines.append("  " + text.removeprefix(format_query(query)).strip())
    return "\n".join(lines)


def _conditions(where: tree.Expression) -> list[str]:
    operands = where.operands if isinstance(where, tree.And) else None
    if operands is None:
        return [f"  where {format_expression(where)}"]
    return [f"  {'and' if number else 'where'} {_at(operand, _NOT)}" for number, operand in enumerate(operands)]


def format_query(query: tree.Query) -> str:
    """A set and its clauses."""
    rows = query.rows
    if isinstance(rows, tree.SetOperation):
        text = f" {rows.operator} ".join(_operand(operand) for operand in rows.operands)
    else:
        text = _operand(rows)
    return " ".join([text, *(_clause(clause) for clause in query.clauses)])


def _operand(operand: tree.Operand) -> str:
    source = operand.source
    match source:
        case tree.Entity(name=name, relation=relation):
            text = name if relation is None else f"{name} {_relation(relation)}"
        case tree.Nested(query=query):
            text = f"({format_query(query)})"
        case tree.Saved(name=name, arguments=arguments):
            inside = ", ".join(f"{each.name} = {_choices(each.value)}" for each in arguments)
            text = f"@{name}({inside})" if inside else f"@{name}"
        case _ as unreachable:
            assert_never(unreachable)
    return text if operand.where is None else f"{text} where {format_expression(operand.where)}"


def _relation(relation: tree.Relation) -> str:
    text = f"{relation.word} ({format_query(relation.query)})"
    if relation.within is None:
        return text
    low = "" if relation.within.low is None else f"{relation.within.low}.."
    return f"{text} within {low}{relation.within.high} {'step' if low + str(relation.within.high) == '1' else 'steps'}"


def _clause(clause: tree.Clause) -> str:
    match clause:
        case tree.Where(condition=condition):
            return f"where {format_expression(condition)}"
        case tree.Latest(count=count, per=per, by=by):
            number = "" if count is None else f"{count} "
            return f"latest {number}per {_names(per)}" + ("" if by is None else f" by {_name(by)}")
        case tree.Order(sorts=sorts):
            return "order by " + ", ".join(_sort(sort) for sort in sorts)
        case tree.Limit(count=limit):
            return f"limit {_count(limit)}"
        case tree.Show(items=items):
            return "show " + ", ".join(_item(item) for item in items)
        case tree.Summarize(items=items, by=fields):
            return "summarize " + ", ".join(_item(item) for item in items) + (f" by {_names(fields)}" if fields else "")
        case _ as unreachable:
            assert_never(unreachable)


def _sort(sort: tree.Sort) -> str:
    direction = "" if sort.descending is None else " desc" if sort.descending else " asc"
    return _at(sort.operand, _SUM) + direction


def _item(item: tree.Item | tree.Everything) -> str:
    if isinstance(item, tree.Everything):
        return "*"
    return format_expression(item.operand) + ("" if item.name is None else f" as {_part(item.name)}")


def _count(count: int | tree.Parameter) -> str:
    return f"${count.name}" if isinstance(count, tree.Parameter) else str(count)


def _names(names: tuple[tree.Name, ...]) -> str:
    return ", ".join(_name(name) for name in names)


def _name(name: tree.Name) -> str:
    return ".".join(_part(part) for part in name.parts)


def _part(part: tree.Part) -> str:
    if not part.quoted and _PLAIN.fullmatch(part.text):
        return part.text
    return quoted(part.text)


def format_expression(expression: tree.Expression) -> str:
    """An expression, with the parentheses that it needs."""
    return _at(expression, _OR)


def _at(expression: tree.Expression, place: int) -> str:
    text, binding = _bound(expression)
    return text if binding >= place else f"({text})"


def _bound(node: tree.Expression) -> tuple[str, int]:
    """The text of ``node`` and how tightly it binds."""
    match node:
        case tree.Or(operands=operands):
            return " or ".join(_at(operand, _AND) for operand in operands), _OR
        case tree.And(operands=operands):
            return " and ".join(_at(operand, _NOT) for operand in operands), _AND
        case tree.Not(operand=operand):
            # `not a = 1` would parse alike, and many would read it as `(not a) = 1`.
            bare = isinstance(operand, tree.Name | tree.Not | tree.Relation)
            return f"not {_at(operand, _NOT)}" if bare else f"not ({format_expression(operand)})", _NOT
        case tree.Relation():
            return _relation(node), _PREDICATE
        case tree.Arithmetic(operator=operator, left=left, right=right):
            place = _SUM if operator in "+-" else _PRODUCT
            return f"{_at(left, place)} {operator} {_at(right, place + 1)}", place
        case tree.Sign(operator=operator, operand=operand):
            return f"{operator}{_at(operand, _FACTOR)}", _FACTOR
        case tree.Call(function=function, star=star, arguments=arguments):
            inside = "*" if star else ", ".join(format_expression(argument) for argument in arguments)
            return f"{function}({inside})", _ATOM
        case tree.Name():
            return _name(node), _ATOM
        case tree.Lookalike(written=written):
            return written, _ATOM
        case tree.Now() | tree.Parameter() | tree.Quantity() | tree.Text() | tree.Boolean() | tree.Time():
            return _leaf(node), _ATOM
        case _:
            return _predicate(node), _PREDICATE


def _leaf(node: tree.Literal | tree.Now | tree.Parameter) -> str:
    match node:
        case tree.Quantity(number=number, unit=unit):
            return number if unit is None else f"{number} {unit}"
        case tree.Text(value=value):
            return quote(value)
        case tree.Boolean(value=value):
            return "true" if value else "false"
        case tree.Time(written=written):
            return written
        case tree.Now():
            return "now"
        case tree.Parameter(name=name):
            return f"${name}"
        case _ as unreachable:
            assert_never(unreachable)


def _predicate(
    node: tree.Compare | tree.In | tree.Between | tree.Like | tree.Matches | tree.Is | tree.Has,
) -> str:
    match node:
        case tree.Compare(operator=operator, left=left, right=right):
            return f"{_at(left, _SUM)} {operator} {_at(right, _SUM)}"
        case tree.In(operand=operand, choices=choices, negated=negated):
            return f"{_at(operand, _SUM)} {_not(negated)}in {_choices(choices)}"
        case tree.Between(operand=operand, low=low, high=high, negated=negated):
            return f"{_at(operand, _SUM)} {_not(negated)}between {_at(low, _SUM)} and {_at(high, _SUM)}"
        case tree.Like(operand=operand, pattern=pattern, negated=negated):
            return f"{_at(operand, _SUM)} {_not(negated)}like {_leaf(pattern)}"
        case tree.Matches(operand=operand, pattern=pattern, negated=negated):
            shown = f"/{pattern.source}/" if isinstance(pattern, tree.Regex) else _leaf(pattern)
            return f"{_at(operand, _SUM)} {_not(negated)}matches {shown}"
        case tree.Is(operand=operand, missing=missing):
            return f"{_at(operand, _SUM)} is {'missing' if missing else 'present'}"
        case tree.Has(operand=operand, quantifier=quantifier, choices=choices, negated=negated):
            word = "" if quantifier is None else f"{quantifier} "
            return f"{_at(operand, _SUM)} {_not(negated)}has {word}{_choices(choices)}"
        case _ as unreachable:
            assert_never(unreachable)


def _not(negated: bool) -> str:
    return "not " if negated else ""


def _choices(choices: tree.Choices | tree.Range | tree.Expression) -> str:
    match choices:
        case tree.Choices(bounds=bounds):
            return "(" + ", ".join(format_expression(bound) for bound in bounds) + ")"
        case tree.Range(low=low, high=high):
            return f"{format_expression(low)}..{format_expression(high)}"
        case _:
            return format_expression(choices)
