"""Keys, values, names and parameters made of SQL, of the language's own words and of terminal escapes are data wherever a
query meets them: they are found, shown and complained about, and neither run nor obeyed.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import subprocess
import unicodedata

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from provenance.answers.ask import answer
from provenance.answers.completion import complete
from provenance.answers.saved_queries import BadNameError
from provenance.commands.completing import complete_query
from provenance.commands.context import Invocation
from provenance.commands.fields import fields
from provenance.commands.query import query
from provenance.history.commits import CommitKind
from provenance.metadata import from_text
from provenance.metadata_rows import add_metadata
from provenance.segments.batch import Batch
from query.errors import QueryError
from query.literals import quote

AT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
HOSTILE = [
    "'; DROP TABLE files; --", "' OR '1'='1", '" or "1" = "1', "x) UNION SELECT * FROM files --", "/* */", "$1", "?",
    "files where size > 1", "where", "@saved(a = 1)", "$name", "`", "a``b", "\\", "{count} {self}", "%s %(x)s",
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\nb\r\tc", "\u202ecba", "\x9b2J", "\u2028", "\x000\x00", "-- x",
]  # fmt: skip


@pytest.fixture
def hostile(store):
    """A file for each: it is its name, its value of `kind`, and a key that has itself as its value."""
    batch = Batch()
    for number, text in enumerate(HOSTILE):
        batch.add("files", source=1, file=number, name=text, origin="raw", kind="file", created=AT, size_bytes=number)
        for key in ("kind", text):
            add_metadata(batch, "file", 1, number, key, from_text(text), origin="set", author="x", at=AT)
    store.commit(CommitKind.REGISTER, batch)
    return store


def key(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def obeyed(text: str) -> list[str]:
    """The characters that a terminal would obey."""
    return [each for each in text if each != "\n" and (unicodedata.category(each) == "Cc" or each in "\u202e\u2028")]


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_a_key_a_value_and_a_name(text, hostile):
    for condition in (f"{key(text)} = $it", f"name = $it and {key(text)} is present", "kind in $many",
                      f"name = {quote(text)}", f"kind = {quote(text)} and {key(text)} like {quote('*')}"):  # fmt: skip
        given = {"it": text, "many": [text, "another"]}
        used = {name: value for name, value in given.items() if f"${name} " in f"{condition} "}
        found = answer(hostile, f"files where {condition} show size, {key(text)} as {key(text)}", used)
        assert list(found.rows()) == [(HOSTILE.index(text), text)]
        assert [column.name for column in found.columns] == ["size", text]
        assert len(text) < 3 or text == "where" or text not in found.sql


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_a_group_and_an_order(text, hostile):
    found = list(answer(hostile, f"files summarize count({key(text)}) as {key(text + 'n')} by {key(text)}").rows())
    assert found == [(text, 1), (None, 0)]
    ordered = answer(hostile, f"files order by {key(text)} limit 1 show name").rows()
    assert list(ordered) == [(text,)]


def test_every_format_gives_it_back_and_none_that_is_looked_at_is_obeyed(hostile, run_command):
    text = "files order by size show name, kind"
    for line in (run_command(query, text).stdout, run_command(query, "files show *").stdout):
        assert obeyed(line) == []
        assert len(line.splitlines()) == len(HOSTILE) + 1
    as_json = run_command(query, text, "--format", "json").stdout
    lines = run_command(query, text, "--format", "ndjson").stdout
    assert obeyed(as_json + lines) == []
    expected = [{"name": each, "kind": each} for each in HOSTILE]
    assert json.loads(as_json) == [json.loads(line) for line in lines.split("\n") if line] == expected
    table = run_command(query, text, "--format", "csv").stdout_bytes.decode()
    assert list(csv.DictReader(io.StringIO(table, newline=""))) == expected
    rows = run_command(query, text, "--format", "parquet").stdout_bytes
    assert pq.read_table(io.BytesIO(rows)).to_pylist() == expected


@pytest.mark.parametrize("text", HOSTILE)
def test_it_is_explained_and_complained_about_safely(text, hostile, run_command):
    condition = f"files where {key(text)} = {quote(text + 'x')}"
    explained = run_command(query, condition, "--explain")
    assert obeyed(explained.stdout + explained.stderr) == []
    assert "without" in explained.stdout
    with pytest.raises(QueryError) as error:
        run_command(query, f"files where {key(text + 'x')} = 1 and kind = $p", "-p", f"p={text}")
    assert obeyed(error.value.report()) == []
    assert "^" in error.value.report()


def test_keys_are_listed_safely(hostile, run_command):
    assert obeyed(run_command(fields, "files").stdout) == []


def test_keys_that_are_offered_are_the_keys_that_are_there(hostile):
    offered = [each for each in complete(hostile, "files where ") if each.meaning == "metadata"]
    assert [each for each in offered if obeyed(each.text) or "\n" in each.text] == []
    found = {each.text: list(answer(hostile, f"{each.text} is present show name").rows()) for each in offered}
    kinds = found.pop("files where kind")
    assert len(kinds) == len(HOSTILE)
    assert {name for ((name,),) in found.values()} == {text for text in HOSTILE if text.isprintable()}


@pytest.mark.parametrize("mark", ['"', "'"])
def test_values_that_are_offered_are_the_values_that_are_there(mark, hostile):
    offered = [each.text for each in complete(hostile, f"files where kind = {mark}")]
    assert [text for text in offered if obeyed(text) or "\n" in text] == []
    names = [name for text in offered for (name,) in answer(hostile, f"{text} show name").rows()]
    written = {'"': quote, "'": lambda text: text if {"'", "\\"}.isdisjoint(text) else "\n"}[mark]
    assert sorted(names) == sorted(text for text in HOSTILE if written(text).isprintable())


@pytest.mark.parametrize("text", HOSTILE)
def test_what_follows_it_in_a_query_is_offered(text, hostile):
    (found,) = complete(hostile, f"files where {key(text)} is miss")
    assert found.word == "missing"
    values = [each.word for each in complete(hostile, f'files where {key(text)} = "')]
    assert values == ([quote(text)] if quote(text).isprintable() else [])
    begun = [each.word for each in complete(hostile, f"files where {key(text)[:-1]}") if each.meaning == "metadata"]
    assert [
        name for word in begun for (name,) in answer(hostile, f"files where {word} is present show name").rows()
    ] or not text.isprintable()
    assert complete(hostile, text) is not None


@pytest.mark.parametrize("mark", ["'", '"'])
def test_a_shell_is_offered_nothing_that_it_would_obey(mark, hostile, monkeypatch):
    """A real shell takes each suggestion, in the quotes that were opened, for one argument: the suggestion."""
    context = click.Context(query, obj=Invocation(store=str(hostile.root)))
    several = 0
    for begun in ("files where ", 'files where kind = "', "files where kind = '"):
        if mark in begun:
            continue  # there the shell's own quotes are closed
        monkeypatch.setenv("COMP_WORDS", f"pirene query {mark}{begun}")
        offered = [each.value for each in complete_query(context, query.params[0], begun)]
        several += len(offered) > 5
        line = " ".join(f"{mark}{text}{mark}" for text in offered)
        shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
        assert shown.stdout.splitlines() == offered
    assert several


def test_without_quotes_a_shell_is_offered_plain_words(hostile, monkeypatch):
    monkeypatch.setenv("COMP_WORDS", "pirene query files\\ where\\ ")
    context = click.Context(query, obj=Invocation(store=str(hostile.root)))
    offered = [each.value for each in complete_query(context, query.params[0], "files where ")]
    assert offered
    assert all(re.fullmatch(r"[\w. ]+", text) for text in offered)


@pytest.mark.parametrize("text", sorted({*HOSTILE} - {"where"}))
def test_it_is_no_name_of_a_saved_query(text, hostile, run_command):
    with pytest.raises(BadNameError) as error:
        run_command(query, "files", "--save", text.replace("@saved", "@saved "))
    assert obeyed(str(error.value)) == []
    assert len(list(answer(hostile, "files").rows())) == len(HOSTILE)


@pytest.mark.parametrize("text", HOSTILE)
def test_as_the_name_of_a_parameter_it_is_refused_or_unused(text, hostile):
    result = CliRunner().invoke(
        query, ["files", "-p", f"{text.replace('=', '')}=1"], obj=Invocation(store=str(hostile.root))
    )
    assert obeyed(result.output + str(result.exception or "")) == []
    assert result.exit_code == 2 or "the query does not use" in result.stderr
