"""The report of an audit on a terminal: the verdict, how much it covers, and one paragraph for each finding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provenance.answers.output import time_text
from provenance.reports.wording import amount_of_bytes, percent
from query.context import amount
from query.terminal_text import harmless

if TYPE_CHECKING:
    from integrity.findings import Finding
    from integrity.report import Report, Sample


def lines(report: Report) -> Iterator[str]:
    """The report, line by line."""
    coverage = report.coverage
    found = f"{amount(len(report.findings), 'findings')}; " if report.findings else ""
    yield f"{report.verdict.value}: {found}{coverage.verified} of {coverage.replicas} copies read and compared"
    if coverage.never_verified:
        yield f"{coverage.never_verified} copies were never verified"
    if coverage.unprotected:
        yield f"{coverage.unprotected} copies have no digest to compare them with"
    for gap in coverage.gaps:
        more = ", …" if gap.copies > len(gap.examples) else ""
        yield f"not verified: {gap.copies}, {gap.reason.value} ({harmless(', '.join(gap.examples))}{more})"
    if report.sample is not None:
        yield from _sample(report.sample)
    for finding in report.findings:
        yield ""
        yield from _finding(finding)
    yield ""
    effort = report.effort
    yield f"read {amount_of_bytes(effort.read_bytes)} in {effort.seconds:.3g} s"
    for command in report.reproduce:
        yield f"again: {harmless(command)}"


def _sample(sample: Sample) -> Iterator[str]:
    yield (
        f"sample: {sample.read} of {sample.wanted} that were drawn from {sample.population} copies,"
        f" {sample.damaged} damaged (seed: commit {sample.commit})"
    )
    if sample.read < sample.population:
        yield f"at 95 % confidence at most {percent(sample.rate_at_most)} of these copies are damaged"


def _finding(finding: Finding) -> Iterator[str]:
    seen = f"{finding.stage}, first seen {time_text(finding.first_seen)}"
    yield f"{finding.kind.value}: {harmless(finding.name)}  ({seen})"
    if finding.url:
        yield f"  at        {harmless(finding.url)}"
    yield f"  expected  {_content(finding.expected_sha256, finding.expected_size)}"
    yield f"  found     {_content(finding.actual_sha256, finding.actual_size)}"
    if finding.affected_jobs:
        yield f"  read by   {harmless(', '.join(finding.affected_jobs))}"
    if finding.affected_files:
        yield f"  affects   {harmless(', '.join(finding.affected_files))}"


def _content(sha256: bytes | None, size: int | None) -> str:
    digest = "nothing" if sha256 is None else f"sha256 {sha256.hex()}"
    return digest if size is None else f"{digest}, {size} bytes"
