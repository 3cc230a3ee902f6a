"""Queries made in Python are the trees of their texts."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.builder import (
    F,
    Query,
    agg,
    checks,
    downstream_of,
    everything,
    files,
    jobs,
    month,
    now,
    param,
    quantity,
    related,
    replicas,
    saved,
    upstream_of,
    workflows,
)
from query.errors import QueryError
from query.parse import parse

EXAMPLES = (Path(__file__).with_name("golden") / "examples.txt").read_text(encoding="utf-8").splitlines()
BAD = files().where(F.sha256 == param("bad"))
RAW = files().where(F.kind == "raw")
BUILT = [
    files().where((F.kind == "raw") & F.run.in_range(5140, 5152) & (F.detector_temp < -95)),
    files().where(F.name.like("*_R2.fastq.gz") & (F.size > quantity(2, "GiB")) & F.created.in_(month(2026, 3))),
    files().where(F.sample.tissue.is_missing()),
    files().where(~(F.qc.status == "bad")),
    files().where(F.tags.has_any("golden", "silver") & ~F.tags.has_any("retracted")),
    files().where(F.created > now - quantity(7, "days")).order_by(F.created.desc()).limit(20),
    files().where(F.kind == "calexp", F.job.transformation == "isr", F.workflow.campaign == "DR3"),
    files(upstream_of(files().where(F.name == "catalog_v7.parquet"))).where(F.kind == "raw"),
    files(downstream_of(BAD, within=(1, 3))),
    jobs().where(related("consuming", BAD) & (F.status == "succeeded")),
    files().where(related("produced by", jobs().where(F.status != "succeeded"))),
    files().where(~related("consumed  by", jobs()) & (F.workflow.id == param("wf"))),
    files().where(F.kind == "calexp").latest(1, per=[F.tract, F.band], by=F.created),
    files().where(F.kind == "raw").limit(9).minus(files(upstream_of(files().where(F.kind == "calexp"))).limit(9)),
    saved("good_raw", campaign="DR3").where(F.qc.score >= 0.8),
    RAW.summarize(agg.count().as_("n"), agg.sum(F.size).as_("bytes"), by=[F.site, F.campaign]).order_by(F.bytes.desc()),
    files(related("with the content of", files().where(F.name == "raw_001.fits"))),
    replicas(related("of", RAW)).where(F.site.in_("ncsa", "slac") & ~(F.verified >= now - quantity(30, "days"))),
    RAW.as_of(dt.date(2026, 5, 1)),
    jobs().where(F.duration > quantity(2, "h"), F.max_rss > 0.9 * F.memory_requested),
    workflows().where(F.status == "failed", F.started > now - quantity(1, "day")).show(F.id, F.name, F.user, F.started),
    checks().where(F.verdict == "mismatch", F.stage == "pre-exec").summarize(agg.count(), by=[F.host]),
    jobs().where(F.transformation == "align", (F.status == "failed") | (F.duration > 10 * quantity(60, "s")))
    .order_by(F.duration.desc()),
    files().where(F.run % 2 == 1, F.meta.status == "final").show(everything),
    files().where(F.status == "ok", ~F.sites.has("tape")).limit(100),
]  # fmt: skip


@pytest.mark.parametrize("number", range(25))
def test_the_examples(number: int) -> None:
    built, text = BUILT[number], EXAMPLES[number]
    if number == 13:  # parentheses around a plain set leave no trace in Python: limits ask for them
        text = text.replace('"raw")', '"raw" limit 9)').replace('"calexp"))', '"calexp") limit 9)')
    assert built.statement == parse(text)
    assert built.text == text


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (files().where(F["exposure id"] == 1), "files where `exposure id` = 1"),
        (files().where(F.job["exposure id"] == -1.5), "files where job.`exposure id` = -1.5"),
        (files().where(F.flag.is_true() & ~F.flag.is_true()), "files where flag and not flag"),
        (RAW.where(F.run > 1), 'files where kind = "raw" and run > 1'),
        (RAW.limit(3).where(F.run > 1), 'files where kind = "raw" limit 3 where run > 1'),
        (RAW.union(files()).where(F.run > 1), '(files where kind = "raw" union files) where run > 1'),
        (RAW.intersect(files(), files()), 'files where kind = "raw" intersect files intersect files'),
        (files().where(F.a.is_present() | F.b.matches("^x") | F.c.has_all(1, 2)),
         'files where a is present or b matches "^x" or c has all (1, 2)'),
        (files().where((F.a == 1) & ((F.b == 2) | (F.c == 3))), "files where a = 1 and (b = 2 or c = 3)"),
        (files().where(1 - F.a < -F.b / 2, 1 / F.a > 2 + F.b), "files where 1 - a < -b / 2 and 1 / a > 2 + b"),
        (files().where(F.a.between(1, 2)).as_of(7), "files where a between 1 and 2 as of commit 7"),
        (files().where(F.a == dt.timedelta(milliseconds=-1500)), "files where a = -1.5 s"),
        (files().where(F.a == dt.timedelta(days=1)), "files where a = 86400 s"),
        (files().where(F.a > dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
         "files where a > 2026-01-02T01:00:00+00:00"),
        (files().where(F.a.in_(param("xs"))).limit(param("n")), "files where a in $xs limit $n"),
        (saved("@good", runs=[1, 2], kind=param("k")), "@good(runs = (1, 2), kind = $k)"),
        (files().show(F.a, (F.a + 1).as_("b c"), (F.a == 1).as_("d")), "files show a, a + 1 as `b c`, a = 1 as d"),
        (files().order_by(F.a, F.b.asc()), "files order by a, b asc"),
        (files().where(F.a == True), "files where a = true"),  # noqa: E712
    ],
)  # fmt: skip
def test_what_a_text_would_be(built: Query, text: str) -> None:
    assert built.statement == parse(text)
    assert built.text == text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: bool(F.a == 1), "join conditions with & | ~"),
        (lambda: 1 < F.a < 2, "join conditions with & | ~"),
        (lambda: files().where(not F.a), "join conditions with & | ~"),
        (lambda: files().where(F.a), "a condition is expected here"),
        (lambda: files().where(F.a == None), "no literal stands for a value like this: None"),  # noqa: E711
        (lambda: files().where(F.a == float("nan")), "no literal stands for nan"),
        (lambda: files().where(F.a > dt.datetime(2026, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)), "without a time zone"),
        (lambda: files().where(), "one condition at least"),
        (lambda: files().where(F.a.in_()), "an empty list"),
        (lambda: files(F.a == 1), "takes a relation"),
        (lambda: files("jobs"), "takes a relation"),  # type: ignore[arg-type]
        (lambda: files(upstream_of(files().as_of(1))), "`as of` belongs to the whole query"),
        (lambda: files().union(files().as_of(1)), "`as of` belongs to the whole query"),
        (lambda: files().latest(per=[agg.count()]), "a field is expected here"),  # type: ignore[list-item]
        (lambda: files().show(F.now).text, "says something else as a text"),
    ],
)  # fmt: skip
def test_what_python_would_make_of_it_silently_is_refused(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises((QueryError, TypeError), match=message):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: files().limit("3"), r"limit\(\) takes a whole number, or param\(…\), found '3'"),
        (lambda: files().limit(True), "found True"),
        (lambda: files().limit(2.5), "found 2.5"),
        (lambda: files().limit(quantity(2, "kB")), "found <Value 2 kB>"),
        (lambda: files().latest(True, per=[F.a]), r"latest\(\) takes a whole number, found True"),
        (lambda: files().latest(per=F.a), r"per and by takes a list of fields, as \[F.name\], found <Field a>"),
        (lambda: files().latest(per="ab"), "found 'ab'"),
        (lambda: files().as_of(True), r"as_of\(\) takes a whole number, or a date, a time with a zone, or param\(…\)"),
        (lambda: files().as_of("2026-05-01"), "takes the number of a commit, a date, .*found '2026-05-01'"),
        (lambda: files().as_of(1.5), "found 1.5"),
        (lambda: files().as_of(now), "found <Value now>"),
        (lambda: F.a.like(5), r"like\(\) takes a pattern as a text, or param\(…\), found 5"),
        (lambda: F.a.like(F.b), "found <Field b>"),
        (lambda: F.a.matches(None), r"matches\(\) takes .*found None"),
        (lambda: F.a.as_(5), r"as_\(\) takes a name, found 5"),
        (lambda: F[5], r"F\[…\] takes the name of a key, found 5"),
        (lambda: F.a[""], "found ''"),
        (lambda: list(F.a), "takes the name of a key, found 0"),
        (lambda: "x" in F.tags, "takes the name of a key, found 0"),
        (lambda: param(5), r"param\(\) takes the name of a parameter"),
        (lambda: quantity("2", "GiB"), r"quantity\(\) takes a number and its unit, found '2'"),
        (lambda: quantity(True, "GiB"), "found True"),
        (lambda: files().order_by("name"), r"order_by\(\) takes fields, as F.name or F.name.desc\(\), found 'name'"),
        (lambda: files().union(files), r"union\(\) takes queries, found <function files"),
        (lambda: upstream_of("files"), "upstream of takes a query, found 'files'"),
        (lambda: upstream_of(files(), within="3"), "within takes a whole number, or two of them, found '3'"),
        (lambda: upstream_of(files(), within=(1, True)), "within takes a whole number, found True"),
    ],
)  # fmt: skip
def test_arguments_of_another_kind_are_refused_at_once(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: files().limit(-1), r"limit\(\) takes a whole number of 0 or more, found -1"),
        (lambda: files().latest(0, per=[F.a]), r"latest\(\) takes a whole number of 1 or more, found 0"),
        (lambda: files().as_of(-1), "0 or more, found -1"),
        (lambda: downstream_of(files(), within=(-1, 3)), "within takes a whole number of 0 or more"),
    ],
)  # fmt: skip
def test_numbers_that_the_language_has_no_words_for_are_refused_at_once(
    wrong: Callable[[], object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()


def test_terms_can_be_copied_and_shown() -> None:
    assert copy.copy(F.a.b).node == F.a.b.node
    assert repr(F.a == 1) == "<Condition a = 1>"
    with pytest.raises(TypeError, match="unhashable"):
        hash(F.a)


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8),
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=("Cs",)))
    | st.booleans() | st.dates(min_value=dt.date(1000, 1, 1)) | st.timedeltas(),
)  # fmt: skip
def test_any_name_and_value_parses_to_itself(name: str, value: object) -> None:
    built = files().where(F[name] == value)
    assert parse(built.text) == built.statement
