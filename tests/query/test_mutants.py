"""Whether the second opinion would notice: the compiler is changed in one place at a time, and each time some question
of a few hundred gets another answer than the oracle's.

A mutant is a function with one piece of its text replaced. If the piece is not there any more, the function was
rewritten: the mutant has to be thought of again.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from types import CodeType, FunctionType
from typing import Any

import duckdb
import pytest

from query.errors import QueryError
from tests.query.oracle.agreement import difference
from tests.query.oracle.answer import Expected, Oracle
from tests.query.oracle.pools import NOW
from tests.query.oracle.questions import Questioner
from tests.query.oracle.scalars import Refused
from tests.query.oracle.stores import Asking, tell
from tests.query.oracle.worlds import make_world

WORLD = 9
QUESTIONS = 300


@dataclass(frozen=True, slots=True)
class Mutant:
    """What goes wrong, where (module:function), and how."""

    name: str
    where: str
    old: str
    new: str


MUTANTS = [
    Mutant("`<` for `<=` with an integer", "query.sql_numbers:_integer_with_constant",
           "else math.ceil(exact) - 1", "else math.ceil(exact)"),
    Mutant("`>=` for `>` with a double", "query.sql_numbers:_double_with_constant",
           "({double} {operator} {bound} AND", "({double} >= {bound} AND"),
    Mutant("an integer compared as a double", "query.sql_numbers:_mixed", "if operator == \"=\":",
           'if True:\n        return f"CAST({integer} AS DOUBLE) {_sql(operator)} {double}"\n    if operator == "=":'),
    Mutant("NaN equals itself and is above all", "query.sql_numbers:_doubles",
           'return f"({compared} AND NOT isnan({left}) AND NOT isnan({right}))"', "return compared"),
    Mutant("`%` with the sign of the dividend", "query.sql_numbers:_integers",
           "((({one} % {divisor}) + {divisor}) % {divisor} AS", "(({one} % {divisor} AS"),
    Mutant("division by zero is infinite", "query.sql_numbers:_finite",
           "return f\"nullif(nullif(nullif({double}, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE)\"", "return double"),
    Mutant("missing counts as true under `not`", "query.sql_conditions:Conditions.sql",
           'return f"(NOT coalesce({self.sql(operand)}, FALSE))"', 'return f"(NOT {self.sql(operand)})"'),
    Mutant("`and` for `or`", "query.sql_conditions:Conditions.sql", '" OR ".join', '" AND ".join'),
    Mutant("the end of a period is within it", "query.sql_conditions:Conditions.times",
           "AND {left} < {end})", "AND {left} <= {end})"),
    Mutant("after a day is after its start", "query.sql_conditions:Conditions.times", "else '>='} {end}", "else '>='} {start}"),
    Mutant("`not in` a list is unequal to one of it", "query.sql_conditions:Conditions.one_of",
           '" AND " if node.negated else " OR "', '" OR "'),
    Mutant("`not has` keeps what is missing", "query.sql_conditions:Conditions.has",
           " AND NOT {self.values.missing(found)})", ")"),
    Mutant("`has all` is `has any`", "query.sql_conditions:Conditions.has", "if node.every else", "if False else"),
    Mutant("`not like` is `like`", "query.sql_conditions:Conditions.pattern", 'return f"(NOT ({test}))" if node.negated else', 'return'),
    Mutant("numbers sort as text", "query.sql_values:Values.order_keys",
           "case Metadata(sorts_as=Form.NUMBER) | Arithmetic():", "case Arithmetic():"),
    Mutant("the order is reversed", "query.sql:_direction", "'DESC' if descending else 'ASC'", "'ASC' if descending else 'DESC'"),
    Mutant("missing values come first", "query.sql:_direction", "NULLS LAST", "NULLS FIRST"),
    Mutant("a limit is off by one", "query.sql:Compiler.tail", "LIMIT {rows.limit}", "LIMIT {rows.limit + 1}"),
    Mutant("two limits: the larger", "query.sql:Compiler.rows", "min(count, rows.limit)", "max(count, rows.limit)"),
    Mutant("what follows a limit sees all rows", "query.sql:Compiler.restricted", "rows = self.closed_if_limited(rows)", "pass"),
    Mutant("`latest` takes the oldest", "query.sql:Compiler.latest", "{sql} DESC NULLS LAST", "{sql} ASC NULLS LAST"),
    Mutant("a union is an intersection", "query.sql:Compiler.set_rows", '"union": "UNION"', '"union": "INTERSECT"'),
    Mutant("a walk returns to its seeds", "query.sql_relations:Relating.walk",
           "if subject is node.query.entity", "if False"),
    Mutant("an integer compared by a double that is not it", "query.sql_values:Values._comparable",
           "known.exact == known.numbers", "True"),
    Mutant("steps are counted from nought", "query.sql_relations:Relating.hops", "low <= (depth + 1) // 2 <=", "low <= depth // 2 <="),
    Mutant("the last edge of the last step is left out", "query.sql_relations:Relating.hops", "2 * high + 1", "2 * high"),
    Mutant("few steps up are steps down", "query.sql_relations:Relating.hops", 'node.word == "upstream of"', 'node.word != "upstream of"'),
    Mutant("many steps are counted from nought", "query.sql_relations:Relating.walk", "(depth + 1) // 2 BETWEEN {low} AND {high}", "depth // 2 BETWEEN {low} AND {high}"),
    Mutant("upstream is downstream", "query.sql_relations:Relating.walk", 'node.word == "upstream of"', 'node.word != "upstream of"'),
    Mutant("minus keeps what it takes away", "query.sql:Compiler.set_rows", '"minus": "EXCEPT"', '"minus": "UNION"'),
    Mutant("lists are asked as if they were one value", "query.sql_scope:Scope._metadata_joins", " AND m.position IS NULL", ""),
    Mutant("`*` of a glob stands for one character", "query.glob:plain_like", 'replace("*", "%")', 'replace("*", "_")'),
    Mutant("averages count what is missing", "query.sql_summary:_aggregate",
           'count(*) FILTER (WHERE NOT {values.missing(operand)})', "count(*)"),
]  # fmt: skip


EDGES = [
    "files where size = size + 0.5 - 0.5",
    "files where n >= n",
    "files where taken = 2026-05",
    "files where taken not in 2026-05",
    'files where mixed not in (10, 9, 7, "raw")',
    "files where n not in (9, 10, 0)",
    'files where upstream of (files where origin = "produced") within 1 step',
    'files downstream of (files where origin = "raw" limit 3) within 1 step',
    "files downstream of (files limit 2) within 1 step",
    "files downstream of (files limit 2) within 2 steps",
    "jobs downstream of (files limit 2) within 1 step",
    "jobs downstream of (files limit 2) within 1..9 steps",
    "files upstream of (jobs limit 4) within 1..9 steps",
    "jobs downstream of (jobs limit 4) within 1 step",
    "jobs upstream of (jobs where producing (files)) within 1 step",
    'files upstream of (files where origin = "produced" limit 5) within 1 step',
    'files where tags has all ("golden", "silver")',
    "files where loose = 0 or loose = 10 or loose = true show loose",
    "files where n / 0 is missing and 1 / n > 0",
    "files where n * n > 5 order by n * n",
]
"""What chance seldom asks: at the ends of ranges, of doubles and of steps."""


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Asking, list[tuple[str, dict[str, Any], Expected]]]]:
    """A store, and questions about it with the answers of the oracle; refusals are left out."""
    world = make_world(WORLD)
    asking = Asking(tell(world, tmp_path_factory.mktemp("mutants") / ".pirene"), world, widened=False)
    oracle, random = Oracle(world, NOW), Random(WORLD)
    state = oracle.state(len(world.commits))
    found = [(text, dict[str, Any](), oracle.answer(text)) for text in EDGES]
    while len(found) < QUESTIONS:
        text, parameters = Questioner(state, random.choice).question()
        try:
            found.append((text, parameters, oracle.answer(text, parameters)))
        except Refused:
            continue
    yield asking, found
    asking.close()


def mutated(mutant: Mutant) -> tuple[FunctionType, CodeType]:
    """The function, and its code with the piece replaced."""
    module, _, path = mutant.where.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    source = textwrap.dedent(inspect.getsource(found))
    assert source.count(mutant.old) == 1, f"{mutant.where} has {source.count(mutant.old)} times: {mutant.old}"
    changed = compile(
        source.replace(mutant.old, mutant.new), mutant.where, "exec", __future__.annotations.compiler_flag
    )
    made: dict[str, Any] = {}
    exec(changed, found.__globals__, made)
    return found, made[found.__name__].__code__


def caught_by(asking: Asking, questions: list[tuple[str, dict[str, Any], Expected]]) -> int | None:
    """How many questions it took until an answer was wrong; None: all are right."""
    for count, (text, parameters, expected) in enumerate(questions, start=1):
        try:
            found = asking.ask(text, parameters, len(asking.world.commits))
        except (QueryError, duckdb.Error):
            return count
        if difference(expected, found) is not None:
            return count
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_compiler_is_caught(
    mutant: Mutant, asked: Any, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    asking, questions = asked
    function, code = mutated(mutant)
    monkeypatch.setattr(function, "__code__", code)
    count = caught_by(asking, questions)
    assert count is not None, f"{mutant.name}: {len(questions)} answers are all right"
    record_property("measured", f"mutant caught after {count} questions: {mutant.name}")


def test_without_a_mutant_nothing_is_caught(asked: Any) -> None:
    asking, questions = asked
    assert caught_by(asking, questions) is None
