"""Text to tree and back: the examples of the language, golden trees, generated trees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query import tree
from query.errors import LocatedError, QueryError
from query.format import format_statement, laid_out
from query.parse import parse
from query.terminal_text import harmless
from query.tree import to_json

FOLDER = Path(__file__).with_name("golden")
EXAMPLES = (FOLDER / "examples.txt").read_text(encoding="utf-8").splitlines()
TREES = json.loads((FOLDER / "trees.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_in_normal_form(text: str) -> None:
    assert format_statement(parse(text)) == text


def test_there_are_all_examples() -> None:
    assert len(EXAMPLES) == 25


@pytest.mark.parametrize("text", TREES)
def test_golden_trees(text: str) -> None:
    assert to_json(parse(text)) == TREES[text]


def test_importing_the_package_is_light() -> None:
    """Neither Lark nor the engine nor anything for errors is loaded to ask a query."""
    heavy = ("lark", "duckdb", "difflib", "pickle", "tempfile", "logging")
    code = f"import sys, query.compile, query.parse; query.parse.parse('files where a = 1'); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "files where order = 1 and limit = 2 and per = 3",
        "files where `order by` = 1 order by `order by`",
        "FILES WHERE a = 1 ORDER BY b DESC LIMIT 2",
        "file where a==1 and b<>2",
        "files where '#' = a # the rest is a comment",
        "files\nwhere\ta = 1",
        "files where a in(1)or b",
    ],
)
def test_odd_but_legal(text: str) -> None:
    parsed = parse(text)
    assert parse(format_statement(parsed)) == parsed


@pytest.mark.parametrize(
    "text", ["files where a orb = 1", "files where aand b", "files where notx y", "files limitx 5"]
)
def test_a_keyword_ends_where_the_word_ends(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)


# ---- generated trees ------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
words = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).map(lambda word: "k" + word)
parts = st.builds(tree.Part, words, st.just(False)) | st.builds(tree.Part, texts.filter(bool), st.just(True))
names = st.lists(parts, min_size=1, max_size=3).map(lambda found: tree.Name(tuple(found)))
quantities = st.builds(
    tree.Quantity,
    st.integers(0, 10**20).map(str) | st.sampled_from(["1.5", "0.10", "2e9", "1.5e-3"]),
    st.none() | st.sampled_from(["GiB", "days", "s"]),
)
times = st.sampled_from([
    tree.Time("2026-05", tree.TimeShape.MONTH),
    tree.Time("2026-05-01", tree.TimeShape.DAY),
    tree.Time("2026-05-01T10:00:00.5+02:00", tree.TimeShape.INSTANT),
])  # fmt: skip
parameters = st.builds(tree.Parameter, words)
quoted = st.builds(tree.Text, texts)
atoms = quantities | times | quoted | st.builds(tree.Boolean, st.booleans()) | st.just(tree.Now()) | parameters
bounds = atoms | st.builds(tree.Sign, st.sampled_from("+-"), quantities)
lists = st.lists(bounds, min_size=1, max_size=3).map(lambda found: tree.Choices(tuple(found)))
ranges = st.builds(tree.Range, bounds, bounds)
sums = st.recursive(
    atoms | names,
    lambda inner: st.one_of(
        st.builds(tree.Arithmetic, st.sampled_from("+-*/%"), inner, inner),
        st.builds(tree.Sign, st.sampled_from("+-"), inner),
        st.builds(tree.Call, words, st.just(False), st.lists(inner, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=4,
)
regexes = st.sampled_from(["^a", r"\d+\/x", "[^/ ]"]).map(lambda source: tree.Regex(source.replace("[^/ ]", "[^ ]")))
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])


def predicates(queries: st.SearchStrategy[tree.Query]) -> st.SearchStrategy[tree.Expression]:
    within = st.none() | st.builds(tree.Within, st.none() | st.integers(0, 3), st.integers(1, 9))
    return st.one_of(
        sums,
        st.builds(tree.Compare, operators, sums, sums),
        st.builds(tree.In, sums, lists | ranges | bounds, st.booleans()),
        st.builds(tree.Between, sums, sums, sums, st.booleans()),
        st.builds(tree.Like, sums, quoted | parameters, st.booleans()),
        st.builds(tree.Matches, sums, regexes | quoted | parameters, st.booleans()),
        st.builds(tree.Is, sums, st.booleans()),
        st.builds(tree.Has, sums, st.sampled_from([None, "any", "all"]), lists | bounds, st.booleans()),
        st.builds(tree.Relation, st.sampled_from(["of", "upstream of", "with the content of"]), queries, within),
    )


def expressions(queries: st.SearchStrategy[tree.Query]) -> st.SearchStrategy[tree.Expression]:
    def grown(inner: st.SearchStrategy[tree.Expression]) -> st.SearchStrategy[tree.Expression]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(tree.And, several) | st.builds(tree.Or, several) | st.builds(tree.Not, inner)

    return st.deferred(lambda: st.recursive(predicates(queries), grown, max_leaves=4))


def clauses(queries: st.SearchStrategy[tree.Query]) -> st.SearchStrategy[tree.Clause]:
    several = st.lists(names, min_size=1, max_size=2).map(tuple)
    sorts = st.builds(tree.Sort, sums, st.sampled_from([None, True, False]))
    items = st.builds(tree.Item, expressions(queries), st.none() | parts)
    return st.one_of(
        st.builds(tree.Latest, st.none() | st.integers(1, 9), several, st.none() | names),
        st.builds(tree.Order, st.lists(sorts, min_size=1, max_size=2).map(tuple)),
        st.builds(tree.Limit, st.integers(0, 9) | parameters),
        st.builds(tree.Show, st.lists(items | st.just(tree.Everything()), min_size=1, max_size=2).map(tuple)),
        st.builds(tree.Summarize, st.lists(items, min_size=1, max_size=2).map(tuple), st.just(()) | several),
    )


def grown_queries(queries: st.SearchStrategy[tree.Query]) -> st.SearchStrategy[tree.Query]:
    relation = st.builds(tree.Relation, st.sampled_from(["of", "inputs of"]), queries)
    arguments = st.lists(st.builds(tree.Argument, words, lists | bounds), max_size=2).map(tuple)
    sources = st.one_of(
        st.builds(tree.Entity, st.sampled_from(["files", "jobs", "checks"]), st.none() | relation),
        st.builds(tree.Nested, queries),
        st.builds(tree.Saved, words, arguments),
    )
    operands = st.builds(tree.Operand, sources, st.none() | expressions(queries))
    unions = st.builds(
        tree.SetOperation,
        st.sampled_from(["union", "intersect"]),
        st.lists(operands, min_size=2, max_size=3).map(tuple),
    )
    minus = st.builds(tree.SetOperation, st.just("minus"), st.tuples(operands, operands))
    return st.builds(tree.Query, operands | unions | minus, st.lists(clauses(queries), max_size=2).map(tuple))


simple = st.sampled_from([tree.Query(tree.Operand(tree.Entity("files")))])
whole = st.builds(
    tree.Statement,
    st.deferred(lambda: st.recursive(simple, grown_queries, max_leaves=3)),
    st.none()
    | st.builds(tree.AsOfTime, times | parameters)
    | st.builds(tree.AsOfCommit, st.integers(0, 99) | parameters),
)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of the strategy itself: it holds the whole grammar
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(whole)
def test_formatted_trees_parse_to_themselves(statement: tree.Statement) -> None:
    text = format_statement(statement)
    assert parse(text) == statement
    assert parse(laid_out(statement, width=40)) == statement


def test_a_long_query_has_a_line_for_each_part() -> None:
    text = (
        'files where kind = "raw" and (band = "g" or band = "r") latest 1 per tract by created '
        "where run > 1 show name, run as of commit 3"
    )
    assert laid_out(parse(text), 40).split("\n") == [
        "files",
        '  where kind = "raw"',
        '  and (band = "g" or band = "r")',
        "  latest 1 per tract by created",
        "  where run > 1",
        "  show name, run",
        "  as of commit 3",
    ]
    union = laid_out(parse('files where kind = "raw" union @good(a = 1) union files limit 3'), 40).split("\n")
    assert union == ["files", '  where kind = "raw"', "union @good(a = 1)", "union files", "  limit 3"]
    assert laid_out(parse(text), 200) == text


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from([*"()=<>-+*/%.,#\"'`$@ ", "files", "where", "in", "a", "1", "not"])).map(" ".join)
)
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    try:
        parsed = parse(text)
    except QueryError as error:
        assert error.report().splitlines()[0] == harmless(str(error))
    else:
        assert parse(format_statement(parsed)) == parsed


@pytest.mark.parametrize("text", ["fıles", "fIleſ", "files wıthin", "files where a lıke \"x\"", "files where a İs missing",
                                  "files where a lı\u212ae \"x\"", "filesß", "files minuſ files"])  # fmt: skip
def test_letters_that_fold_to_those_of_ascii_make_no_word_of_the_language(text: str) -> None:
    with pytest.raises(LocatedError):
        parse(text)


def test_such_words_are_names() -> None:
    text = "files where lıke = 1 and kind = $pſ"
    assert format_statement(parse(text)) == text
