"""What comes with an answer: parameters, notes, warnings, counts, selections, columns, `as of`, saved queries."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from query.compile import AsOf, OutputColumn, as_of, compile_query, without_each
from query.errors import QueryError, QueryMeaningError
from query.vocabulary import Entity, FieldType

NAIVE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)


@pytest.fixture
def names(small: Any, connection: Any, now: Any) -> Any:
    """The first column of the answer."""

    def asked(text: str, **parameters: object) -> list[object]:
        compiled = compile_query(text, small, parameters, now)
        return [row[0] for row in connection.execute(compiled.sql, list(compiled.parameters)).fetchall()]

    return asked


@pytest.fixture
def said(small: Any, connection: Any, now: Any) -> Any:
    """Notes and warnings of a query, counts included, as a user reads them."""

    def asked(text: str, **options: Any) -> list[str]:
        compiled = compile_query(text, small, {}, now, **options)
        found = [*compiled.notes, *compiled.warnings]
        for count in compiled.counts:
            (number,) = connection.execute(count.sql, list(count.parameters)).fetchone()
            if number:
                found.append(count.saying.said(number))
        return found

    return asked


# ---- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("files where kind = $x", "raw", ["a.fits", "c.cat"]),
        ("files where kind = $x", '"raw"', ["a.fits", "c.cat"]),
        ("files where detector_temp = $x", "-95", ["a.fits"]),
        ("files where detector_temp = $x", -95, ["a.fits"]),
        ("files where detector_temp = $x", '"-95"', ["a.fits"]),
        ("files where detector_temp = $x", '"-95.0"', []),
        ("files where detector_temp in $x", [-95, "-96"], ["a.fits", "b.fits"]),
        ("files where detector_temp in ($x, -97)", "-95", ["a.fits", "c.cat"]),
        ("files where version = $x", "1.10", ["a.fits"]),
        ("files where version = $x", 1.1, ["a.fits"]),
        ("files where flag = $x", "true", ["a.fits"]),
        ("files where flag = $x", True, ["a.fits"]),
        ("files where size > $x", "2 kB", ["c.cat"]),
        ("files where created in $x", "2026-06", ["a.fits", "b.fits", "c.cat"]),
        ("files where created in $x", dt.date(2026, 6, 1), ["a.fits", "b.fits", "c.cat"]),
        ("files where created = $x", dt.datetime(2026, 6, 1, 11, tzinfo=dt.UTC), ["a.fits"]),
        ("files where sha256 = $x", "01" * 32, ["a.fits"]),
        ("files where sha256 = $x", ("02" * 32).upper(), ["b.fits"]),
        ("files where sha256 in $x", ["01" * 32, "03" * 32], ["a.fits", "c.cat"]),
        ("files where sha256 = $x", bytes([3]) * 32, ["c.cat"]),
        ("files where name like $x", "?.fits", ["a.fits", "b.fits"]),
        ("files where name matches $x", "^[ac]", ["a.fits", "c.cat"]),
        ("files limit $x", "2", ["a.fits", "b.fits"]),
        ("files limit $x", 0, []),
        ("files where tags has any $x", ["golden", "silver"], ["a.fits"]),
        ("@good(kind = $x)", "flat", ["b.fits"]),
        ("@good(kind = $x) where size > 2000", "raw", ["c.cat"]),
        ("files where name = $x", "1' OR '1' = '1", []),
        ("files where kind = $x", "1' OR '1' = '1", []),
        ("files where `kind` = $x", "raw", ["a.fits", "c.cat"]),
    ],
)
def test_parameters(text: str, value: object, expected: list[str], names: Any) -> None:
    assert names(text, x=value) == expected


@pytest.mark.parametrize("value", [None, {}, NAIVE, [[1]], "\udcff"])
def test_parameters_that_no_literal_could_say(value: object, small: Any, now: Any) -> None:
    with pytest.raises(QueryMeaningError):
        compile_query("files where kind in ($x)", small, {"x": value}, now)


def test_text_never_reaches_sql(small: Any, now: Any) -> None:
    secret = "zaubertext"
    text = f'files where kind = "{secret}" and name like "{secret}*" or tags has "{secret}" and name in ("{secret}") ' \
           f'show name as {secret}, name as `{secret}"`'  # fmt: skip
    assert secret not in compile_query(text, small, {}, now).sql


# ---- notes and warnings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('files where not (version = "draft")', ["1 file without version kept by `not`"]),
        ('files where not (version = "draft") and version is present', []),
        ('files where version != "draft"', []),
        ("files where version > 1", ["version: 1 of 2 values is not a number and matches nothing"]),
        ('files where status = "ok"', ["status is the built-in field; the metadata key of that name is meta.status"]),
        ("files order by version", ["version is ordered as text: 1 of 2 values is no number"]),
        ("files latest 1 per version by created", ["latest: 1 file without version left out"]),
    ],
)  # fmt: skip
def test_what_a_user_is_told(text: str, expected: list[str], said: Any) -> None:
    assert said(text) == expected


def test_latest_that_only_the_id_decides_is_reported(said: Any) -> None:
    expected = ["latest: in 1 group only the id decides, workflow.id is the same"]
    assert said("files latest 1 per origin by workflow.id") == expected
    assert said("files latest 2 per origin by workflow.id") == []


def test_unused_parameters_are_named(small: Any, now: Any) -> None:
    assert compile_query("files", small, {"x": 1}, now).warnings == ("the query does not use $x",)


def test_unknown_keys_match_nothing_where_that_is_wanted(small: Any, connection: Any, now: Any) -> None:
    compiled = compile_query("files where nokey = 1 or nokey is missing", small, {}, now, unknown_keys="no match")
    assert compiled.warnings == ("no file has the key nokey yet: it matches nothing",)
    assert len(connection.execute(compiled.sql, list(compiled.parameters)).fetchall()) == 3
    unquoted = compile_query("files where name = nokey", small, {}, now, unknown_keys="no match")
    assert unquoted.warnings[0].endswith('it matches nothing; a text is written in quotes: "nokey"')
    with pytest.raises(QueryMeaningError, match="no such key: nokey"):
        compile_query("files where nokey = 1", small, {}, now)


# ---- selections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("files", 'files where status = "ok"'),
        ('files where kind = "raw"', 'files where kind = "raw" and status = "ok"'),
        ('files where a or b latest 1 per name', 'files where (a or b) and status = "ok" latest 1 per name'),
        ("files union (files limit 1)", 'files where status = "ok" union (files where status = "ok" limit 1)'),
    ],
)  # fmt: skip
def test_a_selection_shows_that_it_wants_readable_files(text: str, normal: str, small: Any, now: Any) -> None:
    compiled = compile_query(text, small, {}, now, selection=True, unknown_keys="no match")
    assert compiled.text == normal
    again = compile_query(compiled.text, small, {}, now, selection=True, unknown_keys="no match")
    assert again.text == normal


def test_what_a_selection_would_choose_if_it_saw_others(small: Any, now: Any) -> None:
    lost = ("ok", "damaged")
    compiled = compile_query("files where flag latest 1 per name", small, {}, now, selection=True, statuses=lost)
    assert compiled.text == 'files where flag and status in ("ok", "damaged") latest 1 per name'
    compiled = compile_query('files where flag and status = "ok"', small, {}, now, selection=True, statuses=lost)
    assert compiled.text == 'files where flag and status = "ok"'


def test_a_selection_chooses_files(small: Any, now: Any) -> None:
    for text in ("jobs", "files show name", "files summarize count(*)"):
        with pytest.raises(QueryMeaningError):
            compile_query(text, small, {}, now, selection=True)


def test_which_condition_to_drop(small: Any, connection: Any, now: Any) -> None:
    text = 'files where kind = "raw" and name = "b.fits" limit 5'
    conditions = without_each(text, small, {}, now, selection=True)
    found = {each.text: connection.execute(each.sql, list(each.parameters)).fetchone()[0] for each in conditions}
    assert found == {'kind = "raw"': 0, 'name = "b.fits"': 2, 'status = "ok"': 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('files where (kind = "raw" or kind = "x") and size > 1 MB', {'kind = "raw" or kind = "x"': 0, "size > 1 MB": 2}),
        ('files upstream of (jobs) where size > 1 MB', {"upstream of (jobs)": 0, "size > 1 MB": 1}),
        ('(files where kind = "x") where size > 1', {'kind = "x"': 3, "size > 1": 0}),
        ("files limit 1 where size > 1 MB limit 5", {"size > 1 MB": 1}),
        ('files where kind = "x" union files where kind = "y"', {'kind = "x"': 3, 'kind = "y"': 3}),
        ("files where size > 1 minus (files)", {"size > 1": 0, "minus (files)": 3}),
        ('@good(kind = "x") where size > 2000', {'kind = "x"': 1, "size > 2000": 0}),
        ('@good(kind = "x")', {'kind = "x"': 3}),
        ("files summarize count(*) as n by kind where n > 5", {"n > 5": 2}),
        ('files where kind = "x" summarize count(*) as n by origin where n > 5', {'kind = "x"': 0, "n > 5": 0}),
        ("files limit 0", {}),
    ],
)  # fmt: skip
def test_which_condition_to_drop_wherever_it_stands(
    text: str, expected: dict[str, int], small: Any, connection: Any, now: Any
) -> None:
    conditions = without_each(text, small, {}, now)
    found = {each.text: connection.execute(each.sql, list(each.parameters)).fetchone()[0] for each in conditions}
    assert found == expected


# ---- output ---------------------------------------------------------------------------------------------------------


def test_columns_and_keys(small: Any, connection: Any, now: Any) -> None:
    shown = "name, kind, size / 1 kB as kilo, size > 2500 as large, created - 1 h as before, job.id"
    text = f"files where size > 1000 show {shown}"
    compiled = compile_query(text, small, {}, now, keys=True)
    assert compiled.columns == (
        OutputColumn("name", FieldType.TEXT),
        OutputColumn("kind", "metadata value"),
        OutputColumn("kilo", FieldType.FLOAT),
        OutputColumn("large", FieldType.BOOLEAN),
        OutputColumn("before", FieldType.TIME),
        OutputColumn("job.id", FieldType.TEXT),
    )
    assert (compiled.entity, compiled.key_columns) == (Entity.FILES, 2)
    rows = connection.execute(compiled.sql, list(compiled.parameters)).fetchall()
    kind = {"key": "kind", "position": None, "written": "flat", "written_type": "untyped", "text_form": "flat"}
    assert rows[0] == (1, 2, "b.fits", [kind], 2.0, False, now - dt.timedelta(hours=3), None)
    assert rows[1][:3] + rows[1][4:6] + rows[1][7:] == (1, 3, "c.cat", 3.0, True, "j1")


def test_everything(small: Any, connection: Any, now: Any) -> None:
    compiled = compile_query('files where name = "a.fits" show *', small, {}, now)
    assert [column.name for column in compiled.columns] == [*small.table(Entity.FILES).fields, "metadata"]
    (row,) = connection.execute(compiled.sql, list(compiled.parameters)).fetchall()
    shown = [(value["key"], value["position"], value["text_form"]) for value in row[-1]]
    assert shown == [("detector_temp", None, "-95"), ("flag", None, "true"), ("kind", None, "raw"),
                     ("status", None, "final"), ("tags", 0, "golden"), ("tags", 1, "checked"),
                     ("version", None, "1.10")]  # fmt: skip


def test_two_columns_of_one_name_are_refused(small: Any, now: Any) -> None:
    with pytest.raises(QueryMeaningError, match="two columns called name"):
        compile_query("files show name, kind as name", small, {}, now)


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("files summarize count(*)", ["count(*)"], [(3,)]),
        ("files where size > 10000 summarize count(*), sum(size) as s", ["count(*)", "s"], [(0, None)]),
        (
            "files summarize count(*) as n, sum(size), min(created), max(detector_temp), count(version) as v "
            "by kind order by n desc",
            ["kind", "n", "sum(size)", "min(created)", "max(detector_temp)", "v"],
            [("raw", 2, 4000, dt.datetime(2026, 6, 1, 9, tzinfo=dt.UTC), -95.0, 1),
             ("flat", 1, 2000, dt.datetime(2026, 6, 1, 10, tzinfo=dt.UTC), -96.0, 1)],
        ),
        ("files summarize avg(size), median(detector_temp)", ["avg(size)", "median(detector_temp)"], [(2000.0, -96.0)]),
        ("files summarize count(*) by job.id limit 1", ["job.id", "count(*)"], [("j1", 1)]),
        ("jobs summarize sum(duration) as d, max(status) by workflow.name", ["workflow.name", "d", "max(status)"],
         [("coadd", 7200.0, "succeeded")]),
    ],
)  # fmt: skip
def test_summaries(text: str, names: list[str], expected: list[Any], small: Any, connection: Any, now: Any) -> None:
    compiled = compile_query(text, small, {}, now)
    assert [column.name for column in compiled.columns] == names
    assert connection.execute(compiled.sql, list(compiled.parameters)).fetchall() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("by kind where n > 1", [("raw", 2, 4000)]),
        ("by kind where bytes > 3 kB and n >= 1", [("raw", 2, 4000)]),
        ("by kind where not (n > 1)", [("flat", 1, 2000)]),
        ("by kind order by bytes", [("flat", 1, 2000), ("raw", 2, 4000)]),
        ("by kind order by n desc limit 1 where n = 1", []),
        ("by kind where n = 1 limit 1", [("flat", 1, 2000)]),
        ("by detector_temp", [("-97", 1, 3000), ("-96", 1, 2000), ("-95", 1, 1000)]),
        ("by detector_temp where detector_temp < -95", [("-97", 1, 3000), ("-96", 1, 2000)]),
        ("by detector_temp order by detector_temp desc limit 1", [("-95", 1, 1000)]),
        ("by version where version is missing", [(None, 1, 3000)]),
        ('by version where version = "1.10"', [("1.10", 1, 1000)]),
        ("by version where version = 1.1", [("1.10", 1, 1000)]),
        ("by job.id where `job.id` = 'j1'", [("j1", 1, 3000)]),
        ("by job.id where job.id is missing", [(None, 2, 3000)]),
        ("by origin latest 1 per n by bytes", [("produced", 1, 3000), ("raw", 2, 3000)]),
        ("by kind, origin latest 1 per kind by bytes show origin, bytes / 1 kB as kilo",
         [("raw", 2.0), ("produced", 3.0)]),
        ("by kind show n, *", "two columns called n"),
        ("by kind show n where bytes < 3000", [(1,)]),
        ("where n > 3", []),
        ("where not (n > 3)", [(3, 6000)]),
        ("by kind summarize count(*)", "what is shown is said twice|a summary of a summary"),
        ("by kind latest 1 per n", "latest by what?"),
        ("by kind where sum(size) > 1", r"the summary has no column sum\(size\)"),
    ],
)  # fmt: skip
def test_clauses_after_a_summary(text: str, expected: Any, small: Any, connection: Any, now: Any) -> None:
    """They are about groups and their columns, left to right; a key that it goes by keeps all of its forms."""
    text = f"files summarize count(*) as n, sum(size) as bytes {text}"
    if isinstance(expected, str):
        with pytest.raises(QueryMeaningError, match=expected):
            compile_query(text, small, {}, now)
        return
    compiled = compile_query(text, small, {}, now)
    assert connection.execute(compiled.sql, list(compiled.parameters)).fetchall() == expected
    assert all(isinstance(column.type, FieldType) for column in compiled.columns)


def test_what_is_said_of_groups(said: Any) -> None:
    text = "files summarize count(*) as n by version where not (version = 1)"
    warning = "version: 1 of 2 values is not a number and matches nothing"
    assert said(text) == [warning, "1 group without version kept by `not`"]
    assert said("files summarize max(version)") == ["version is ordered as text: 1 of 2 values is no number"]


def test_values_that_some_of_a_list_can_answer_are_not_warned_of(said: Any) -> None:
    assert said('files where version in (1.1, "draft")') == []
    assert said("files where version in (1.1, 2)") == ["version: 1 of 2 values is not a number and matches nothing"]


def test_not_in_an_empty_list_is_whatever_is_there(names: Any) -> None:
    assert names("files where version not in $x", x=[]) == ["a.fits", "b.fits"]
    assert names("files where version in $x", x=[]) == []
    assert names("files where tags not has any $x", x=[]) == ["a.fits"]


def test_a_key_that_a_path_hides_is_named(load: Any, plain: Any, now: Any) -> None:
    forms = ("position", "integer_form", "float_form", "boolean_form", "time_form", "written", "written_type")
    value = {"entity": "file", "source": 1, "number": 1, "key": "job.id", "text_form": "x", **dict.fromkeys(forms)}
    found = compile_query('files where job.id = "x"', load(plain(metadata=[value])), {}, now)
    assert found.notes == ("job.id follows the path; the metadata key of that name is `job.id`",)


def test_tree_is_json_and_names_are_resolved(small: Any, now: Any) -> None:
    tree = compile_query('files where name = "x" and kind = "raw"', small, {}, now).tree
    text = json.dumps(tree, allow_nan=False)
    assert '{"node": "BuiltIn"' in text and '{"node": "Metadata"' in text


# ---- as of, saved queries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("files", None),
        ("files as of commit 42", AsOf(commit=42)),
        ("files as of commit $n", AsOf(commit=7)),
        ("files as of 2026-05-01T10:00:00Z", AsOf(time=dt.datetime(2026, 5, 1, 10, tzinfo=dt.UTC))),
        ("files as of 2026-05-01", AsOf(time=dt.datetime(2026, 5, 1, 23, 59, 59, 999999, tzinfo=dt.UTC))),
        ("files as of $t", AsOf(time=dt.datetime(2026, 5, 31, 23, 59, 59, 999999, tzinfo=dt.UTC))),
    ],
)
def test_as_of(text: str, expected: AsOf | None, small: Any, now: Any) -> None:
    assert as_of(text, {"n": "7", "t": "2026-05"}, now) == expected
    assert compile_query(text, small, {"n": "7", "t": "2026-05"}, now).as_of == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@nothing", "no saved query called nothing"),
        ("@loop", "the saved query loop uses itself"),
        ("@broken", "in the saved query broken: no such key: nokey"),
        ('@good(kind = "raw", knd = 1)', "@good has no parameter knd"),
        ("@good", "in the saved query good: no value for $kind"),
    ],
)
def test_saved_queries_that_fail(text: str, message: str, small: Any, now: Any) -> None:
    with pytest.raises(QueryError) as caught:
        compile_query(text, small, {}, now)
    assert str(caught.value) == message


def test_now_needs_a_time_zone(small: Any) -> None:
    with pytest.raises(ValueError, match="time zone"):
        compile_query("files", small, {}, NAIVE)
