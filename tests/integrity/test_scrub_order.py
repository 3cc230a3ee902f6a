"""What is read first, and what is drawn by chance."""

from __future__ import annotations

import collections
import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from integrity.scrub import Standing, drawn, in_order

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_failed_then_never_verified_then_the_oldest() -> None:
    standings = {
        "failed": Standing(True, DAY + dt.timedelta(days=9)),
        "failed and never good": Standing(True, None),
        "never": Standing(False, None),
        "old": Standing(False, DAY),
        "new": Standing(False, DAY + dt.timedelta(days=3)),
    }
    for names in itertools.permutations(standings):
        order = in_order(names, standings.__getitem__)
        assert set(order[:2]) == {"failed", "failed and never good"}
        assert order[2:] == ["never", "old", "new"]


@given(st.sets(st.binary(max_size=8), max_size=30), st.integers(0, 40), st.binary(min_size=32, max_size=32))
def test_a_draw_depends_on_seed_and_names_alone(names: set[bytes], count: int, seed: bytes) -> None:
    one = drawn(sorted(names), count, seed, bytes)
    assert drawn(sorted(names, reverse=True), count, seed, bytes) == one
    assert len(one) == min(count, len(names)) == len(set(one))
    # A draw that is cut short is a smaller draw.
    assert drawn(sorted(names), count // 2, seed, bytes) == one[: min(count // 2, len(one))]


def test_each_is_as_likely_as_any_other() -> None:
    """Chi-square over 20 items: seeds are fixed, so that this says the same each time."""
    names = [b"%d" % number for number in range(20)]
    counts = collections.Counter(
        name for seed in range(2_000) for name in drawn(names, 5, seed.to_bytes(32, "big"), bytes)
    )
    expected = 2_000 * 5 / 20
    assert sum((counts[name] - expected) ** 2 / expected for name in names) < 43.8  # p = 0.001 at 19 degrees of freedom
