"""The report: what findings amount to, which exit code says so, and the document `pirene.audit/1`."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import replace

import pytest

from integrity.findings import Finding, FindingClass, Sight, Verdict, gravest, meaning
from integrity.repair import Recopy, RepairPlan, Rerun, Restore
from integrity.report import (
    Coverage,
    Effort,
    Gap,
    GapReason,
    LogState,
    LogStatus,
    Overhead,
    Report,
    Sample,
    StageCount,
)

AT = dt.datetime(2026, 11, 23, 6, 20, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))
ALL = Coverage(replicas=3, verified=3)


def finding(kind: FindingClass) -> Finding:
    return Finding(
        kind, "raw.fits", "file:///d/raw.fits", "audit", AT, b"\x01" * 32, b"\x02" * 32, 10, 11, ("coadd",),
        ("isr-1", "coadd-1"), ("isr-1",),
    )  # fmt: skip


def report(*kinds: FindingClass, coverage: Coverage = ALL, log: LogState | None = None) -> Report:
    return Report({"run": None}, coverage, tuple(map(finding, kinds)), log or LogState())


@pytest.mark.parametrize(
    ("kind", "verdict", "code"),
    [
        ("content-mismatch", "damaged", 1),
        ("truncated", "damaged", 1),
        ("appended", "damaged", 1),
        ("missing", "damaged", 1),
        ("unexpected", "damaged", 1),
        ("swapped", "damaged", 1),
        ("stale", "damaged", 1),
        ("unreadable", "incomplete", 3),
        ("catalog-mismatch", "tampered", 4),
        ("log-mismatch", "tampered", 4),
    ],
)
def test_each_class(kind: str, verdict: str, code: int) -> None:
    one = report(FindingClass(kind))
    assert (one.verdict.value, one.exit_code) == (verdict, code)
    assert meaning(FindingClass(kind)) is one.verdict


def test_the_classes_are_the_ten_of_the_contract() -> None:
    assert len(FindingClass) == 10


def test_nothing_found() -> None:
    assert (report().verdict, report().exit_code) == (Verdict.CLEAN, 0)


def test_what_was_not_verified_is_never_clean() -> None:
    assert report(coverage=Coverage(3, 2)).exit_code == 3
    assert report(coverage=Coverage(3, 2, unprotected=1)).exit_code == 3
    assert report(FindingClass.STALE, coverage=Coverage(3, 2)).exit_code == 1
    assert report(coverage=Coverage(0, 0)).exit_code == 3, "nothing was looked at: perhaps the wrong store"


def test_a_log_that_disagrees_is_tampering() -> None:
    assert report(log=LogState(LogStatus.MISMATCH, 5, b"\x03" * 32)).exit_code == 4
    assert report(log=LogState(LogStatus.CONSISTENT, 5, b"\x03" * 32)).exit_code == 0
    assert report(log=LogState(LogStatus.UNVERIFIED, 5, b"\x03" * 32, ("commit 1: unsigned",))).exit_code == 3


def test_four_outranks_one_outranks_three() -> None:
    by_code = {0: Verdict.CLEAN, 1: Verdict.DAMAGED, 3: Verdict.INCOMPLETE, 4: Verdict.TAMPERED}
    for count in range(5):
        for codes in itertools.permutations(by_code, count):
            expected = next((code for code in (4, 1, 3) if code in codes), 0)
            assert gravest(by_code[code] for code in codes).exit_code == expected


def test_the_document() -> None:
    made = Sight("output", AT, "node1", "isr-7", "night")
    one = Report(
        {"run": "0193"},
        Coverage(4, 3, 1, 1, (Gap(GapReason.NOT_THERE, 1, ("dark.fits",)),)),
        (replace(finding(FindingClass.APPENDED), last_good=made, good_copies=("file:///backup/raw.fits",)),),
        LogState(LogStatus.CONSISTENT, 7, b"\xab" * 32),
        sample=Sample(1000, 300, 299, 0, 17, b"\xcd" * 32),
        effort=Effort(5, 0.25),
        repair=RepairPlan(
            (Restore("raw.fits", b"\x01" * 32, ("file:///d/raw.fits",)),),
            (Recopy("b", "file:///b", ("file:///c",)),),
            (Rerun("isr-7", "night", "0193", ("b",), "/runs/night", "cd / && pirene exec"),),
            ("cp c b",),
        ),
        pipeline=(StageCount("audit", "node1", 3, 1),),
        overhead=Overhead(1.0, 50.0),
        at=AT,
        host="node1",
        reproduce=("pirene audit",),
    )
    assert json.loads(json.dumps(one.document())) == {
        "schema": "pirene.audit/1",
        "verdict": "damaged",
        "scope": {"run": "0193"},
        "coverage": {"replicas": 4, "verified": 3, "never_verified": 1, "unprotected": 1},
        "findings": [
            {
                "class": "appended",
                "name": "raw.fits",
                "url": "file:///d/raw.fits",
                "expected_sha256": "01" * 32,
                "actual_sha256": "02" * 32,
                "expected_size": 10,
                "actual_size": 11,
                "stage": "audit",
                "first_seen": "2026-11-23T05:20:00.000005Z",
                "affected": {"files": ["coadd"], "jobs": ["isr-1", "coadd-1"], "read_by": ["isr-1"]},
                "last_good": {
                    "stage": "output",
                    "at": "2026-11-23T05:20:00.000005Z",
                    "host": "node1",
                    "job": "isr-7",
                    "workflow": "night",
                },
                "first_bad": None,
                "good_copies": ["file:///backup/raw.fits"],
                "error": None,
            }
        ],
        "log": {"size": 7, "root": "ab" * 32, "status": "consistent", "unverified": []},
        "gaps": [
            {
                "why": "not-there",
                "reason": "nothing is there any more",
                "copies": 1,
                "examples": ["dark.fits"],
            }
        ],
        "sample": {
            "population": 1000,
            "wanted": 300,
            "read": 299,
            "read_earlier": 0,
            "earliest": None,
            "damaged": 0,
            "damage_rate": 0.0,
            "damage_rate_at_most": pytest.approx(1 - 0.05 ** (1 / 299)),
            "confidence": 0.95,
            "commit": 17,
            "seed": "cd" * 32,
        },
        "effort": {"read_bytes": 5, "seconds": 0.25},
        "repair": {
            "restore": [{"name": "raw.fits", "sha256": "01" * 32, "urls": ["file:///d/raw.fits"]}],
            "copy": [{"name": "b", "url": "file:///b", "from": ["file:///c"]}],
            "rerun": [
                {
                    "job": "isr-7",
                    "workflow": "night",
                    "run": "0193",
                    "makes": ["b"],
                    "folder": "/runs/night",
                    "command": "cd / && pirene exec",
                }
            ],
            "commands": ["cp c b"],
        },
        "pipeline": [{"stage": "audit", "host": "node1", "checks": 3, "failed": 1}],
        "overhead": {"verification_seconds": 1.0, "job_seconds": 50.0, "share": 0.02},
        "at": "2026-11-23T05:20:00.000005Z",
        "host": "node1",
        "reproduce": ["pirene audit"],
        "obstacle": None,
    }
    assert report().document()["log"] == {"size": None, "root": None, "status": "absent", "unverified": []}


@pytest.mark.parametrize("numbers", [(1, 2, 0, 0), (1, -1, 0, 0), (1, 0, 2, 0), (1, 0, 0, 2)])
def test_a_part_is_never_more_than_the_whole(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="more than all of them"):
        Coverage(*numbers)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = Finding(FindingClass.STALE, "a", "file:///a", "audit", AT.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a zone"):
        naive.document()
