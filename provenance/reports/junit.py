"""The report of an audit as JUnit XML, which continuous integration shows as it shows tests.

One case for each finding, for each reason why copies were not verified, for the log, and one for all copies that are
good. Damage is a failure, what could not be told is an error: the suite passes only where the audit's exit code is 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never
from xml.etree import ElementTree

from integrity.findings import Verdict, meaning
from integrity.report import LogStatus
from provenance.reports.wording import (
    comparison,
    copies,
    in_words,
    log_in_words,
    not_looked_at,
    place,
    scope_in_words,
    what_is_known,
)
from query.terminal_text import harmless, harmless_lines

if TYPE_CHECKING:
    from integrity.findings import Finding
    from integrity.report import LogState, Report

_SUITE = "pirene audit"


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    group: str
    outcome: Literal["passed", "failure", "error"] = "passed"
    kind: str = ""
    message: str = ""
    details: str = ""


def junit(report: Report) -> bytes:
    """The document, in UTF-8."""
    cases = list(_cases(report))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.outcome == "failure" for case in cases)),
        "errors": str(sum(case.outcome == "error" for case in cases)),
    }
    seconds = f"{report.effort.seconds:.3f}"
    root = ElementTree.Element("testsuites", {"name": _SUITE, **counts, "time": seconds})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _SUITE, **counts, "skipped": "0", "time": seconds})
    if report.at is not None:
        suite.set("timestamp", report.at.replace(tzinfo=None).isoformat(timespec="seconds"))
    if report.host is not None:
        suite.set("hostname", harmless(report.host))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(report):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for case in cases:
        element = ElementTree.SubElement(suite, "testcase", {"name": case.name, "classname": case.group, "time": "0"})
        if case.outcome != "passed":
            outcome = ElementTree.SubElement(element, case.outcome, {"type": case.kind, "message": case.message})
            outcome.text = case.details
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    coverage = report.coverage
    yield "scope", scope_in_words(report)
    yield "verdict", report.verdict.value
    yield "replicas", str(coverage.replicas)
    yield "verified", str(coverage.verified)
    yield "never_verified", str(coverage.never_verified)
    yield "unprotected", str(coverage.unprotected)
    for command in report.reproduce:
        yield "reproduce", harmless(command)


def _cases(report: Report) -> Iterator[_Case]:
    yield _Case(f"{copies(report.coverage.verified)} read and compared", "coverage")
    said = not_looked_at(report)
    if said is not None:
        name = "not all was looked at" if report.coverage.replicas else "nothing was looked at"
        yield _Case(name, "coverage", "error", "not-verified", said)
    for finding in report.findings:
        yield _of_finding(finding)
    for gap in report.coverage.gaps:
        examples = harmless(", ".join(gap.examples))
        name = f"not verified: {gap.reason.value}"
        yield _Case(name, "coverage", "error", "not-verified", f"{copies(gap.copies)}: {gap.reason.value}", examples)
    yield _of_log(report.log)


def _of_log(log: LogState) -> _Case:
    details = harmless_lines("\n".join(log.unverified))
    match log.status:
        case LogStatus.ABSENT | LogStatus.CONSISTENT:
            return _Case(f"log: {log.status.value}", "log")
        case LogStatus.MISMATCH:
            return _Case("log", "log", "failure", "log-mismatch", log_in_words(log.status), details)
        case LogStatus.UNVERIFIED | LogStatus.UNKNOWN:
            return _Case("log", "log", "error", f"log-{log.status.value}", log_in_words(log.status), details)
    assert_never(log.status)


def _of_finding(finding: Finding) -> _Case:
    name = harmless(finding.name)
    where = place(finding.url)
    compared = comparison(finding)
    details = "\n".join(
        (
            *(() if compared is None else (f"expected {compared[0]}", f"found {compared[1]}")),
            *(() if finding.error is None else (harmless(finding.error),)),
            what_is_known(finding),
            f"read by {harmless(', '.join(finding.read_by)) or 'no job'}",
            f"affects {harmless(', '.join(finding.affected_files)) or 'no other file'}",
            f"by way of {harmless(', '.join(finding.affected_jobs)) or 'no job'}",
        )
    )
    outcome: Literal["failure", "error"] = "error" if meaning(finding.kind) is Verdict.INCOMPLETE else "failure"
    message = f"{name}: {in_words(finding.kind)}"
    return _Case(f"{name} at {where}" if where else name, "findings", outcome, finding.kind.value, message, details)
