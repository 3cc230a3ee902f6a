"""Copies looked at, one after the other: each look recorded as it comes, counted, and kept if there is something to say
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from integrity.audit import Check, CheckVerdict, audit
from integrity.pace import Pace
from integrity.tally import Tally
from provenance.audits.recording import Recorder, Stage
from provenance.audits.scope import Copy, CopyKey
from provenance.audits.verification import KnownContents
from provenance.errors import DamagedStoreError, ReadFailedError

if TYPE_CHECKING:
    from provenance.history.snapshot import Snapshot
    from provenance.store import Store

Advance = Callable[[int], None]
"""Called with how many copies were looked at since the last time."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen: ``bad`` are the looks at copies that are not as they should be, ``good`` the copies that are,
    ``count`` how many of those that were given were looked at: the first. ``obstacle`` is the damage of the store that
    kept the others from being looked at, if some did.
    """

    bad: tuple[tuple[Copy, Check], ...] = ()
    good: frozenset[CopyKey] = frozenset()
    count: int = 0
    obstacle: DamagedStoreError | ReadFailedError | None = None


@dataclass(frozen=True, slots=True)
class Looking:
    """How to look: as which ``stage`` of the pipeline, how fast and how long, by how many ``workers``; ``author`` is
    who looks, ``advance`` is told how far it is.
    """

    stage: Stage
    pace: Pace = field(default_factory=Pace)
    author: str | None = None
    workers: int = 2
    advance: Advance = lambda _: None


def look_at(store: Store, snapshot: Snapshot, copies: Sequence[Copy], how: Looking, tally: Tally) -> Looks:
    """Read ``copies`` in their order until the time is up; what was seen is recorded, also when it is interrupted."""
    recorder = Recorder(store, snapshot, how.stage, how.author)
    bad: list[tuple[Copy, Check]] = []
    good = set()
    count = 0
    obstacle = None
    looks = audit(
        (copy.expectation for copy in copies),
        KnownContents(store, snapshot),
        workers=how.workers,
        pace=how.pace,
        past_cache=True,
    )
    try:
        # Not strict: when the time is up, copies are left.
        for copy, check in zip(copies, looks, strict=False):
            recorder.add(copy, check)
            tally.looked(check, verified_before=copy.standing.verified is not None)
            if check.verdict is CheckVerdict.OK:
                good.add(copy.key)
            if check.finding is not None:
                bad.append((copy, check))
            count += 1
            how.advance(1)
    except KeyboardInterrupt:
        recorder.commit()
        raise
    except (DamagedStoreError, ReadFailedError) as error:
        obstacle = error
    recorder.commit()
    return Looks(tuple(bad), frozenset(good), count, obstacle)
