"""A scrub: read as many copies as there is time for, those that need it most first, or a sample drawn by chance.

What was read is recorded as it is read: a scrub that is cut short, or killed, goes on where it stopped when it is
started again. A sample belongs to one commit, and is drawn again from there: to go on with it, or, where all of it was
read, to read all of it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from integrity.pace import Pace
from integrity.report import GapReason, Sample
from integrity.scrub import drawn, in_order
from integrity.tally import Tally
from provenance.audits.draw import seed
from provenance.audits.hindrance import OBSTACLES, asked_for, hindered
from provenance.audits.looks import Looking, Looks, look_at
from provenance.audits.reporting import Looked, report
from provenance.audits.reproducing import command
from provenance.audits.scope import Copy, CopyKey, Scope, copies, scope_of
from provenance.errors import StoreError
from provenance.reading.views import fetch

if TYPE_CHECKING:
    from integrity.report import Report
    from provenance.audits.looks import Advance
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

# A look counts as long as none that came later, of whatever stage, found anything else than the recorded bytes.
_FOUND_GOOD_SINCE = """
SELECT file_source, file, url, max("at") FILTER (stage = 'scrub' AND verdict = 'ok') FROM checks_in_order
WHERE commit_number > $1
GROUP BY file_source, file, url
HAVING max((commit_order, "at")) FILTER (stage = 'scrub' AND verdict = 'ok') IS NOT NULL
   AND (max((commit_order, "at")) FILTER (verdict <> 'ok') IS NULL
        OR max((commit_order, "at")) FILTER (stage = 'scrub' AND verdict = 'ok')
            > max((commit_order, "at")) FILTER (verdict <> 'ok'))
