"""Frozen classes behave as the frozen dataclasses do that they stand in for."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.frozen import Frozen, frozen


@frozen
class Placed(Frozen):
    """A base with a field that says where, which takes no part in comparisons."""

    span: tuple[int, int] = dataclasses.field(default=(0, 0), compare=False, repr=False, kw_only=True)


@frozen
class Sized(Placed):
    number: int
    unit: str | None = None


@frozen
class Weighed(Placed):
    number: int
    unit: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Generated:
    """What `dataclass` makes of the same fields."""

    number: int
    unit: str | None = None
    span: tuple[int, int] = dataclasses.field(default=(0, 0), compare=False, repr=False, kw_only=True)


CONTENTS = st.tuples(st.integers(0, 2), st.sampled_from([None, "B", "s"]), st.tuples(st.integers(0, 1), st.just(1)))


@given(CONTENTS, CONTENTS)
def test_equality_hash_and_text_are_those_of_a_dataclass(one: tuple, other: tuple) -> None:
    ours = [Sized(number, unit, span=span) for number, unit, span in (one, other)]
    theirs = [Generated(number, unit, span=span) for number, unit, span in (one, other)]
    assert (ours[0] == ours[1]) is (theirs[0] == theirs[1])
    assert ours[0] != ours[1] or hash(ours[0]) == hash(ours[1])
    assert repr(ours[0]).replace("Sized", "Generated") == repr(theirs[0])


def test_classes_tell_apart() -> None:
    assert Sized(1) != Weighed(1)
    assert len({Sized(1), Weighed(1), Sized(1)}) == 2


def test_fields_replace_and_patterns_work() -> None:
    sized = Sized(2, unit="GiB", span=(3, 8))
    assert [each.name for each in dataclasses.fields(sized)] == ["span", "number", "unit"]
    assert dataclasses.replace(sized, number=5) == Sized(5, "GiB")
    assert dataclasses.replace(sized, number=5).span == (3, 8)
    match sized:
        case Sized(number, unit):
            assert (number, unit) == (2, "GiB")


def test_nothing_changes() -> None:
    sized = Sized(2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sized.number = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del sized.unit
    with pytest.raises(dataclasses.FrozenInstanceError):
        sized.other = 1  # type: ignore[attr-defined]
    assert not hasattr(sized, "__dict__")


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1, "B", 3), {}), ((1,), {"units": "B"}), ((), {"unit": "B"})]
)
def test_wrong_arguments_are_refused(values: tuple, named: dict) -> None:
    with pytest.raises(TypeError, match="Sized"):
        Sized(*values, **named)
