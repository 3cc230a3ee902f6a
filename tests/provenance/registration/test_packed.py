"""Packed sequences hold what lists hold, in a tenth of the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.metadata import Written
from provenance.registration import packed
from provenance.registration.packed import Packed


@pytest.fixture(autouse=True, params=[1, 3, 1 << 14])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK", request.param)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(values=st.lists(st.integers() | st.text()), start=st.integers(0, 9), more=st.integers(0, 9))
def test_it_is_the_sequence_that_it_was_made_of(values: list[object], start: int, more: int) -> None:
    made = Packed(values)
    assert list(made) == values
    assert len(made) == len(values)
    assert made[:] == values
    assert [made[-1 - n] for n in range(len(values))] == values[::-1]
    assert list(made.between(start, min(start + more, len(values)))) == values[start : start + more]
    with pytest.raises(IndexError):
        made[len(values)]
    assert list(made.taken()) == values
    assert list(made) == []


def test_values_come_out_equal() -> None:
    values = [("file:///a/b.fits", {"k": Written("1", "untyped"), "l": (Written("x", "text"),)}) for _ in range(5)]
    assert list(Packed(values)) == values


def test_it_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK", 1000)
    count = 20_000

    def used(make: Callable[[object], object]) -> int:
        tracemalloc.start()
        kept = make(
            (f"file:///data/survey/image-{n:07d}.fits", {"n": Written(str(n), "untyped")}) for n in range(count)
        )
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert kept
        return size

    assert used(Packed) < used(list) / 4  # type: ignore[arg-type]
