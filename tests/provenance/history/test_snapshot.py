"""What a snapshot says of segments whose commits were never pulled."""

from __future__ import annotations

import datetime as dt

import pytest

from provenance.errors import DamagedStoreError
from provenance.history.commits import Segment
from provenance.history.foreign import Foreign, Pulled, PulledCommit
from provenance.history.snapshot import Snapshot

AT = "2026-11-23T05:20:00.000000Z"


def segment(first: int, last: int) -> Segment:
    columns = {"commit_number": {"min": f"{first}", "max": f"{last}"}}
    return Segment("jobs", f"segments/jobs/{first}-{last}.parquet", 1, 1, 1, "ab" * 32, columns, origin="other")


@pytest.fixture
def snapshot() -> Snapshot:
    """Commits 1 and 2 of another store came with commit 5, its commit 3 with commit 7."""
    pulls = [
        Pulled("other", 1, "", 0, "", (PulledCommit(AT, 0),) * 2),
        Pulled("other", 3, "", 0, "", (PulledCommit(AT, 6),)),
    ]
    foreign = Foreign().after(5, pulls[:1]).after(7, pulls[1:])
    live = [segment(1, 3), segment(3, 4), segment(9, 9)]
    return Snapshot.of(8, dt.datetime(2026, 11, 23, tzinfo=dt.UTC), live, foreign)


def test_rows_came_with_the_commit_that_pulled_them(snapshot: Snapshot) -> None:
    assert [snapshot.came(segment(first, 3)) for first in (1, 2, 3)] == [5, 5, 7]


def test_rows_of_commits_that_were_never_pulled_are_damage(snapshot: Snapshot) -> None:
    for ask in (lambda: snapshot.came(segment(4, 4)), lambda: snapshot.since("jobs", 6)):
        with pytest.raises(
            DamagedStoreError, match=r"rows of commits \d to 4 of store other, of which commits up to 3"
        ):
            ask()
