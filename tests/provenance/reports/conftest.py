"""Reports of every kind, with names that nobody would choose who means well."""

from __future__ import annotations

import datetime as dt

import pytest

from integrity.findings import Finding, FindingClass, Sight
from integrity.repair import Recopy, RepairPlan, Rerun, Restore
from integrity.report import Coverage, Effort, Gap, GapReason, LogState, LogStatus, Overhead, Report, Sample, StageCount

AT = dt.datetime(2026, 11, 23, 5, 20, tzinfo=dt.UTC)
HOSTILE = "</style><script>alert(1)</script>&\"' {{ 7*7 }} \x1b[31m\x00\u202e\udcff\ufffe\n.dat"


def a_finding(kind: FindingClass, name: str = HOSTILE) -> Finding:
    return Finding(
        kind=kind,
        name=name,
        url="file:///data/%3Cscript%3E%FF.dat",
        stage="audit",
        first_seen=AT,
        expected_sha256=b"\x01" * 32,
        actual_sha256=b"\x02" * 32,
        expected_size=10,
        actual_size=11,
        affected_files=(HOSTILE, "catalogue.csv"),
        affected_jobs=(HOSTILE, "stack"),
        last_good=Sight("output", AT, HOSTILE, "isr-0007", HOSTILE),
        first_bad=Sight("audit", AT + dt.timedelta(hours=3), "node1"),
        good_copies=("file:///backup/x%20y.dat",),
        error=HOSTILE,
    )


@pytest.fixture
def damaged() -> Report:
    """Everything that a report can have, and all of it hostile."""
    repair = RepairPlan(
        restores=(Restore(HOSTILE, b"\x03" * 32, ("file:///raw/%00",)),),
        recopies=(Recopy(HOSTILE, "file:///data/a", ("file:///backup/a",)),),
        reruns=(Rerun(HOSTILE, HOSTILE, "0193", (HOSTILE,)),),
        commands=("cp -- '<good>' '<bad>'",),
    )
    return Report(
        scope={"query": f"files where name = '{HOSTILE}'"},
        coverage=Coverage(40, 30, 2, 1, (Gap(GapReason.NO_DIGEST, 10, (HOSTILE,)),)),
        findings=tuple(a_finding(kind) for kind in FindingClass),
        log=LogState(LogStatus.CONSISTENT, 12, b"\x04" * 32),
        sample=Sample(100, 40, 30, 3, 7, b"\x05" * 32),
        effort=Effort(123_456_789, 4.5),
        repair=repair,
        pipeline=(StageCount("pre-exec", HOSTILE, 400, 0), StageCount("audit", None, 40, 10)),
        overhead=Overhead(1.5, 300.0),
        at=AT,
        host=HOSTILE,
        reproduce=("pirene audit '<script>'", "pirene store check"),
    )


@pytest.fixture
def clean() -> Report:
    return Report({"run": "0193", "workflow": "coadd"}, Coverage(3, 3), (), at=AT, reproduce=("pirene audit 0193",))


@pytest.fixture
def incomplete() -> Report:
    gaps = (Gap(GapReason.ELSEWHERE, 2, ("far.dat",)),)
    return Report({"store": "1"}, Coverage(3, 1, 2, 0, gaps), (), at=AT, reproduce=("pirene audit",))
