"""Relations as SQL: a row's key is among the keys that a step, or a walk of many, leads to.

Walks go over files and jobs alike, with UNION on ids, so that neither cycles nor many ways to one place cost anything;
a bound on the steps needs the depth beside the id. Edges are materialised: else every level of a walk reads them again.
A few steps are taken one by one instead: each reads only those edges that the few ids before it lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from query import resolved
from query.sql_binder import Binder
from query.sql_scope import Scope
from query.vocabulary import Entity, Vocabulary

SelectRows = Callable[[resolved.Query, Callable[[Scope], Sequence[str]]], str]
"""A SELECT of some expressions of the rows of a query."""

_KIND = {Entity.FILES: 0, Entity.JOBS: 1}
_FEW_STEPS = 8
"""As long as reading edges once a step is no more than reading all of them and walking."""
_FILE, _JOB, _RUN = ("file_source", "file"), ("run", "job"), ("run",)
_EDGES = {
    # word: the edge table that is looked at, and whether the rows asked for are its files
    "inputs of": "reads",
    "consumed by": "reads",
    "consuming": "reads",
    "outputs of": "writes",
    "produced by": "writes",
    "producing": "writes",
}
_EDGE_COLUMNS = {Entity.FILES: _FILE, Entity.JOBS: _JOB, Entity.WORKFLOWS: _RUN}


class Relating:
    """Writes relations. ``select`` writes the rows of the inner query."""

    def __init__(self, vocabulary: Vocabulary, binder: Binder, select: SelectRows) -> None:
        self.vocabulary = vocabulary
        self.binder = binder
        self.select = select

    def sql(self, scope: Scope, node: resolved.Related) -> str:
        """True where the row of ``scope`` stands in the relation."""
        word = node.word
        if word in ("upstream of", "downstream of"):
            return _among(scope.key(), self.walk(scope.entity, node))
        if word in _EDGES:
            return _among(scope.key(), self.step(scope.entity, node))
        if word == "with the content of":
            content = self.vocabulary.relations().content
            selected = self.select(node.query, lambda inner: (f"e.{content}",))
            return f"(e.{content} IN (SELECT c FROM ({selected}) AS contents(c) WHERE c IS NOT NULL))"
        if word == "containing":
            return self.containing(scope, node)
        return self.belonging(scope, node)

    def step(self, subject: Entity, node: resolved.Related) -> str:
        """Keys that one edge leads to."""
        relations = self.vocabulary.relations()
        table = relations.reads if _EDGES[node.word] == "reads" else relations.writes
        wanted, given = _EDGE_COLUMNS[subject], _EDGE_COLUMNS[node.query.entity]
        keys = self.keys(node.query)
        return (
            f"SELECT {_columns('edge', wanted)} FROM {table} AS edge "
            f"WHERE ({_columns('edge', given)}) IN (SELECT {_numbered(len(given))} FROM {keys})"
        )

    def belonging(self, scope: Scope, node: resolved.Related) -> str:
        """`of`, `part of`: the many-to-one path of the row leads into the set."""
        name = next(name for name, (entity, _) in scope.table.paths.items() if entity is node.query.entity)
        keys = self.keys(node.query)
        path = scope.path_key(name)
        return _among(path, f"SELECT {_numbered(len(path))} FROM {keys}")

    def containing(self, scope: Scope, node: resolved.Related) -> str:
        """The reverse: a row of the set has a path that leads here."""

        def path(inner: Scope) -> Sequence[str]:
            name = next(name for name, (entity, _) in inner.table.paths.items() if entity is scope.entity)
            return inner.path_key(name)

        width = len(scope.key())
        selected = self.select(node.query, path)
        names = _numbered(width)
        return _among(scope.key(), f"SELECT {names} FROM ({selected}) AS inside({names}) WHERE k0 IS NOT NULL")

    def keys(self, query: resolved.Query) -> str:
        """The name of an expression that holds the keys (k0, k1, ...) of a query."""
        width = len(self.vocabulary.table(query.entity).key)
        body = self.select(query, lambda scope: scope.key())
        return self.binder.cte("q", body, f"({_numbered(width)})")

    def walk(self, subject: Entity, node: resolved.Related) -> str:
        """Keys of ``subject`` that a walk from the rows of the query reaches, its seeds left out."""
        seeds, seed_kind = self.keys(node.query), _KIND[node.query.entity]
        if node.steps is not None and node.steps[1] <= _FEW_STEPS:
            reached = " UNION ".join(f"SELECT k0, k1 FROM {hop}" for hop in self.hops(subject, node, seeds))
            return reached if subject is not node.query.entity else f"({reached}) EXCEPT SELECT k0, k1 FROM {seeds}"
        edges = self.edges(upstream=node.word == "upstream of")
        depth = node.steps is not None
        first = (
            f"SELECT edge.kind, edge.to0, edge.to1{', 1' if depth else ''} FROM {seeds} JOIN {edges} AS edge "
            f"ON edge.kind = {seed_kind} AND edge.from0 = k0 AND edge.from1 = k1"
        )
        further = (
            f"SELECT edge.kind, edge.to0, edge.to1{', walk.depth + 1' if depth else ''} FROM {{self}} AS walk "
            f"JOIN {edges} AS edge ON edge.kind = 1 - walk.kind AND edge.from0 = walk.a AND edge.from1 = walk.b"
        )
        if node.steps is None:
            walked, bound = self.binder.cte("w", f"{first} UNION {further}", "(kind, a, b)"), ""
        else:
            low, high = node.steps
            body = f"{first} UNION {further} WHERE walk.depth < {2 * high}"
            walked = self.binder.cte("w", body, "(kind, a, b, depth)")
            # A step is two edges, file -> job -> file; from a job to a file (or back) the first step is one edge.
            bound = f" AND (depth + 1) // 2 BETWEEN {low} AND {high}"
        # Not EXCEPT, which would look for rows that come twice among all that were reached.
        others = f" ANTI JOIN {seeds} ON k0 = a AND k1 = b" if subject is node.query.entity else ""
        return f"SELECT a, b FROM {walked}{others} WHERE kind = {1 - _KIND[subject]}{bound}"

    def hops(self, subject: Entity, node: resolved.Related, seeds: str) -> list[str]:
        """The names of expressions with the keys of ``subject`` that are within the steps asked for, for each number of
        edges that leads there.
        """
        relations = self.vocabulary.relations()
        assert node.steps is not None, "no bound"
        low, high = node.steps
        from_file, from_job = relations.reads, relations.writes
        if node.word == "upstream of":
            from_file, from_job = from_job, from_file
        before, at, found = seeds, node.query.entity, list[str]()
        for depth in range(1, 2 * high + 1):
            edges, here, there = (from_file, _FILE, _JOB) if at is Entity.FILES else (from_job, _JOB, _FILE)
            on = " AND ".join(f"before.k{number} = edge.{column}" for number, column in enumerate(here))
            rows = f"FROM {edges} AS edge SEMI JOIN {before} AS before ON {on}"
            distinct = f"SELECT DISTINCT {_columns('edge', there)} {rows}"
            before = self.binder.cte("h", distinct, "(k0, k1)", materialized=True)
            at = Entity.JOBS if at is Entity.FILES else Entity.FILES
            # A step is two edges, file -> job -> file; from a job to a file (or back) the first step is one edge.
            if at is subject and low <= (depth + 1) // 2 <= high:
                found.append(before)
        return found

    def edges(self, *, upstream: bool) -> str:
        """Edges against or along the flow of data; ``kind`` is that of the end where one starts: 0 file, 1 job."""
        relations = self.vocabulary.relations()
        from_file, from_job = (relations.writes, relations.reads) if upstream else (relations.reads, relations.writes)
        body = (
            f"SELECT 0 AS kind, file_source AS from0, file AS from1, run AS to0, job AS to1 FROM {from_file} AS files "
            f"UNION ALL SELECT 1, run, job, file_source, file FROM {from_job} AS jobs"
        )
        return self.binder.cte("up" if upstream else "down", body, "(kind, from0, from1, to0, to1)", materialized=True)


def _among(key: Sequence[str], select: str) -> str:
    one = key[0] if len(key) == 1 else f"({', '.join(key)})"
    return f"({one} IN ({select}))"


def _numbered(width: int) -> str:
    return ", ".join(f"k{number}" for number in range(width))


def _columns(alias: str, names: Sequence[str]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)
