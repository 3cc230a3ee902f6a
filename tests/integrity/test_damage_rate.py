"""Bounds on the rate of damage, against published figures and against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrity.damage_rate import upper_bound
from integrity.scrub import drawn

WILKS = {0: 59, 1: 93, 2: 124, 3: 153, 4: 181, 5: 208}
"""S. S. Wilks (1941): the smallest samples of which the first, second ... largest value exceeds 95 % of the population
with 95 % confidence; the same as: so many damaged still leave a rate of 5 % out."""


@pytest.mark.parametrize(("damaged", "drawn"), WILKS.items())
def test_published_sample_sizes(damaged: int, drawn: int) -> None:
    assert upper_bound(drawn, damaged) <= 0.05 < upper_bound(drawn - 1, damaged)


@pytest.mark.parametrize(("drawn", "rate"), [(299, 0.01), (2_995, 0.001), (29_956, 0.0001)])
def test_without_damage(drawn: int, rate: float) -> None:
    assert upper_bound(drawn, 0) <= rate * 1.0001
    assert upper_bound(drawn, 0) == pytest.approx(1 - 0.05 ** (1 / drawn), rel=1e-9)


@pytest.mark.parametrize(
    ("damaged", "drawn", "bound"),
    [
        # scipy 1.17.1: beta.ppf(0.95, damaged + 1, drawn - damaged)
        (1, 10, 0.39416330243650466),
        (5, 10, 0.7775588989918706),
        (3, 1_000, 0.007735244718479458),
        (50, 100, 0.5863782853690882),
        (999, 1_000, 0.999948708021091),
        (17, 1_000_000, 2.5499121720934182e-05),
    ],
)
def test_figures_of_scipy(damaged: int, drawn: int, bound: float) -> None:
    assert upper_bound(drawn, damaged) == pytest.approx(bound, rel=1e-9)


def exact_tail(damaged: int, drawn: int, rate: Fraction) -> Fraction:
    """The probability of at most so many, in exact arithmetic."""
    return sum(
        (math.comb(drawn, k) * rate**k * (1 - rate) ** (drawn - k) for k in range(damaged + 1)), start=Fraction(0)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_at_the_bound_so_little_damage_is_one_in_twenty(case: tuple[int, int]) -> None:
    count, damaged = case
    bound = Fraction(upper_bound(count, damaged))
    step = Fraction(1, 10**9)
    assert exact_tail(damaged, count, bound + step) < Fraction(1, 20) < exact_tail(damaged, count, bound - step)


@pytest.mark.parametrize(("population", "damaged", "count"), [(400, 20, 60), (400, 3, 100), (50, 10, 20)])
def test_of_many_samples_as_they_are_drawn_one_in_twenty_promises_too_much(
    population: int, damaged: int, count: int
) -> None:
    """Drawn as a scrub draws, with a thousand seeds: how often is the damage that is there above the bound?"""
    draws = 1_000
    too_low = 0
    for number in range(draws):
        sample = drawn(range(population), count, b"seed %d" % number, lambda item: b"copy %d" % item)
        too_low += upper_bound(count, sum(item < damaged for item in sample)) < damaged / population
    assert too_low / draws <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_a_bound_that_promised_more_would_be_caught() -> None:
    """The same with the bound of a smaller sample, 299 for 1 %, said of one of 150: more than one in twenty is wrong."""
    wrong = 0
    for number in range(300):
        sample = drawn(range(1_000), 150, b"seed %d" % number, lambda item: b"copy %d" % item)
        wrong += not any(item < 11 for item in sample) and upper_bound(299, 0) < 11 / 1_000
    assert wrong / 300 > 0.1


def test_the_ends() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(7, 7) == 1.0
    assert upper_bound(1, 0) == pytest.approx(0.95)
    for damaged, count in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="more than all of it"):
            upper_bound(count, damaged)


def test_many_are_no_matter_of_time_or_precision() -> None:
    """A thousand million drawn, a tenth of them damaged: the normal approximation is good to a part in a million."""
    drawn, damaged = 10**9, 10**8
    normal = 0.1 + 1.6448536 * math.sqrt(0.1 * 0.9 / drawn)
    assert upper_bound(drawn, damaged) == pytest.approx(normal, rel=1e-6)
