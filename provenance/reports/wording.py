"""What reports say in words: verdicts, classes of findings, figures. One place, so that all formats say the same."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, assert_never

from integrity.findings import FindingClass, Verdict, meaning
from integrity.report import LogStatus
from provenance.urls import local_path
from query.context import amount
from query.terminal_text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from integrity.findings import Finding, Sight
    from integrity.report import Overhead, Report, Sample

REDIRECTIONS = "where its standard input and output came from and went is not recorded: add < and > as they were"
"""Of a command of `pirene exec` that is to be given again."""
_STEP = 1000
_STAGES = {
    "stage-in": "on its way to {job}",
    "pre-exec": "before {job} started",
    "post-exec": "after {job} had ended",
    "output": "when {job} had made it",
    "stage-out": "on its way from {job}",
    "audit": "in an audit",
    "scrub": "in a scrub",
}
"""Stages of the pipeline, as what was the case when somebody looked."""


def amount_of_bytes(size_bytes: float) -> str:
    """A size in bytes with three digits and a unit of a power of 1000: 999 B, 1.23 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < _STEP:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= _STEP
    return f"{size_bytes:.4g} TB"


def copies(count: int) -> str:
    """`1 copy`, `1 204 copies`."""
    return "1 copy" if count == 1 else amount(count, "copies")


def percent(share: float) -> str:
    """A part of one in percent, with three digits."""
    return f"{100 * share:.3g} %"


def in_words(finding: FindingClass) -> str:
    """What is wrong with a copy, for somebody who does not know the classes."""
    match finding:
        case FindingClass.CONTENT_MISMATCH:
            return "its bytes are not the recorded ones"
        case FindingClass.TRUNCATED:
            return "bytes are missing: it is shorter than recorded"
        case FindingClass.APPENDED:
            return "the recorded bytes, with more after them"
        case FindingClass.MISSING:
            return "it is gone"
        case FindingClass.UNEXPECTED:
            return "something else is in its place: a folder, or a file"
        case FindingClass.SWAPPED:
            return "it holds the content of another file"
        case FindingClass.STALE:
            return "it holds an earlier version"
        case FindingClass.UNREADABLE:
            return "it could not be read"
        case FindingClass.CATALOG_MISMATCH:
            return "a file of the store is not what was committed"
        case FindingClass.LOG_MISMATCH:
            return "a file of the log is not the one that was made"
    assert_never(finding)


def verdict_in_words(report: Report) -> str:
    """One sentence that says how it stands."""
    coverage = report.coverage
    match report.verdict:
        case Verdict.CLEAN:
            read = "The one copy was" if coverage.verified == 1 else f"All {copies(coverage.verified)} were"
            return f"{read} read, and every byte is as recorded."
        case Verdict.DAMAGED:
            return _damage(report)
        case Verdict.INCOMPLETE if not coverage.replicas and (said := not_looked_at(report)) is not None:
            return said
        case Verdict.INCOMPLETE if coverage.verified == coverage.replicas:
            return f"All {copies(coverage.replicas)} are as the store says. {log_in_words(report.log.status)}"
        case Verdict.INCOMPLETE:
            verified = f"{coverage.verified} of {copies(coverage.replicas)}"
            return f"No damage was found, but only {verified} could be verified."
        case Verdict.TAMPERED:
            return "What is in the store is not what was recorded in its tamper-evident log."
    assert_never(report.verdict)


def log_in_words(status: LogStatus) -> str:
    """What the tamper-evident log says of the store."""
    match status:
        case LogStatus.ABSENT:
            return "This store has no tamper-evident log: nobody could tell if its history had been rewritten."
        case LogStatus.CONSISTENT:
            return "Every commit is the one that the log has."
        case LogStatus.UNVERIFIED:
            return "Not all that the store says is signed by a key that is trusted here: see `pirene log check`."
        case LogStatus.UNKNOWN:
            return "The tamper-evident log could not be compared with the store: see `pirene log check`."
        case LogStatus.MISMATCH:
            return "Some commit, segment or file of the log is not what was recorded: see `pirene log check`."
    assert_never(status)


MEND_THE_STORE = (
    "trust no answer of this store until its damaged files are restored, from a backup or another copy of the store"
    " (`pirene log check` names every place); then audit again"
)
"""What to do first where commits, segments or the log are not what they were."""


def is_of_store(finding: Finding) -> bool:
    """Whether it is the store itself that is wrong, and not a copy of a file."""
    return comparison(finding) is None


def is_store_in_doubt(report: Report) -> bool:
    """Whether what the store says of files cannot be relied on."""
    return report.obstacle is not None or any(map(is_of_store, report.findings))


