"""How much one query may ask: what the engine answers, or refuses, within 2 s and 500 MB.

The engine's planner needs more than linear time and memory for the parts of a statement. A limit here is a clear
message at once; beyond it would be a long wait, or an error about SQL that the asker never wrote. Values in lists cost
little and are bounded by the length of the text.
"""

from __future__ import annotations

from query import tree
from query.errors import QueryTooLarge
from query.rewrite import children

_CONDITIONS = (tree.Compare, tree.In, tree.Between, tree.Like, tree.Matches, tree.Is, tree.Has)
_SETS = (tree.Relation, tree.Operand, tree.Latest, tree.Limit, tree.Where)
_LIMITS: tuple[tuple[tuple[type[tree.Node], ...], int, str, str], ...] = (
    (_CONDITIONS, 500, "conditions", "many values of one field are a list: x in (…), or x in $list"),
    (_SETS, 100, "sets and clauses", "ask in several queries"),
    ((tree.Item, tree.Sort), 200, "columns and sort keys", "ask for them in several queries"),
    ((tree.Arithmetic,), 200, "arithmetic operators", "ask in several queries"),
    ((tree.Has, tree.Is), 100, "conditions with has or is", "many values of one list are one condition: has any (…)"),
)  # fmt: skip


_DEPTH = 50  # of arithmetic within arithmetic: 0.9 s, four times as much for twice as deep


def check(statement: tree.Node) -> None:
    """Raises QueryTooLarge for a whole query, naming what there is too much of and where it gets too much."""
    counts = [0] * len(_LIMITS)
    waiting: list[tuple[tree.Node, int]] = [(statement, 0)]
    while waiting:
        node, depth = waiting.pop()
        for number, (kinds, limit, what, hint) in enumerate(_LIMITS):
            if isinstance(node, kinds):
                counts[number] += 1
                if counts[number] > limit:
                    raise QueryTooLarge(f"more than {limit} {what} (at character {node.span[0] + 1})", hint=hint)
        depth = depth + 1 if isinstance(node, tree.Arithmetic) else depth
        if depth > _DEPTH:
            place = f"(at character {node.span[0] + 1})"
            raise QueryTooLarge(f"arithmetic is nested deeper than {_DEPTH} {place}", hint="a long sum is nested, too")
        waiting.extend((child, depth) for child in reversed(children(node)))
