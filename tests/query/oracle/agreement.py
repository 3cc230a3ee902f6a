"""Whether two answers are one."""

from __future__ import annotations

import math
from typing import Any

from tests.query.oracle.answer import Expected
from tests.query.oracle.stores import Asked


def difference(expected: Expected, found: Asked) -> str | None:
    """What differs, rows or their order or what is shown of them; None: nothing does.

    Integers are exact, what is calculated of them too. What is shown as a double agrees to twelve digits: sums are made in
    any order. What matches is always exact.
    """
    if expected.shown is None or expected.keys or found.keys:
        mine, theirs = expected.keys, found.keys
        if mine != theirs and not (not mine and all(key == () for key in theirs)):
            same = sorted(mine, key=repr) == sorted(theirs, key=repr)
            return f"{'the order' if same else 'the rows'}: expected {mine}, found {theirs}"
    if expected.shown is None:
        return None
    if len(expected.shown) != len(found.shown):
        return f"expected {len(expected.shown)} rows, found {len(found.shown)}"
    for place, (one, other) in enumerate(zip(expected.shown, found.shown, strict=True)):
        if not same_value(list(one), list(other)):
            return f"row {place}: expected {one}, found {other}"
    return None


def same_value(one: Any, other: Any) -> bool:
    """Equal, and of one type but for numbers."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int) and isinstance(other, float):
        return one == other
    if isinstance(one, float) or isinstance(other, float):
        if not (isinstance(one, int | float) and isinstance(other, int | float)):
            return False
        return math.isclose(one, other, rel_tol=1e-12) or (one != one and other != other)
    return bool(one == other)
