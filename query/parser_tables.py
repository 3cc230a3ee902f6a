"""The parser's tables: made from the grammar by Lark once, when it changes, and shipped in the package.

`python -m query.parser_tables` writes them anew (it needs Lark); a test holds that the shipped ones are current.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from query.lalr import Parser, Tables

if TYPE_CHECKING:
    import lark

GRAMMAR = Path(__file__).with_name("ql.lark")
SHIPPED = Path(__file__).with_name("ql.tables.json")


def load() -> Parser:
    """The parser, from the shipped tables."""
    return Parser(Tables.from_json(SHIPPED.read_bytes()))


def build(*, strict: bool = False) -> lark.Lark:
    """Lark's own parser of the grammar. ``strict``: no conflict of any kind is settled silently (needs interegular)."""
    import lark

    return lark.Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=False,
        strict=strict,
    )


def made(parser: lark.Lark) -> str:
    """The tables of a parser, as JSON that shows in a diff what changed."""
    table: Any = parser.parser.parser._parse_table  # Lark's own file format holds the same, but only Lark reads it
    lexer: Any = parser.parser.lexer
    rules = {rule: number for number, rule in enumerate(parser.rules)}
    states = _in_order(table.states, table.start_states["start"])
    document = {
        "terminals": {terminal.name: terminal.pattern.to_regexp() for terminal in lexer.root_lexer.terminals},
        "ignored": sorted(lexer.root_lexer.ignore_types),
        "rules": [_rule(rule) for rule in parser.rules],
        "end": states[table.end_states["start"]],
        "states": [
            {
                symbol: ~rules[argument] if argument in rules else states[argument]
                for symbol, (_, argument) in sorted(table.states[state].items())
            }
            for state in states
        ],
    }
    return "{" + ",\n".join(f"{json.dumps(key)}: {_lines(part)}" for key, part in document.items()) + "}\n"


def _in_order(states: Mapping[int, Mapping[str, tuple[object, Any]]], start: int) -> dict[int, int]:
    """Lark's number of each state -> ours: as they are reached from ``start``. Lark's differ from run to run."""
    numbers = {start: 0}
    reached = [start]
    for state in reached:
        for _, (_, argument) in sorted(states[state].items()):
            if argument in states and argument not in numbers:
                numbers[argument] = len(numbers)
                reached.append(argument)
    return numbers


def _lines(part: object) -> str:
    """JSON with a line for each element of a list or object."""
    if isinstance(part, list):
        return "[\n" + ",\n".join(json.dumps(element, separators=(",", ":")) for element in part) + "]"
    return json.dumps(part, indent=0)


def _rule(rule: Any) -> tuple[str, int, str | None, list[tuple[int, bool]]]:
    kept = [
        (place, not symbol.is_term and symbol.name.startswith("_"))
        for place, symbol in enumerate(rule.expansion)
        if not (symbol.is_term and symbol.filter_out)
    ]
    passes = rule.options.expand1 and not rule.alias
    if not rule.expansion or (passes and len(rule.expansion) > 1):
        raise NotImplementedError(f"query.lalr passes on single symbols only: {rule}")
    return (rule.origin.name, len(rule.expansion), None if passes else rule.alias or rule.origin.name, kept)


def main() -> None:
    """Write the shipped tables."""
    SHIPPED.write_text(made(build()), encoding="utf-8")


if __name__ == "__main__":
    main()
