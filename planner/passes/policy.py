"""The reuse policy: a query of the language that says which past jobs may be reused."""

from __future__ import annotations

from typing import Any

from planner.errors import PlannerError
from planner.planned import Plan
from provenance.answers.ask import answer
from provenance.store import Store
from query.vocabulary import Entity


def allowed_jobs(plan: Plan, query: str) -> tuple[frozenset[tuple[int, int]], tuple[str, ...]]:
    """The past jobs, as (run, job), that the policy selects, of a reused job also the one that really ran; and what has
    to be said of the query.

    A metadata key that the store has never seen is no match and a warning. Raises QueryError for what is no query,
    PlannerError for a query that does not select jobs.
    """
    store = plan.request.store
    asked = answer(store, query, plan.request.parameters, now=plan.planned, unknown_keys="no match", keys=True)
    if asked.entity is not Entity.JOBS:
        raise PlannerError(
            f"the reuse policy has to select jobs, it selects {asked.entity.value}: {query}",
            hint="Write it as 'jobs where ...'; `jobs producing (files where ...)` gets from files to jobs.",
        )
    jobs = _with_originals(store, {(int(key[0]), int(key[1])) for key, _ in asked.keyed_rows()})
    return jobs, tuple(f"reuse policy: {warning}" for warning in asked.warnings)


def _with_originals(store: Store, jobs: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    if not jobs:
        return frozenset()
    pairs = sorted(jobs)
    rows: list[tuple[Any, ...]] = store.rows(
        _ORIGINALS, [[run for run, _ in pairs], [job for _, job in pairs]], tables=["jobs"]
    )
    return frozenset(jobs | {(run, job) for run, job in rows})


_ORIGINALS = """
    SELECT j.reused_run, j.reused_job
    FROM (SELECT unnest(?) AS run, unnest(?) AS job) wanted
    JOIN jobs j ON j.run = wanted.run AND j.job = wanted.job
    WHERE j.reused_run IS NOT NULL
"""
