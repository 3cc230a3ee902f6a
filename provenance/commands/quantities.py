"""Amounts that are written with a unit on the command line, spelled as the query language spells them: callbacks of
options, which refuse what they cannot read with click.BadParameter.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from provenance.audits.scrubs import SampleSize
    from query.literals import Dimension

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_COUNT = re.compile(r"\d+")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`90s`, `30min`, `2h`, `1day`: seconds."""
    from query.literals import Dimension

    return None if value is None else _amount(value, Dimension.DURATION, "a duration such as 90s, 30min or 2h")


def bandwidth(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`50MB`, `50MB/s`, `20MiB`: bytes a second."""
    from query.literals import Dimension

    if value is None:
        return None
    return _amount(value.removesuffix("/s"), Dimension.SIZE, "bytes a second such as 50MB or 20MiB")


def sample_size(context: click.Context, parameter: click.Parameter, value: str | None) -> SampleSize | None:
    """`1000`, `1%`: how many copies to draw."""
    from provenance.audits.scrubs import SampleSize

    if value is None:
        return None
    if _COUNT.fullmatch(value) and int(value) > 0:
        return SampleSize(count=int(value))
    part = _PERCENT.fullmatch(value)
    if part and 0 < Fraction(part[1]) <= 100:
        return SampleSize(part=Fraction(part[1]) / 100)
    raise click.BadParameter(f"{value!r}: expected a number of copies (1000) or a part of them (1%)")


def _amount(value: str, dimension: Dimension, expected: str) -> float:
    from query.literals import BadLiteral, number

    match = _QUANTITY.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r}: expected {expected}")
    try:
        amount = number(match[1], match[2])
    except BadLiteral as error:
        raise click.BadParameter(f"{value!r}: {error}; {error.hint}") from error
    if amount.dimension is not dimension or not amount.value:
        raise click.BadParameter(f"{value!r}: expected {expected}")
    return float(amount.value)
