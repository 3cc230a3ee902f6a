"""Lineage for people: two indented trees, one back and one forth, and the graph in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provenance.answers.lineage import FileNode, Lineage, Node
from query.terminal_text import harmless


def tree_lines(graph: Lineage) -> Iterator[str]:
    """For each file that was asked about: what it comes from, and what is made from it.

    What a tree has shown before is named again, with ``...`` in place of what hangs below it.
    """
    sources, targets = _by_name(graph, graph.sources()), _by_name(graph, graph.targets())
    for index, seed in enumerate(graph.seeds):
        if index:
            yield ""
        yield _label(graph.nodes[seed], digest=True)
        for title, adjacent in (("comes from", sources), ("is used by", targets)):
            if seed in adjacent:
                yield f"  {title}"
                yield from _below(graph, seed, adjacent)
            else:
                yield "  comes from nothing that is recorded" if title == "comes from" else "  is used by nothing"


def dot_lines(graph: Lineage) -> Iterator[str]:
    """The graph in DOT: files are boxes, jobs are ellipses."""
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    for id_, node in graph.nodes.items():
        style = ", style=bold" if id_ in graph.seeds else ""
        shape = "box" if isinstance(node, FileNode) else "ellipse"
        yield f"  {_quoted(id_)} [label={_quoted(_label(node))}, shape={shape}{style}];"
    for before, after in graph.edges:
        yield f"  {_quoted(before)} -> {_quoted(after)};"
    yield "}"


def _below(graph: Lineage, root: str, adjacent: Mapping[str, list[str]]) -> Iterator[str]:
    """The tree below ``root``, depth first, with a stack of its own: chains may be longer than Python's."""
    shown = {root}
    stack = [("    ", child, last) for child, last in _with_last(adjacent[root])]
    while stack:
        prefix, node, last = stack.pop()
        children = adjacent.get(node, [])
        again = bool(children) and node in shown
        yield f"{prefix}{'└─ ' if last else '├─ '}{_label(graph.nodes[node])}{' ...' if again else ''}"
        if not again:
            shown.add(node)
            inner = prefix + ("   " if last else "│  ")
            stack.extend((inner, child, is_last) for child, is_last in _with_last(children))


def _by_name(graph: Lineage, adjacent: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Neighbours in the order in which a person looks for one."""
    return {node: sorted(others, key=lambda other: _label(graph.nodes[other])) for node, others in adjacent.items()}


def _with_last(children: list[str]) -> list[tuple[str, bool]]:
    """The children, last first (a stack gives them back in order), each with whether it is the last one."""
    return [(child, index == len(children) - 1) for index, child in reversed(list(enumerate(children)))]


def _label(node: Node, *, digest: bool = False) -> str:
    if isinstance(node, FileNode):
        suffix = f"  sha256 {node.sha256.hex()[:12]}" if digest and node.sha256 else ""
        raw = "  (raw)" if node.origin == "raw" else ""
        return harmless(node.name) + raw + suffix
    status = "" if node.status == "succeeded" else f", {node.status}"
    return harmless(f"[{node.name}]  job {node.job} of {node.workflow or 'an unknown run'}{status}")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
