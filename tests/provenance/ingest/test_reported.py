from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from provenance.ingest.reported import ReportedFact, parse_reported
from provenance.metadata import Written, shown

unicode_text = st.text(st.characters(exclude_categories=("Cs",)))


def test_lines_are_facts_about_the_job():
    found = parse_reported("# made by fit.py\nchi2=1.25\n\nnote=a=b\r\nempty=\n")
    assert found.problems == ()
    assert found.facts == (
        ReportedFact(None, "chi2", Written("1.25", "untyped")),
        ReportedFact(None, "note", Written("a=b", "untyped")),
        ReportedFact(None, "empty", Written("", "untyped")),
    )


def test_a_bad_line_is_reported_and_the_others_count():
    found = parse_reported("a=1\nnonsense\n=2\nb=2\n")
    assert [fact.key for fact in found.facts] == ["a", "b"]
    assert [problem.split(":")[0] for problem in found.problems] == ["line 2", "line 3"]


def test_json_says_what_it_is_about():
    text = json.dumps(
        [
            {"score": 0.5},
            {"_type": "file", "_id": "out.fits", "_attributes": {"tags": ["a", "b"], "ok": True}},
            {"_type": "job", "_attributes": {"note": "x"}},
        ]
    )
    found = parse_reported(text)
    assert found.problems == ()
    assert {(fact.file, fact.key) for fact in found.facts} == {
        (None, "score"),
        ("out.fits", "tags"),
        ("out.fits", "ok"),
        (None, "note"),
    }


def test_json_problems_have_their_place():
    text = json.dumps(
        [1, {"_type": "planet", "_attributes": {}}, {"_type": "file", "_attributes": {}}, {"a": {"b": 1}}]
    )
    found = parse_reported(text)
    assert found.facts == ()
    assert [problem.split(":")[0] for problem in found.problems] == ["entry 0", "entry 1", "entry 2", "entry 3"]
    assert parse_reported('{"a": ').problems[0].startswith("not JSON")


def test_the_last_of_a_repeated_key_counts():
    found = parse_reported("k=1\nk=2")
    assert found.facts == (ReportedFact(None, "k", Written("2", "untyped")),)


@given(st.dictionaries(unicode_text, unicode_text))
def test_any_json_object_of_texts_comes_back(facts):
    facts.pop("_type", None)
    found = parse_reported(json.dumps(facts))
    assert found.problems == ()
    assert {fact.key: shown(fact.value.text, fact.value.type) for fact in found.facts} == facts


@given(st.text())
def test_no_text_breaks_the_reader(text):
    found = parse_reported(text)
    for fact in found.facts:
        fact.key.encode()
