"""What a job may choose by one of a few words, in profiles of namespace `pirene` and as options; the first word is the
default.

Imports nothing: the command line knows these words before anything is loaded.
"""

from __future__ import annotations

ON_MISMATCH = ("recover", "fail")
"""What follows when an input is not what it must be (planner/engines/recovery.py)."""

PROTECTION = ("guard", "copy", "seal")
"""How inputs are kept from changing between their verification and their use (docs/security.md)."""

CHOICES = {"on_mismatch": ON_MISMATCH, "protection": PROTECTION}
"""The words by the key of the profile."""


def choice_problem(key: str, word: str) -> str | None:
    """Why a profile cannot have this value; None if it can, or if it is no such profile."""
    if key not in CHOICES or word in CHOICES[key]:
        return None
    *others, last = CHOICES[key]
    return f"expected {', '.join(others)} or {last}, found {word!r}"
