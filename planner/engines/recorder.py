"""Takes invocation records into the store while a run goes on, more rarely the longer it lasts.

Commits cost about as much whatever they bring; a year of minutely commits would drown a store. The pause between two
grows with the age of the run, so that any run makes at most a few hundred: with a twentieth of its age, a week makes
about 280.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from planner.engine_plan import EngineJob, EnginePlan
from planner.engines.stored_copies import StoredCopies
from planner.plan_metadata import add_output_metadata
from provenance.answers.failures import job_events
from provenance.answers.runs import failed_attempts, last_state
from provenance.history.commits import CommitKind
from provenance.history.snapshot import Snapshot
from provenance.ingest.ingest import Attempted, Published, ingest
from provenance.registration.placement import Placed, add_placed
from provenance.segments.batch import Batch
from provenance.store import Store
from provenance.users import current_user

_SHORTEST_PAUSE_SECONDS = 2.0
_PAUSE_PER_AGE = 0.05
_OF_NO_JOB = 0

Places = Mapping[tuple[int, int, str], Published]


class Recorder:
    """The one writer of a run. Use as a context manager; `ended` is the last word."""

    def __init__(self, plan: EnginePlan, store: Store, note: Callable[[str], None]) -> None:
        """``note`` is called, from the thread of the caller, with what a person should hear of records."""
        self._plan = plan
        self._store = store
        self._note = note
        self._records: list[Path] = []
        self._published: dict[tuple[int, int, str], Published] = {}
        self._placed: dict[int, list[Placed]] = {}
        self._states = Batch()
        self.copies = StoredCopies(plan, store, lambda: self._states)
        self._known_events: set[tuple[int, str, dt.datetime]] | None = None
        self._thread = ThreadPoolExecutor(1, "recorder")
        self._commit: Future[list[str]] | None = None
        self._started = self._last = time.monotonic()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True)

    def add(self, record: Path, published: Places | None = None) -> None:
        """A record to ingest, and where its outputs were staged out to."""
        self._records.append(record)
        self._published.update(published or {})

    def placed(self, job: EngineJob, place: Placed) -> None:
        """An output of a job, from the past or from another copy, has appeared in its place."""
        self._placed.setdefault(job.number, []).append(place)

    def found(self, place: Placed) -> None:
        """A copy of a file that the store had not heard of was read, and is good."""
        self._placed.setdefault(_OF_NO_JOB, []).append(place)

    def called_failed(self) -> set[tuple[int, int]]:
        """(job, attempt) that earlier engines called failed."""
        return failed_attempts(self._store, self._plan.run)

    def has_succeeded(self) -> bool:
        """Whether the store has this run as succeeded, with all of its outputs in their places."""
        if last_state(self._store, self._plan.run) != "succeeded":
            return False
        news = Batch()
        places = [place for places in self._placed.values() for place in places]
        add_placed(self._store, news, places, at=dt.datetime.now(dt.UTC))
        return not len(news)

    def running(self) -> None:
        """The run is at work from now on."""
        self._state("running", None)

    def failed(self, job: EngineJob, attempt: int, reason: str) -> None:
        """An attempt failed, although there is no record that says so."""
        self._job_state(job, "failed", attempt, reason)

    def mended(self, job: EngineJob, attempt: int) -> None:
        """An attempt that an engine had called failed counts after all."""
        self._job_state(job, "ended", attempt, None)

    def recovering(self, job: EngineJob, attempt: int, reason: str) -> None:
        """An attempt was refused because of an input; this is done about it."""
        self._job_state(job, "recovering", attempt, reason)

    def unrecoverable(self, job: EngineJob, attempt: int, reason: str) -> None:
        """An attempt was refused because of its inputs, and nothing can be done about them."""
        self._job_state(job, "unrecoverable", attempt, reason)

    def nondeterministic(self, job: EngineJob, attempt: int, reason: str) -> None:
        """An attempt made other bytes than one before it."""
        self._job_state(job, "nondeterministic", attempt, reason)

    def revived(self, job: EngineJob, reason: str) -> None:
        """A job that was done runs after all, or again, and writes over what has appeared of it."""
        self._placed.pop(job.number, None)
        self._job_state(job, "submitted", None, reason)

    def happened(self, job: int, state: str, at: dt.datetime, reason: str | None) -> bool:
        """Something befell a job on its way, as another's log tells it. False: the store, or this recorder, has it
        already.
        """
        if self._known_events is None:
            known = job_events(self._store, self._plan.run)
            self._known_events = {(event.job, event.state, event.at) for event in known}
        if (job, state, at) in self._known_events:
            return False
        self._known_events.add((job, state, at))
        self._states.add("job_states", run=self._plan.run, job=job, attempt=None, state=state, at=at, reason=reason)
        return True

    def flush(self) -> None:
        """Commit all that is there now; the run goes on without us."""
        self._wait()
        self._say(self._write(*self._take()))

    def commit_if_due(self) -> None:
        """Start a commit in the background if there is something and it is time. Raises what an earlier commit
        raised.
        """
        now = time.monotonic()
        pause = max(_SHORTEST_PAUSE_SECONDS, _PAUSE_PER_AGE * (now - self._started))
        if now - self._last < pause or not (self._records or self._placed or len(self._states)):
            return
        if self._commit is not None and not self._commit.done():
            return
        self._wait()
        self._commit = self._thread.submit(self._write, *self._take())
        self._last = now

    def ended(self, state: str, reason: str | None, not_run: list[tuple[int, str]]) -> None:
        """Bring in all that is left, say how the run ended, and put the run's small segments together."""
        self._wait()
        now = dt.datetime.now(dt.UTC)
        for job, why in not_run:
            self._states.add("job_states", run=self._plan.run, job=job, state="not_run", at=now, reason=why)
        self._state(state, reason)
        self._say(self._write(*self._take()))
        self._store.tidy(run=self._plan.run)
        self._store.project()

    def _job_state(self, job: EngineJob, state: str, attempt: int | None, reason: str | None) -> None:
        now = dt.datetime.now(dt.UTC)
        self._states.add(
            "job_states", run=self._plan.run, job=job.number, attempt=attempt, state=state, at=now, reason=reason
        )

    def _state(self, state: str, reason: str | None) -> None:
        self._states.add("workflow_states", run=self._plan.run, state=state, at=dt.datetime.now(dt.UTC), reason=reason)

    def _take(self) -> tuple[list[Path], dict[tuple[int, int, str], Published], list[Placed], Batch]:
        placed = [place for places in self._placed.values() for place in places]
        taken = (self._records, self._published, placed, self._states)
        self._records, self._published, self._placed, self._states = [], {}, {}, Batch()
        return taken

    def _write(
        self, records: list[Path], published: dict[tuple[int, int, str], Published], placed: list[Placed], states: Batch
    ) -> list[str]:
        """Commit; what could not be taken in, or not all of it, one sentence each."""
        said: list[str] = []
        if records:
            done = ingest(self._store, records, published=published, also=self._add_declared, author=current_user())
            said += [f"{each.path}: not taken in: {each.reason} (kept in {each.quarantined})" for each in done.rejected]
            said += done.warnings
        self._commit_states(states, placed)
        return said

    def _commit_states(self, states: Batch, placed: list[Placed]) -> None:
        """What an engine says of its run is its own; what is at a place is also a matter of those who put something
        there meanwhile.
        """
        at = dt.datetime.now(dt.UTC)

        def rows(snapshot: Snapshot) -> Batch:
            batch = Batch()
            batch.extend(states)
            add_placed(self._store, batch, placed, at=at, snapshot=snapshot)
            return batch

        snapshot = self._store.snapshot()
        self._store.commit(
            CommitKind.INGEST,
            rows(snapshot),
            author=current_user(),
            rebase=lambda newest, _: rows(newest),
            base=snapshot,
        )

    def _add_declared(self, batch: Batch, attempt: Attempted) -> None:
        """What the workflow says of the files that an attempt made; in one commit with what its record says of them."""
        add_output_metadata(batch, self._plan, self._plan.jobs[attempt.job - 1], attempt.attempt, attempt.made)

    def _wait(self) -> None:
        if self._commit is not None:
            self._say(self._commit.result())
            self._commit = None

    def _say(self, sentences: list[str]) -> None:
        for sentence in sentences:
            self._note(f"warning: {sentence}")