def obstacle_in_words(report: Report) -> str | None:
    """What the audit could not do because the store is damaged; None: it did all."""
    if report.obstacle is None:
        return None
    kept = "what was read is below, but not what depends on it" if report.coverage.replicas else "no copy was looked at"
    return f"The store itself is damaged or cannot be read, so {kept}: {harmless(report.obstacle)}"


def not_looked_at(report: Report) -> str | None:
    """Why copies were not looked at: because of damage of the store, or because there are none; None: neither."""
    if report.obstacle is not None or report.coverage.replicas:
        return obstacle_in_words(report)
    if "location" in report.scope:
        location = harmless(str(report.scope["location"]))
        return f"The store {location} holds no copies of files: is it the one that is meant?"
    return "None of what was asked for has a copy that is to be here."


def _damage(report: Report) -> str:
    bad = [finding for finding in report.findings if meaning(finding.kind) is Verdict.DAMAGED]
    affected = affected_files(bad)
    verb, them = ("is", "it") if len(bad) == 1 else ("are", "them")
    made = f"{amount(len(affected), 'other files')} {'was' if len(affected) == 1 else 'were'} made with {them}"
    return (
        f"{copies(len(bad))} {verb} damaged or missing; {made if affected else f'nothing else was made with {them}'}."
    )


def affected_files(bad: Iterable[Finding]) -> list[str]:
    """Names of files downstream of damage that are not damaged themselves."""
    bad = list(bad)
    return sorted({name for finding in bad for name in finding.affected_files} - {finding.name for finding in bad})


def scope_in_words(report: Report) -> str:
    """What was looked at."""
    scope = report.scope
    if "workflow" in scope:
        return f"run {scope.get('run')} of workflow {harmless(str(scope['workflow']))}"
    if "query" in scope:
        return harmless(str(scope["query"]))
    what = f"{harmless(str(scope['asked']))} in" if "asked" in scope else "all files in"
    return f"{what} the store {harmless(str(scope.get('location', scope.get('store'))))}"


def place(url: str) -> str:
    """Where a copy is: its path if it is on this machine."""
    path = local_path(url) if url else None
    return harmless(str(path) if path is not None else url)


def comparison(finding: Finding) -> tuple[str, str] | None:
    """(what was expected of the bytes, what was found of them), as far as it is known; None: it is no matter of bytes,
    and the finding's ``error`` says all.
    """
    known = (finding.expected_sha256, finding.expected_size, finding.actual_sha256, finding.actual_size)
    if not finding.url and set(known) == {None}:
        return None
    found = "nothing" if finding.kind is FindingClass.MISSING else content(finding.actual_sha256, finding.actual_size)
    return content(finding.expected_sha256, finding.expected_size), found


def content(sha256: bytes | None, size_bytes: int | None) -> str:
    """A digest and a size, as far as they are known."""
    known = [] if sha256 is None else [f"sha256 {sha256.hex()}"]
    if size_bytes is not None:
        known.append(amount(size_bytes, "bytes"))
    return ", ".join(known) or "not known"


def sight(seen: Sight | None) -> str:
    """Who looked when and where: `before job b of left started, on node0, 2026-11-23 05:20:00 UTC`."""
    if seen is None:
        return "not known"
    workflow = f" of {harmless(seen.workflow)}" if seen.workflow is not None else ""
    job = "a job" if seen.job is None else f"job {harmless(seen.job)}{workflow}"
    host = f", on {harmless(seen.host)}" if seen.host else ""
    return f"{_STAGES.get(seen.stage, seen.stage).format(job=job)}{host}, {moment(seen.at)}"


def moment(at: dt.datetime) -> str:
    """A time in UTC, to the second."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def what_is_known(finding: Finding) -> str:
    """Between which looks it came about, in one line."""
    return f"last good: {sight(finding.last_good)}; first bad: {sight(finding.first_bad)}"


def sample_in_words(sample: Sample) -> tuple[str, str]:
    """What was drawn and found; and what that says of all from which it was drawn."""
    drawn = (
        f"{sample.read} of {sample.wanted} that were drawn from {copies(sample.population)},"
        f" {sample.damaged} damaged (seed: commit {sample.commit})"
    )
    if sample.earliest is not None:
        now = sample.read - sample.read_earlier
        drawn += f"; {now} read now, {sample.read_earlier} earlier, since {moment(sample.earliest)}"
    if sample.read >= sample.population:
        return drawn, "these are all copies that could be drawn"
    return drawn, f"at 95 % confidence at most {percent(sample.rate_at_most)} of these copies are damaged"


def overhead_in_words(overhead: Overhead) -> str:
    """What verification cost the jobs."""
    times = f"{overhead.verification_seconds:.3g} s of hashing for {overhead.job_seconds:.3g} s of jobs"
    return times if overhead.share is None else f"{times}: {percent(overhead.share)}"
