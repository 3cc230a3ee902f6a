"""The report of an audit on a terminal: the verdict, how much it covers, one paragraph for each finding, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from provenance.answers.json_text import time_text
from provenance.reports.wording import (
    MEND_THE_STORE,
    REDIRECTIONS,
    amount_of_bytes,
    comparison,
    copies,
    is_store_in_doubt,
    not_looked_at,
    overhead_in_words,
    place,
    sample_in_words,
    sight,
)
from query.context import amount
from query.terminal_text import harmless

if TYPE_CHECKING:
    from integrity.findings import Finding
    from integrity.report import Coverage, Report


def in_brief(report: Report) -> Iterator[str]:
    """The verdict, and a line for each finding: for those who look only when something is wrong."""
    yield from _verdict(report)
    for finding in report.findings:
        where = f"  {place(finding.url)}" if finding.url else ""
        yield f"{finding.kind.value}: {harmless(finding.name)}{where}"


def lines(report: Report, *, with_repair_plan: bool = False) -> Iterator[str]:
    """The report, line by line."""
    yield from _verdict(report)
    yield from _coverage(report.coverage)
    if report.sample is not None:
        drawn, bound = sample_in_words(report.sample)
        yield f"sample: {drawn}"
        yield bound
    for finding in report.findings:
        yield ""
        yield from _finding(finding)
    yield ""
    yield f"log: {report.log.status.value}"
    for unverified in report.log.unverified:
        yield f"  not verified: {harmless(unverified)}"
    yield f"read {amount_of_bytes(report.effort.read_bytes)} in {report.effort.seconds:.3g} s"
    if report.overhead is not None:
        yield f"verification of jobs: {overhead_in_words(report.overhead)}"
    for command in report.reproduce:
        yield f"again: {harmless(command)}"
    if with_repair_plan:
        yield ""
        yield from _repair(report)
    elif report.repair:
        yield "what brings the files back: --repair-plan"


def _verdict(report: Report) -> Iterator[str]:
    coverage = report.coverage
    found = f"{amount(len(report.findings), 'findings')}; " if report.findings else ""
    yield f"{report.verdict.value}: {found}{coverage.verified} of {copies(coverage.replicas)} read and compared"
    said = not_looked_at(report)
    if said is not None:
        yield said


def _coverage(coverage: Coverage) -> Iterator[str]:
    if coverage.never_verified:
        yield f"{copies(coverage.never_verified)} never verified, neither now nor before"
    if coverage.unprotected:
        yield f"{copies(coverage.unprotected)} without a digest to compare with"
    for gap in coverage.gaps:
        more = ", …" if gap.copies > len(gap.examples) else ""
        yield f"not verified: {gap.copies}, {gap.reason.value} ({harmless(', '.join(gap.examples))}{more})"


def _finding(finding: Finding) -> Iterator[str]:
    seen = f"{finding.stage}, first seen {time_text(finding.first_seen)}"
    yield f"{finding.kind.value}: {harmless(finding.name)}  ({seen})"
    if finding.url:
        yield f"  at        {harmless(finding.url)}"
    compared = comparison(finding)
    if compared is not None:
        yield f"  expected  {compared[0]}"
        yield f"  found     {compared[1]}"
    if finding.error is not None:
        yield f"  {'error     ' if compared else ''}{harmless(finding.error)}"
    if finding.last_good is not None:
        yield f"  was good  {sight(finding.last_good)}"
    if finding.first_bad is not None:
        yield f"  was bad   {sight(finding.first_bad)}"
    if finding.read_by:
        yield f"  read by   {harmless(', '.join(finding.read_by))}"
    if finding.affected_files:
        yield f"  affects   {harmless(', '.join(finding.affected_files))}"
    if set(finding.affected_jobs) - set(finding.read_by):
        yield f"  by way of {harmless(', '.join(finding.affected_jobs))}"
    for url in finding.good_copies:
        yield f"  good at   {harmless(url)}"


def _repair(report: Report) -> Iterator[str]:
    """What to do, in the order of its doing."""
    plan, again = report.repair, report.reproduce[0]
    if is_store_in_doubt(report):
        yield f"first of all: {MEND_THE_STORE}"
    elif not plan:
        yield "nothing has to be repaired"
    if not plan:
        return
    yield "to repair, in this order:"
    for restore in plan.restores:
        digest = "" if restore.sha256 is None else f" (sha256 {restore.sha256.hex()})"
        yield f"  restore   {harmless(restore.name)}{digest}: no good copy is known, and no job makes it"
        for url in restore.urls:
            yield f"            at {place(url)}"
    for recopy in plan.recopies:
        yield f"  copy      {place(recopy.good[0])} to {place(recopy.url)}"
    for command in plan.commands:
        yield f"  $ {harmless(command)}"
    if plan.restores or plan.recopies:
        yield "  audit     again: that is how the store learns of the good copies"
        yield f"  $ {harmless(again)}"
    for rerun in plan.reruns:
        makes = harmless(", ".join(rerun.makes))
        yield f"  run       job {harmless(rerun.job)} of workflow {harmless(rerun.workflow)}, which makes {makes}"
        if rerun.command is not None:
            yield f"  $ {harmless(rerun.command)}"
    if any(rerun.command is not None for rerun in plan.reruns):
        yield f"            {REDIRECTIONS}"
    if any(rerun.command is None for rerun in plan.reruns):
        yield "            by planning it again (`pirene run WORKFLOW.yml`): these jobs run, all others are reused"
        for folder in dict.fromkeys(rerun.folder for rerun in plan.reruns if rerun.command is None and rerun.folder):
            yield f"            it was planned in {harmless(folder)}"
    if plan.reruns:
        yield "  audit     again: what is made anew elsewhere is copied to where it was, as that plan says"
