"""What all looks at files say together, those of jobs included: where along the pipeline a file was last good and first
bad, how often each host looked at each stage, and what that cost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrity.findings import Sight
from integrity.report import Overhead, StageCount
from provenance.audits.scope import CopyKey, Scope
from provenance.identity import FileId
from provenance.reading.views import Reading

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

_SIGHTS = """
SELECT c.file_source, c.file, c.url, c.verdict, c.stage, c."at", c.host, j.id, w.name
FROM checks_in_order AS c
LEFT JOIN jobs AS j ON j.run = c.run AND j.job = c.job
LEFT JOIN workflows AS w ON w.run = c.run
WHERE (c.file_source, c.file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
  AND c.verdict IN ('ok', 'mismatch', 'missing') AND NOT (c.verdict = 'missing' AND c.finding IS NULL)
ORDER BY c.commit_order, c."at", c.number
"""
_PIPELINE = """
SELECT stage, host, count(*), count(*) FILTER (finding IS NOT NULL) FROM checks
WHERE $1::BIGINT[] IS NULL OR run = $3::BIGINT
   OR (file_source, file) IN (SELECT unnest($1::BIGINT[]), unnest($2::BIGINT[]))
GROUP BY stage, host
ORDER BY list_position(
    ['stage-in', 'pre-exec', 'post-exec', 'output', 'stage-out', 'audit', 'scrub'], stage
), host
"""
_OVERHEAD = """
SELECT
    (SELECT sum(duration_seconds) FROM checks WHERE run IS NOT NULL AND ($1::BIGINT IS NULL OR run = $1)),
    (SELECT sum(duration_seconds) FROM invocations WHERE $1::BIGINT IS NULL OR run = $1)
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Between which two looks a copy went bad; ``last_good`` may be of another copy of the file, or of its making."""

    last_good: Sight | None
    first_bad: Sight | None


def spans(store: Store, snapshot: Snapshot, places: Collection[CopyKey]) -> Mapping[CopyKey, Span]:
    """For each (source, file, URL) that was found bad: when and where that came about, as far as it is known."""
    files = sorted({(source, file) for source, file, _ in places if source is not None and file is not None})
    seen: dict[FileId, list[tuple[str | None, bool, Sight]]] = {}
    if files:
        with Reading(store, snapshot) as reading:
            columns = [[source for source, _ in files], [file for _, file in files]]
            for source, file, url, verdict, stage, at, host, job, workflow in reading.rows(_SIGHTS, columns):
                sight = Sight(str(stage), at, host, job, workflow)
                seen.setdefault((source, file), []).append((url, verdict == "ok", sight))
    return {
        (source, file, url): _span(seen.get((source, file), ()), url)
        for source, file, url in places
        if source is not None and file is not None
    }


def _span(sights: Iterable[tuple[str | None, bool, Sight]], url: str) -> Span:
    """Looks are in the order in which they were recorded. One at no copy (a job wrote the file) counts for all."""
    last_good = first_bad = None
    for where, is_good, sight in sights:
        if where not in (url, None) and not is_good:
            continue
        if is_good:
            last_good, first_bad = sight, None if where == url else first_bad
        elif first_bad is None:
            first_bad = sight
    return Span(last_good, first_bad)


def pipeline(store: Store, snapshot: Snapshot, scope: Scope) -> tuple[StageCount, ...]:
    """All looks at files in the scope, and by jobs of its run, in the order of the pipeline."""
    columns: list[object] = [None, None, scope.run]
    if scope.files is not None:
        ordered = sorted(scope.files)
        columns = [[source for source, _ in ordered], [file for _, file in ordered], scope.run]
    with Reading(store, snapshot) as reading:
        return tuple(StageCount(*row) for row in reading.rows(_PIPELINE, columns))


def overhead(store: Store, snapshot: Snapshot, scope: Scope) -> Overhead | None:
    """What verification cost the jobs of the run, or of all runs; None for files alone, or where no job ran."""
    if scope.files is not None and scope.run is None:
        return None
    with Reading(store, snapshot) as reading:
        ((verification, jobs),) = reading.rows(_OVERHEAD, [scope.run])
    return None if jobs is None else Overhead(verification or 0.0, jobs)
