"""`pirene log check`: every byte of commits, segments and log, against all that was recorded of it.

The check of a store (`provenance.check.whole`) says whether files are as their commits say; the examination of the log
(`provenance.log.examination`), whether the commits are those that were made. What differs from what was recorded is
called tampering here, whoever or whatever did it; what was recorded so, and is wrong, is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.findings import Verdict, gravest
from provenance.check.findings import Finding, Kind
from provenance.check.history import read_history
from provenance.check.unstated_bounds import unstated
from provenance.check.whole import Progress, check_store, silent
from provenance.log.discrepancy import Discrepancy, Gravity
from provenance.log.examination import Examination, examine_readable
from provenance.log.keys import trusted_as_known

if TYPE_CHECKING:
    from integrity.log.note import VerifierKey
    from provenance.storage.interface import Storage

_RECORDED = ("commits", "segments", "foreign", "log")
"""Folders of which every byte was recorded."""
_DIFFERS = frozenset({Kind.MISSING, Kind.CHANGED, Kind.MALFORMED, Kind.CONTRADICTION, Kind.MISCOUNT})

_GRAVEST_FIRST = (Verdict.TAMPERED, Verdict.DAMAGED, Verdict.INCOMPLETE, Verdict.CLEAN)


@dataclass(frozen=True, slots=True)
class LogFinding:
    """One thing that was found; ``verdict`` is what it alone makes of the whole. The texts are for a person."""

    verdict: Verdict
    path: str
    expected: str
    found: str
    advice: str

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "verdict": self.verdict.value,
            "path": self.path,
            "expected": self.expected,
            "found": self.found,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class LogReport:
    """The result: the log as it was examined, and all findings, the gravest first."""

    store: str
    location: str
    examination: Examination
    segments: int
    size_bytes: int
    findings: tuple[LogFinding, ...]

    @property
    def altered(self) -> tuple[Discrepancy, ...]:
        """The findings that are tampering."""
        return tuple(
            Discrepancy(Gravity.ALTERED, one.path, one.expected, one.found, one.advice)
            for one in self.findings
            if one.verdict is Verdict.TAMPERED
        )

    @property
    def verdict(self) -> Verdict:
        """The gravest of the findings decides."""
        return gravest(finding.verdict for finding in self.findings)

    def document(self) -> dict[str, object]:
        """The report as JSON has it."""
        examination = self.examination
        return {
            "schema": "pirene.log-check/1",
            "verdict": self.verdict.value,
            "store": self.store,
            "location": self.location,
            "log": {
                "size": examination.size,
                "root": examination.root.hex(),
                "logged": examination.logged,
                "signed": examination.signed,
            },
            "checked": {"commits": examination.size, "segments": self.segments, "size_bytes": self.size_bytes},
            "findings": [finding.document() for finding in self.findings],
        }


def check_log(
    storage: Storage, *, trusted: tuple[VerifierKey, ...] | None = None, progress: Progress = silent
) -> LogReport:
    """Check everything, signatures against ``trusted`` keys (None: the user's, as far as they are known).

    Raises KeyFileError for the list of trusted keys, ReadFailedError, else as `check_store`.
    """
    trusted = trusted_as_known() if trusted is None else trusted
    report = check_store(storage, progress=progress)
    examination = examine_readable(storage, report.store or "", trusted)
    commits = read_history(storage, report.store).commits
    of_store = [*report.findings, *unstated(storage, commits)]
    findings = [*map(_of_log, examination.discrepancies), *_of_store(of_store, examination.discrepancies)]
    return LogReport(
        store=report.store or "",
        location=report.location,
        examination=examination,
        segments=report.segments,
        size_bytes=report.size_bytes,
        findings=tuple(sorted(findings, key=lambda one: _GRAVEST_FIRST.index(one.verdict))),
    )


def _of_log(found: Discrepancy) -> LogFinding:
    match found.gravity:
        case Gravity.ALTERED:
            verdict = Verdict.TAMPERED
        case Gravity.UNVERIFIED | Gravity.UNREAD:
            verdict = Verdict.INCOMPLETE
        case Gravity.BEHIND:
            verdict = Verdict.CLEAN
    return LogFinding(verdict, found.path, found.expected, found.found, found.advice)


def _of_store(findings: Iterable[Finding], said: Iterable[Discrepancy]) -> Iterator[LogFinding]:
    """What the check of the store found, but for what the log has said of the same file."""
    altered = {one.path for one in said if one.gravity is Gravity.ALTERED}
    unread = {one.path for one in said if one.gravity is Gravity.UNREAD}
    for finding in findings:
        if finding.path in altered and finding.kind in _DIFFERS:
            continue
        if finding.path in unread and finding.kind is Kind.UNREADABLE:
            continue
        yield LogFinding(_verdict(finding), finding.path, finding.expected, finding.found, finding.advice)


def _verdict(finding: Finding) -> Verdict:
    if finding.kind in _DIFFERS and finding.path.partition("/")[0] in _RECORDED:
        return Verdict.TAMPERED
    return Verdict(finding.kind.verdict.value)
