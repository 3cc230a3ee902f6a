"""What a sample says of the whole: how large the part of damaged copies can be, if so many of those read were damaged.

The bound is Clopper and Pearson's (Biometrika 26, 1934), one-sided, at 95 %: a rate above it would have shown more
damage in 95 of 100 such samples. It never promises too much, neither for small samples nor for those taken from few
copies. It holds for copies that were drawn by chance; of copies that were read in any other order it says nothing.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95
_DOUBT = 0.05
_NEGLIGIBLE = 1e-18  # of the sum: below what a double can hold beside it
_HALVINGS = 80  # an interval of length 1 is then shorter than the spacing of doubles around any rate above 1e-8


def upper_bound(drawn: int, damaged: int) -> float:
    """The largest rate of damage that is compatible with ``damaged`` of ``drawn`` copies; 1.0 if none was drawn.

    Without damage it is 1 - 0.05^(1/drawn). Raises ValueError where more were damaged than were drawn.
    """
    if not 0 <= damaged <= drawn:
        raise ValueError(f"{damaged} of {drawn}: a part of a sample cannot be more than all of it")
    if damaged == drawn:
        return 1.0
    if damaged == 0:
        return -math.expm1(math.log(_DOUBT) / drawn)
    low, high = damaged / drawn, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(damaged, drawn, middle) > _DOUBT:
            low = middle
        else:
            high = middle
    return high


def _at_most(damaged: int, drawn: int, rate: float) -> float:
    """The probability of at most ``damaged`` among ``drawn`` at a rate between damaged / drawn and 1.

    There the largest term is the last: the others are added from there down, until they no longer count.
    """
    if rate >= 1.0:
        return 0.0
    log_last = (
        math.lgamma(drawn + 1)
        - math.lgamma(damaged + 1)
        - math.lgamma(drawn - damaged + 1)
        + damaged * math.log(rate)
        + (drawn - damaged) * math.log1p(-rate)
    )
    term = total = 1.0
    for count in range(damaged, 0, -1):
        term *= count / (drawn - count + 1) * (1 - rate) / rate
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return math.exp(log_last) * total
