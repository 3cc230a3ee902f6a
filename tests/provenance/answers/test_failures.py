"""What befalls jobs on a pool is told beside their verdicts, and is none itself, whichever is known first."""

from __future__ import annotations

import datetime as dt

import pytest

from provenance.answers.failures import JobEvent, failures, job_events
from provenance.answers.runs import run_state
from provenance.history.commits import CommitKind
from provenance.segments.batch import Batch

MORNING = dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC)
RUN = 1 << 60


def states(store, *rows) -> None:
    batch = Batch()
    for minute, job, attempt, state, reason in rows:
        at = MORNING + dt.timedelta(minutes=minute)
        batch.add("job_states", run=RUN, job=job, attempt=attempt, state=state, at=at, reason=reason)
    store.commit(CommitKind.INGEST, batch)


@pytest.fixture
def run(store):
    batch = Batch()
    for job in (1, 2, 3):
        batch.add("jobs", run=RUN, job=job, id=f"j{job}", type="job", decision="run")
    batch.add("invocations", run=RUN, job=3, attempt=1, status="succeeded", started=MORNING, ended=MORNING)
    store.commit(CommitKind.PLAN, batch)
    return store


@pytest.mark.parametrize("late", [False, True])
def test_a_job_that_was_removed_has_failed(run, late):
    verdict, removal = (9, 1, 1, "failed", "lost"), (5, 1, None, "removed", "not needed (by user pool)")
    for rows in ([verdict], [removal]) if late else ([removal], [verdict]):
        states(run, *rows)
    assert [(failure.id, failure.status, failure.failure) for failure in failures(run, RUN)] == [
        ("j1", "failed", "lost")
    ]


def test_what_did_not_arrive_as_it_was_sent_is_a_failure_of_integrity(run):
    """It has no record; another attempt of the same job that has one decides."""
    states(run, (1, 1, 1, "failed", "job.json"), (2, 1, 1, "recovering", "sent again"))
    assert failures(run, RUN) == []
    states(run, (3, 1, 2, "failed", "job.json again"), (4, 1, 2, "unrecoverable", "sent twice"))
    states(run, (3, 3, 1, "failed", "job.json"), (4, 3, 1, "unrecoverable", "sent twice"))
    assert [(failure.id, failure.status, failure.failure) for failure in failures(run, RUN)] == [
        ("j1", "integrity_failed", "job.json again")
    ]


def test_an_eviction_that_is_known_late_takes_no_success_away(run):
    states(run, (1, 3, None, "evicted", "Claim deactivated"))
    assert failures(run, RUN) == []
    assert [job.status for job in run_state(run, RUN).jobs] == [None, None, "succeeded"]


def test_what_befell_jobs_is_told_in_order_and_once(run):
    states(run, (5, 2, None, "held", "wait (code 1, subcode 0)"), (1, 1, 1, "started", None))
    states(run, (6, 2, None, "released", "via condor_release"), (5, 2, None, "held", "wait (code 1, subcode 0)"))
    states(run, (2, 1, None, "evicted", None))
    assert job_events(run, RUN) == [
        JobEvent(1, "evicted", MORNING + dt.timedelta(minutes=2), None),
        JobEvent(2, "held", MORNING + dt.timedelta(minutes=5), "wait (code 1, subcode 0)"),
        JobEvent(2, "released", MORNING + dt.timedelta(minutes=6), "via condor_release"),
    ]
