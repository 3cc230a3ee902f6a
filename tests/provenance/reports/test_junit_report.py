"""JUnit XML: by its schema, by another program that reads it, and green only where the exit code is 0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import junitparser
import pytest
import xmlschema

from integrity.findings import FindingClass
from integrity.report import Coverage, LogState, LogStatus, Report
from provenance.reports.junit import junit

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


def suite_of(report: Report) -> junitparser.TestSuite:
    """The document as junitparser reads it, which must be as the schema has it."""
    document = junit(report)
    SCHEMA.validate(document.decode("utf-8"))
    (suite,) = junitparser.JUnitXml.fromstring(document)
    return suite


def test_every_finding_is_a_case(damaged: Report) -> None:
    suite = suite_of(damaged)
    outcomes = {case.result[0].type: type(case.result[0]).__name__ for case in suite if case.result}
    assert outcomes == {
        **{kind.value: "Failure" for kind in FindingClass},
        "unreadable": "Error",
        "not-verified": "Error",
    }
    assert (suite.tests, suite.failures, suite.errors) == (len(FindingClass) + 3, len(FindingClass) - 1, 2)
    assert suite.hostname.endswith("\\n.dat")
    properties = [(one.name, one.value) for one in suite.properties()]
    assert ("verified", "30") in properties
    assert ("reproduce", "pirene store check") in properties
    (swapped,) = (case for case in suite if case.result and case.result[0].type == "swapped")
    assert "found sha256 " + "02" * 32 in swapped.result[0].text
    assert "<script>" in swapped.name


@pytest.mark.parametrize("which", ["clean", "incomplete", "damaged"])
def test_it_is_green_only_where_the_audit_is(which: str, request: pytest.FixtureRequest) -> None:
    report = request.getfixturevalue(which)
    unverified = LogState(LogStatus.UNVERIFIED, 3, bytes(32), ("commits/1: unsigned", "commits/2: unsigned"))
    for one in (
        report,
        replace(report, log=LogState(LogStatus.MISMATCH, 3, bytes(32))),
        replace(report, log=unverified),
    ):
        suite = suite_of(one)
        assert (suite.failures + suite.errors == 0) is (one.exit_code == 0)


def test_an_audit_that_was_kept_from_going_on_says_how_far_it_came(clean: Report) -> None:
    for coverage, name in ((clean.coverage, "not all was looked at"), (Coverage(0, 0), "nothing was looked at")):
        suite = suite_of(replace(clean, coverage=coverage, obstacle="commits/2.json: no commit"))
        (case,) = (case for case in suite if case.name == name)
        assert case.result[0].type == "not-verified"
        assert "commits/2.json: no commit" in case.result[0].message


@pytest.mark.parametrize(
    ("status", "outcome"), [("mismatch", "Failure"), ("unverified", "Error"), ("unknown", "Error")]
)
def test_the_log_is_a_case_that_says_what_the_page_says(clean: Report, status: str, outcome: str) -> None:
    (case,) = (case for case in suite_of(replace(clean, log=LogState(LogStatus(status)))) if case.name == "log")
    (result,) = case.result
    assert (type(result).__name__, result.type) == (outcome, f"log-{status}")
    assert "see `pirene log check`" in result.message
