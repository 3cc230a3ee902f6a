"""What a commit says of the columns of a segment, as it stands in documents; queries leave out segments by it.

Commits also come from other people's stores, so that nothing is taken for a bound that is none. Documents have
thousands of these: they are looked at in plain loops, a few microseconds for each segment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import cast

from provenance.checked_json import INT64_MAX, JsonObject
from provenance.schema import BY_NAME, COMMIT_NUMBER, Kind

ColumnStatistics = Mapping[str, str | int]
"""Of one column of one segment; a key that would say nothing is left out.

``min``, ``max``: bounds as text, exact (of a list column: of its elements); left out where there is no value or where
one of them is longer than is useful. ``nulls``: how many rows are null. ``nan``: 1 if there is a NaN, which the bounds
ignore. ``values``: elements of a list column. ``size``: compressed bytes.
Forms: integers decimal, floats as Python's repr, booleans 0 and 1, bytes upper-case hex, times
``2026-11-23 03:09:57.692139+00``.
"""
BOUNDS = ("min", "max")
COUNTS = frozenset({"nulls", "nan", "values", "size"})
STATISTICS = frozenset({*BOUNDS, *COUNTS})
MAX_NUMBER = 999_999_999_999
"""The last commit that names of files have digits for."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_KINDS = (Kind.INTEGER, Kind.INTEGERS)
_EXPECTED = {**dict.fromkeys(BOUNDS, "text"), **dict.fromkeys(COUNTS, "an integer that is not negative")}


def columns_from(segment: JsonObject, table: str) -> Mapping[str, ColumnStatistics]:
    """What is said of the columns of a segment of ``table``. Raises MalformedError for what cannot be."""
    columns = segment.object("columns")
    integers = _integers(table)
    for name, statistics in columns.raw.items():
        if not isinstance(statistics, dict):
            raise columns.fail(name, "an object")
        for key, value in statistics.items():
            if type(value) is str:
                may_be = key not in COUNTS
            else:  # of keys that this version does not know a value may be either
                may_be = type(value) is int and 0 <= value <= INT64_MAX and key not in BOUNDS
            if not may_be:
                raise columns.object(name).fail(key, _EXPECTED.get(key, "text or an integer that is not negative"))
        if name in integers and not _are_integers(statistics):
            raise columns.fail(name, "min and max to be integers, as text")
    _check_numbers(columns)
    return cast(Mapping[str, ColumnStatistics], columns.raw)


def _are_integers(statistics: Mapping[str, object]) -> bool:
    """Whether both bounds are, or there is none. Readers look for single values between them."""
    low, high = statistics.get("min"), statistics.get("max")
    if low is None or high is None:
        return low is high
    return _INTEGER.fullmatch(str(low)) is not None and _INTEGER.fullmatch(str(high)) is not None


def _check_numbers(columns: JsonObject) -> None:
    """Which commits the rows are of has to be known of every segment."""
    numbers = columns.object(COMMIT_NUMBER.name)
    first, last = (int(numbers.matching(key, _INTEGER, "a commit number, as text")) for key in BOUNDS)
    if not 1 <= first <= last <= MAX_NUMBER:
        raise numbers.fail("min", f"a commit number from 1 to max, and that up to {MAX_NUMBER}")


@cache
def _integers(table: str) -> frozenset[str]:
    """The columns with integers of a table."""
    described = BY_NAME.get(table)
    return frozenset(each.name for each in described.columns if each.kind in _KINDS) if described else frozenset()
