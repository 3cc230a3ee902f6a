"""Which things stand in which relation, and how far a walk may go."""

from __future__ import annotations

from query import tree
from query.context import Context
from query.vocabulary import Entity

LINEAGE = ("upstream of", "downstream of")
MAX_STEPS = 1000  # a bounded walk keeps (id, depth): a cycle would cost this much; without a bound it costs nothing

_F, _J, _W = Entity.FILES, Entity.JOBS, Entity.WORKFLOWS
_ALLOWED: dict[str, frozenset[tuple[Entity, Entity]]] = {
    "upstream of": frozenset({(_F, _F), (_F, _J), (_J, _F), (_J, _J)}),
    "downstream of": frozenset({(_F, _F), (_F, _J), (_J, _F), (_J, _J)}),
    "inputs of": frozenset({(_F, _J)}),
    "outputs of": frozenset({(_F, _J), (_F, _W)}),
    "produced by": frozenset({(_F, _J), (_F, _W)}),
    "consumed by": frozenset({(_F, _J), (_F, _W)}),
    "producing": frozenset({(_J, _F), (_W, _F)}),
    "consuming": frozenset({(_J, _F), (_W, _F)}),
    "with the content of": frozenset({(_F, _F)}),
}
_EXAMPLES = {
    "upstream of": "files upstream of (files …)",
    "downstream of": "files downstream of (files …)",
    "inputs of": "files inputs of (jobs …)",
    "outputs of": "files outputs of (jobs …)",
    "produced by": "files produced by (jobs …)",
    "consumed by": "files consumed by (jobs …)",
    "producing": "jobs producing (files …)",
    "consuming": "jobs consuming (files …)",
    "with the content of": "files with the content of (files …)",
    "part of": "jobs part of (workflows …)",
    "of": "replicas of (files …)",
    "containing": "workflows containing (jobs …)",
}


def path_to(context: Context, subject: Entity, target: Entity) -> str | None:
    """The many-to-one path by which a ``subject`` belongs to a ``target``, or None."""
    for name, (entity, _) in context.table(subject).paths.items():
        if entity is target:
            return name
    return None


def check_relation(context: Context, node: tree.Relation, subject: Entity, argument: Entity) -> None:
    """Refuses relations that these two kinds of things do not have."""
    if node.word in _ALLOWED:
        fits = (subject, argument) in _ALLOWED[node.word]
    elif node.word == "containing":
        fits = path_to(context, argument, subject) is not None
    else:
        fits = path_to(context, subject, argument) is not None
    if not fits:
        context.fail(
            f"{subject.value} {node.word} {argument.value}: no such relation",
            node.span,
            f"for example: {_EXAMPLES[node.word]}",
        )


def steps(context: Context, node: tree.Relation) -> tuple[int, int] | None:
    """From and to, both included; None: as far as it goes."""
    if node.within is None:
        return None
    low, high = (1 if node.within.low is None else node.within.low), node.within.high
    if node.word not in LINEAGE:
        context.fail(f"`{node.word}` takes no steps", node.within.span, "steps belong to upstream of and downstream of")
    if low < 1 or high < low:
        context.fail(
            "steps count from 1, from the lower to the higher", node.within.span, "for example: within 1..3 steps"
        )
    if high > MAX_STEPS:
        context.fail(f"more than {MAX_STEPS} steps", node.within.span, "leave `within` out for a walk to the end")
    return low, high