"""


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many copies to draw: a number of them, or a part of all (above 0, at most 1)."""

    count: int | None = None
    part: Fraction | None = None

    def __str__(self) -> str:
        return f"{float(self.part * 100):.15g}%" if self.part is not None else str(self.count)

    def of(self, population: int) -> int:
        """How many that is of so many; a part is rounded up."""
        if self.part is not None:
            return -(-population * self.part.numerator // self.part.denominator)
        return min(population, self.count or 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scrub may take: ``seconds`` and ``bytes_per_second`` (None: no limit); which ``sample`` (None: all);
    ``commit``: draw the sample as of it (None: as of now), and go on with what was not found good since; with all of it
    if all of it was.
    """

    seconds: float | None = None
    bytes_per_second: float | None = None
    sample: SampleSize | None = None
    commit: int | None = None


@dataclass(frozen=True, slots=True)
class _Draw:
    """Which copies a scrub is to read, in order, and which of its sample were found good earlier, the first at
    ``found_good_since``.
    """

    to_read: Sequence[Copy]
    left_out: Sequence[tuple[Copy, GapReason]]
    found_good: Sequence[Copy]
    found_good_since: dt.datetime | None
    population: int
    commit: int
    seed: bytes


_NO_LIMITS = Limits()


def scrub_store(
    store: Store,
    *,
    asked: str | None = None,
    limits: Limits = _NO_LIMITS,
    author: str | None = None,
    workers: int = 2,
    advance: Advance = lambda _: None,
) -> Report:
    """Scrub everything, or what ``asked`` means: a query, or else a run. Damage of the store itself is told by the
    report, as by that of an audit. Raises QueryError, AuditScopeError, NoSuchRunError, StoreError.
    """
    pace = Pace(bytes_per_second=limits.bytes_per_second, seconds=limits.seconds)
    how = Looking("scrub", pace, author, workers, advance)
    try:
        snapshot = store.snapshot()
        scope = scope_of(store, asked, snapshot)
        there = copies(store, scope, snapshot)
        draw = None if limits.sample is None else _draw(store, snapshot, scope, there, limits.sample, limits.commit)
    except OBSTACLES as error:
        again = command(store.storage, "scrub", asked, *_options(limits, limits.commit))
        return hindered(store, asked_for(store, asked), how, error, again=again)
    to_read = in_order(there, lambda copy: copy.standing) if draw is None else draw.to_read
    tally = Tally()
    looks = look_at(store, snapshot, to_read, how, tally)
    for copy in to_read[looks.count :]:
        tally.left_out(copy.expectation, GapReason.NO_TIME, verified_before=copy.standing.verified is not None)
    if draw is not None:
        for copy, reason in draw.left_out:
            tally.left_out(copy.expectation, reason, verified_before=copy.standing.verified is not None)
        for copy in draw.found_good:
            tally.verified(copy.expectation)
    sample = None if draw is None else _sample(draw, looks)
    again = command(store.storage, "scrub", scope.argument, *_options(limits, None if draw is None else draw.commit))
    return report(Looked(store, snapshot, scope, how, looks, tally, again, sample))


def _draw(
    store: Store, snapshot: Snapshot, scope: Scope, there: Sequence[Copy], size: SampleSize, commit: int | None
) -> _Draw:
    """The sample as of a commit: of copies that can be read from here and compared, as they were known then."""
    number = snapshot.number if commit is None else commit
    if not 0 <= number <= snapshot.number:
        raise StoreError(
            f"--from {number}: this store has commits up to {snapshot.number}",
            hint="Give the commit that the report of the scrub to go on with names.",
        )
    known_then = there if commit is None else _known_then(store, snapshot.at(number), scope, there)
    population = [copy for copy in known_then if copy.expectation.is_protected and copy.expectation.path is not None]
    drawn_with = seed(store, number)
    chosen = drawn(population, size.of(len(population)), drawn_with, _name)
    done = {} if commit is None else _found_good_since(store, snapshot, number, chosen)
    if len(done) == len(chosen):
        done = {}  # there is nothing to go on with: who asks for a sample that was read has it read again
    keys = {copy.key for copy in chosen}
    return _Draw(
        to_read=[copy for copy in chosen if copy.key not in done],
        left_out=[(copy, _why_left_out(copy)) for copy in there if copy.key not in keys],
        found_good=[copy for copy in chosen if copy.key in done],
        found_good_since=min(done.values(), default=None),
        population=len(population),
        commit=number,
        seed=drawn_with,
    )


def _found_good_since(
    store: Store, snapshot: Snapshot, number: int, chosen: Sequence[Copy]
) -> dict[CopyKey, dt.datetime]:
    """Those of a sample that scrubs after a commit read and found good, when, and nobody found bad since."""
    good: dict[CopyKey, dt.datetime] = {}
    standing = {copy.key: copy.standing for copy in chosen}
    for source, file, url, at in fetch(store, _FOUND_GOOD_SINCE, [number], snapshot=snapshot):
        key = (source, file, url)
        if key in standing and not standing[key].failed:
            good[key] = at
    return good


def _known_then(store: Store, then: Snapshot, scope: Scope, there: Sequence[Copy]) -> list[Copy]:
    """Those copies of today that were known then too: of copies that were given up since nothing can be said."""
    before = {copy.key for copy in copies(store, scope, then)}
    return [copy for copy in there if copy.key in before]


def _name(copy: Copy) -> bytes:
    return repr(copy.key).encode("utf-8", "surrogateescape")


def _why_left_out(copy: Copy) -> GapReason:
    return GapReason.ELSEWHERE if copy.expectation.path is None else GapReason.NOT_DRAWN


def _sample(draw: _Draw, looks: Looks) -> Sample:
    """What came of a sample. Looks that found no good bytes count as damage, whatever kept them from it."""
    good = len(draw.found_good) + sum(copy.key in looks.good for copy in draw.to_read[: looks.count])
    read = len(draw.found_good) + looks.count
    wanted = len(draw.found_good) + len(draw.to_read)
    return Sample(
        population=draw.population,
        wanted=wanted,
        read=read,
        damaged=read - good,
        commit=draw.commit,
        seed=draw.seed,
        read_earlier=len(draw.found_good),
        earliest=draw.found_good_since,
    )


def _options(limits: Limits, commit: int | None) -> Iterator[str]:
    """The options that go on with what these limits cut short, and with the very sample that was drawn at a commit, or
    read it again.
    """
    if limits.seconds is not None:
        yield from ("--max-duration", f"{limits.seconds:.15g}s")
    if limits.bytes_per_second is not None:
        yield from ("--bandwidth", f"{limits.bytes_per_second:.15g}B")
    if limits.sample is not None:
        yield from ("--sample", str(limits.sample))
        if commit is not None:
            yield from ("--from", str(commit))
