"""Invocation records become rows: column by column, in commits of bounded size, whoever else ingests the same ones.

A record counts once: by the digest of its bytes, and by its attempt (run, job, attempt), of which there is one record.
What is malformed, or a second record of an attempt, goes to the store's ``quarantine/`` with a reason and keeps none of
the others from counting. A job's own metadata that cannot be read goes there too, while its record counts.

However many records come, memory holds those of two commits: one that is being made, one that is being read for. Each
commit stands for itself. Who is killed between two ingests all records again: what is in counts as known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.history.commits import Commit, CommitKind
from provenance.ingest.published import Published, PublishedPlaces

if TYPE_CHECKING:
    from provenance.ingest.intake import Intake
    from provenance.segments.batch import Batch
    from provenance.store import Store

__all__ = ["Attempted", "IngestResult", "Published", "Rejected", "ingest"]


Attempt = tuple[int, int, int]
"""(run, job, attempt)."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt of one job, and the outputs that it made: their logical names, in the order of its description."""

    run: int
    job: int
    attempt: int
    made: tuple[str, ...]


AlsoKnown = Callable[["Batch", Attempted], None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that does not count: where it came from (None: from memory), why, and where it was put."""

    path: Path | None
    reason: str
    quarantined: str


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of the records. ``commits`` are empty if there was nothing new.

    ``new`` came in with this call; ``known`` were in the store already, also by an earlier commit of this call.
    ``warnings`` are about what jobs reported.
    """

    commits: tuple[Commit, ...]
    new: int
    known: int
    rejected: tuple[Rejected, ...]
    warnings: tuple[str, ...]


def ingest(
    store: Store,
    records: Iterable[Path | bytes],
    *,
    published: PublishedPlaces | None = None,
    also: AlsoKnown | None = None,
    author: str | None = None,
) -> IngestResult:
    """Bring invocation records, given as bytes or as paths, into the store, in one commit or, of many, in several.

    ``published`` says where outputs were staged out to; all records are then of one run. It counts also for records
    that the store holds already, so that a launcher which was killed between two commits can say it again. ``also``
    adds rows to the same commit for each attempt that is new: what only the caller knows of it. Raises OSError for a
    path that cannot be read, StoreError as `Store.commit`: then the commits that were made stay, and the caller, who
    still has the records, ingests them all again.
    """
    from provenance.ingest.intake import Intake  # late: whoever waits for a job has no need of it yet

    def commit(intake: Intake) -> IngestResult:
        return _commit(store, intake, author)

    done: list[IngestResult] = []
    # Each starts its thread when there is something to do beside reading: with the first block, or commit, of several.
    with ThreadPoolExecutor(1, "ingest-rows") as maker, ThreadPoolExecutor(1, "ingest-commit") as writer:
        intake = Intake(store, published or {}, also, maker)
        under_way: Future[IngestResult] | None = None
        for record in records:
            intake.read(record)
            if intake.is_full:
                if under_way is not None:
                    done.append(under_way.result())
                under_way = writer.submit(commit, intake)
                intake = Intake(store, published or {}, also, maker)
        if under_way is not None:
            done.append(under_way.result())
        done.append(commit(intake))
    return IngestResult(
        commits=tuple(commit for each in done for commit in each.commits),
        new=sum(each.new for each in done),
        known=sum(each.known for each in done),
        rejected=tuple(rejected for each in done for rejected in each.rejected),
        warnings=tuple(warning for each in done for warning in each.warnings),
    )


def _commit(store: Store, intake: Intake, author: str | None) -> IngestResult:
    """Commit what the store does not hold, however often others come first."""
    snapshot = store.snapshot()
    made = store.commit(
        CommitKind.INGEST,
        intake.rows(snapshot),
        author=author,
        rebase=lambda newest, _: intake.rows(newest),
        base=snapshot,
    )
    new, known = intake.settle()
    commits = () if made is None else (made,)
    return IngestResult(commits, new, known, tuple(intake.rejected), tuple(intake.warnings))
