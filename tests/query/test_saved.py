"""Saved queries: put in place of their names, with their arguments, in their own text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from query import tree
from query.check import checked, parameters
from query.compile import compile_query
from query.errors import QueryError, QueryTooLarge
from query.format import format_statement
from query.parse import parse
from query.vocabulary import SavedText


@pytest.fixture
def save(small: Any, now: Any) -> Any:
    """Saves a text under a name, as a store does: with the tree of what its names mean now."""

    def saved(text: str, name: str = "s", *, decided: bool = True) -> Any:
        found = checked(text, small, now, name=name) if decided else None
        small.trees[name] = SavedText(text, None if found is None else json.loads(json.dumps(found.tree)))
        return small

    small.trees = {}
    small.saved = lambda name: small.trees.get(name)
    small.saved_names = lambda: tuple(small.trees)
    return saved


@pytest.mark.parametrize(
    ("saved", "asked", "frozen"),
    [
        ("files where kind = $k", '@s(k = "raw")', 'files where `kind` = "raw"'),
        ("files where kind = $k", '@s(k = "raw") where size > 1', '(files where `kind` = "raw") where size > 1'),
        ("files where detector_temp in $t", "@s(t = (-95, -96))", "files where `detector_temp` in (-95, -96)"),
        ("files where detector_temp in ($t, 1)", "@s(t = (-95, -96))", "files where `detector_temp` in (-95, -96, 1)"),
        ("files where detector_temp in $a..$b", "@s(a = -96, b = $b)", "files where `detector_temp` in -96..$b"),
        ("files where -$x < detector_temp", "@s(x = 96)", "files where -96 < `detector_temp`"),
        ("files where tags has any $x", '@s(x = "golden")', 'files where `tags` has any "golden"'),
        ("files where name like $x limit $n", '@s(x = "*", n = 2)', 'files where name like "*" limit 2'),
        ("files where name matches $x", '@s(x = $b)', "files where name matches $b"),
        ("files where meta.status = $x", '@s(x = "ok")', 'files where meta.status = "ok"'),
        ("files where job.campaign = 'x' summarize count(*) as n by kind where n > 1", "@s",
         'files where job.`campaign` = "x" summarize count(*) as n by `kind` where n > 1'),
        ("files where produced by (jobs where campaign = $k) show name, kind", '@s(k = "DR3") as of commit 1',
         'files where produced by (jobs where `campaign` = "DR3") show name, `kind` as of commit 1'),
    ],
)  # fmt: skip
def test_the_frozen_text_is_all_of_it(saved: str, asked: str, frozen: str, save: Any, now: Any) -> None:
    """What a plan keeps needs no saved query any more: names decided, arguments in place."""
    vocabulary = save(saved)
    compiled = compile_query(asked, vocabulary, {"b": -95} if "$b" in asked and "matches" not in saved else {"b": "a"}, now)  # fmt: skip
    assert compiled.text == frozen
    assert format_statement(parse(frozen)) == frozen
    assert compile_query(frozen, vocabulary, {"b": "-95"}, now).tree is not None


@pytest.mark.parametrize(
    ("saved", "asked", "report"),
    [
        ("files where kind = $k", "@s", 'in the saved query s: no value for $k|  files where kind = $k|                     ^^|write @s(k = …)'),
        ("files where size > $k", '@s(k = "big")', 'in the saved query s: size is a number, and this is text|  files where size > $k|                     ^^|a size is written 500, 2 kB or 2 GiB'),
        ("files where kind = $k", "@s(k = (1, 2)) where size > 1", "in the saved query s: $k is a list, and one value is expected here|  files where kind = $k|                     ^^|lists go after in and has any"),
        ("files where kind = $k", '@s(k = "x", K = 1)', '@s has no parameter K|  @s(k = "x", K = 1)|              ^^^^^|did you mean k?'),
        ("files where kind = $k", '@s(k = "x", k = 1)', 'k is given twice|  @s(k = "x", k = 1)|              ^^^^^|a list is written x = (1, 2)'),
        ("files limit $k", '@s(k = "x")', "in the saved query s: limit needs a whole number, and $k is none|  files limit $k|              ^^"),
        ("files where name like $k", "@s(k = 1)", "in the saved query s: $k is no text, and a pattern is one|  files where name like $k|                        ^^"),
        ("files show name", "@s where size > 1", "in the saved query s: what is shown belongs to the end of the whole query|  files show name|        ^^^^^^^^^|take it out of the parentheses"),
        ("files", "files where size > 1 union @t", "no saved query called t|  files where size > 1 union @t|                             ^^|save it: pirene query --save t 'files where …'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_in_its_own_text(saved: str, asked: str, report: str, save: Any, now: Any) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(asked, save(saved), {}, now)
    assert caught.value.report().split("\n") == report.split("|")


def test_a_parameter_of_the_asker_is_none_of_the_saved_query(save: Any, now: Any) -> None:
    with pytest.raises(QueryError, match="no value for"):
        compile_query("@s where size > $k", save("files where kind = $k"), {"k": 1}, now)


def test_names_keep_the_meaning_that_they_had(save: Any, now: Any) -> None:
    """A version that brings a built-in field called `kind` does not change what was saved."""
    from query.vocabulary import Entity, Field, FieldType

    vocabulary = save('files where kind = "raw"')
    table = vocabulary.table

    def later(entity: Entity) -> Any:
        found = table(entity)
        return type(found)(**{
            **{name: getattr(found, name) for name in found.__slots__},
            "fields": {**found.fields, "kind": Field("kind", FieldType.TEXT, "e.name")},
        })  # fmt: skip

    vocabulary.table = later
    assert "Metadata" in json.dumps(compile_query("@s", vocabulary, {}, now).tree)
    assert "Metadata" not in json.dumps(compile_query('files where kind = "raw"', vocabulary, {}, now).tree)


def test_a_tree_that_is_not_that_of_the_text_is_refused(save: Any, now: Any) -> None:
    """Nobody is shown one query and asked another."""
    vocabulary = save('files where kind = "raw"')
    shown = SavedText('files where name = "raw"', vocabulary.trees["s"].tree)
    vocabulary.trees["s"] = shown
    with pytest.raises(QueryError, match="the saved query s is damaged"):
        compile_query("@s", vocabulary, {}, now)


def test_saved_queries_in_saved_queries(save: Any, connection: Any, now: Any) -> None:
    save("files where kind = $k", "inner")
    vocabulary = save("@inner(k = $kind) where size > $size", "outer")
    compiled = compile_query('@outer(kind = "raw", size = 2 kB)', vocabulary, {}, now)
    rows = connection.execute(compiled.sql, list(compiled.parameters)).fetchall()
    assert [row[0] for row in rows] == ["c.cat"]
    assert compiled.text == '(files where `kind` = "raw") where size > 2 kB'


def test_they_do_not_grow_without_end(save: Any, now: Any) -> None:
    save("files", "s0")
    for level in range(1, 9):
        vocabulary = save(f"@s{level - 1} union @s{level - 1} union @s{level - 1}", f"s{level}", decided=False)
    with pytest.raises(QueryTooLarge):
        compile_query("@s8", vocabulary, {}, now)
    save("@b", "a", decided=False)
    with pytest.raises(QueryError, match="the saved query a uses itself"):
        compile_query("@a", save("@a", "b", decided=False), {}, now)
    deep = "(" * 95 + "{}" + ")" * 95
    save(deep.format("files"), "d0", decided=False)
    for level in range(1, 12):
        vocabulary = save(deep.format(f"@d{level - 1}"), f"d{level}", decided=False)
    with pytest.raises(QueryTooLarge):
        compile_query("@d11", vocabulary, {}, now)


def test_a_selection_asks_for_readable_files_at_the_source(save: Any, now: Any) -> None:
    """`latest 1` within a saved query must not choose a file that is gone and hide one that is not."""
    vocabulary = save("files where kind = $k latest 1 per kind by created")
    compiled = compile_query('@s(k = "raw")', vocabulary, {}, now, selection=True)
    assert compiled.text == 'files where `kind` = "raw" and status = "ok" latest 1 per `kind` by created'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files where knd = $k", "no such key: knd"),
        ("files where kind = 5", "kind holds text only"),
        ("files as of commit 3", "a saved query carries no `as of`"),
        ("files where", "the query ends too early"),
        ("files where produced by (jobs where campain = $x)", "no such key: campain"),
    ],
)
def test_what_cannot_be_saved(text: str, message: str, small: Any, now: Any) -> None:
    with pytest.raises(QueryError, match=message):
        checked(text, small, now, name="s")


def test_parameters_are_named_in_their_order() -> None:
    assert parameters("files where b = $b and a in ($a, $b) limit $n") == ("b", "a", "n")
    assert parameters("no query") == ()


def test_a_tree_keeps_no_origin() -> None:
    node = tree.Nested(parse("files").query, origin=tree.Origin("s", "files"))
    assert node == tree.Nested(parse("files").query)
    assert "origin" not in json.dumps(tree.to_json(node))
