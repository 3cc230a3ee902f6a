"""One row for each group of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

from query import tree
from query.format import format_expression
from tests.query.oracle.aggregates import aggregate_of, type_of
from tests.query.oracle.entities import elements
from tests.query.oracle.facts import Said
from tests.query.oracle.scalars import Refused
from tests.query.oracle.sets import Rows, Sets, group_of, sorting_form
from tests.query.oracle.things import Thing
from tests.query.oracle.values import Values

Row = tuple[Any, ...]


def name_of(item: tree.Item) -> str:
    """What a column is called: as said, else as written."""
    if item.name is not None:
        return item.name.text
    if isinstance(item.operand, tree.Name):
        return ".".join(part.text for part in item.operand.parts)
    return format_expression(item.operand)


def refuse_twice(names: Sequence[str]) -> None:
    """Rows are objects keyed by name."""
    if len(set(names)) != len(names):
        raise Refused("two columns of one name")


def grouped(sets: Sets, rows: Rows, clause: tree.Summarize) -> tuple[Sets, Rows]:
    """Groups as rows of an entity of their own, in the order of what they share, missing last; and where they are."""
    values = sets.values(rows.entity)
    shared = [sets.group_key(rows.entity, name) for name in clause.by]
    places = [_place(values, name) for name in clause.by]
    aggregates = [aggregate_of(values, item) for item in clause.items]
    names = [name_of(tree.Item(name)) for name in clause.by]
    called = [name_of(item) for item in clause.items]
    refuse_twice([*names, *called])
    members: dict[Row, list[Thing]] = {} if clause.by else {(): []}
    for thing in rows.things:
        members.setdefault(tuple(group(thing) for group in shared), []).append(thing)
    keys = {name: values.kinds.of(written) for name, written in zip(names, clause.by, strict=True)}
    groups = []
    for found in sorted(members.values(), key=lambda found: [_last(place(found[0])) for place in places]):
        group = Thing("groups", (len(groups),), {}, (len(groups),))
        for name, written in zip(names, clause.by, strict=True):
            forms = values.of(written)(found[0])
            group.fields[name] = group_of(forms)
            if keys[name].metadata:
                group.metadata[name] = (
                    None if forms.missing else Said(forms.text, forms.number, forms.truth, forms.time)
                )
        group.fields.update((name, of(found)) for name, of in zip(called, aggregates, strict=True))
        groups.append(group)
    types = {name: _built_in(values, written) for name, written in zip(names, clause.by, strict=True)}
    types |= {name: type_of(values, item) for name, item in zip(called, clause.items, strict=True)}
    return _about(sets, groups, types, dict(zip(names, clause.by, strict=True)), rows.entity)


def _last(place: Any) -> Any:
    return (place is None, place if place is not None else 0)


def _built_in(values: Values, name: tree.Name) -> str:
    _, entity, field, metadata = values.kinds.target(name)
    return "key" if metadata else values.kinds.state.types[entity][field]


def _about(
    sets: Sets, groups: list[Thing], types: dict[str, str], by: dict[str, tree.Name], entity: str
) -> tuple[Sets, Rows]:
    """The state in which groups can be asked about; a key among them is what it was among all things."""
    keys: dict[str, list[Any]] = {}
    for name, written in by.items():
        _, end, key, metadata = sets.values(entity).kinds.target(written)
        if metadata:
            keys[name] = [each for value in sets.state.keys[end][key] for each in elements(value)]
    state = replace(
        sets.state,
        things={**sets.state.things, "groups": {group.key: group for group in groups}},
        keys={**sets.state.keys, "groups": keys},
        types={**sets.state.types, "groups": types},
    )
    return replace(sets, state=state), Rows("groups", groups)


def about_columns(sets: Sets, node: Any) -> Any:
    """A clause in which each mention of a column (`job.site`, `sum(size)`) is one name."""
    if isinstance(node, tree.Relation | tree.Summarize):
        raise Refused("of a summary")
    if isinstance(node, tree.Name | tree.Call):
        name = name_of(tree.Item(node))
        if name not in sets.state.types["groups"]:
            raise Refused(f"no column {name}")
        return tree.Name((tree.Part(name),))
    if isinstance(node, tuple):
        return tuple(about_columns(sets, each) for each in node)
    if not isinstance(node, tree.Node):
        return node
    return replace(node, **{each.name: about_columns(sets, getattr(node, each.name)) for each in fields(node)})


def _place(values: Values, name: tree.Name) -> Callable[[Thing], Any]:
    """What a group is ordered by: (number or time where all values have it, then the text)."""
    kind, value = values.kinds.of(name), values.of(name)
    form = sorting_form(kind.has) if kind.has is not None else kind.form
    assert form is not None

    def place(thing: Thing) -> Any:
        forms = value(thing)
        found = getattr(forms, form)
        if group_of(forms) is None:
            return None
        odd = isinstance(found, float) and math.isnan(found)
        return (odd, 0 if odd else found, forms.text or "")

    return place
