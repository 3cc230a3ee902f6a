"""How much of a scope was verified, and why the rest was not: counted while it is looked at."""

from __future__ import annotations

from integrity.audit import Check, CheckVerdict, Expectation
from integrity.report import Coverage, Gap, GapReason

_EXAMPLES = 5


class Tally:
    """Counts looks, and copies that nobody looked at, one by one."""

    def __init__(self) -> None:
        self._replicas = 0
        self._verified = 0
        self._never_verified = 0
        self._unprotected = 0
        self._gaps: dict[GapReason, int] = {}
        self._examples: dict[GapReason, list[str]] = {}

    def looked(self, check: Check, *, verified_before: bool) -> None:
        """Count a look at a copy."""
        self._count(check.expectation, gap_of(check), verified_before)

    def verified(self, expectation: Expectation) -> None:
        """Count a copy that a look before this one found good, in the same scrub."""
        self._count(expectation, None, True)

    def left_out(self, expectation: Expectation, reason: GapReason, *, verified_before: bool) -> None:
        """Count a copy that was not looked at."""
        self._count(expectation, reason if expectation.is_protected else GapReason.NO_DIGEST, verified_before)

    def _count(self, expectation: Expectation, gap: GapReason | None, verified_before: bool) -> None:
        self._replicas += 1
        self._unprotected += not expectation.is_protected
        if gap is None:
            self._verified += 1
            return
        self._never_verified += not verified_before
        self._gaps[gap] = self._gaps.get(gap, 0) + 1
        examples = self._examples.setdefault(gap, [])
        if len(examples) < _EXAMPLES:
            examples.append(expectation.name)

    def coverage(self) -> Coverage:
        """What was counted so far."""
        gaps = (
            Gap(reason, self._gaps[reason], tuple(self._examples[reason]))
            for reason in GapReason
            if reason in self._gaps
        )
        return Coverage(self._replicas, self._verified, self._never_verified, self._unprotected, tuple(gaps))


def gap_of(check: Check) -> GapReason | None:
    """Why a look verified nothing; None: all bytes were read and compared, whatever came of it."""
    if check.compared:
        return None
    match check.verdict:
        case CheckVerdict.MISSING:
            return GapReason.NOT_THERE
        case CheckVerdict.UNREADABLE:
            return GapReason.ELSEWHERE if check.expectation.path is None else GapReason.REFUSED
        case _:
            return GapReason.NO_DIGEST
