"""Figures as people read them."""

from __future__ import annotations

_STEP = 1000


def amount_of_bytes(size_bytes: float) -> str:
    """A size in bytes with three digits and a unit of a power of 1000: 999 B, 1.23 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < _STEP:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= _STEP
    return f"{size_bytes:.4g} TB"


def percent(share: float) -> str:
    """A part of one in percent, with three digits."""
    return f"{100 * share:.3g} %"
