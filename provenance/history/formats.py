"""Formats of a store's documents: how one of an older format is read, and that one of a newer format is not.

Files of a store never change, so nothing is converted on disk: a commit of an older format becomes one of the newest
whenever it is read, step by step, and what is written is of the newest format. A store may hold commits of several
formats, oldest first; versions that do not know the newest of them refuse the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provenance.errors import UnsupportedStoreError

Step = Callable[[Mapping[str, Any]], Mapping[str, Any]]

STEPS: tuple[Step, ...] = ()
"""``STEPS[n - 1]`` makes of the document of a commit of format n that of one of format n + 1, its key ``format`` aside.

With a step comes a store of the format before it, in tests/provenance/formats, that is read ever after.
"""


def newest() -> int:
    """The format that this version writes, and the newest that it reads."""
    return 1 + len(STEPS)


def require_known(number: int, what: str) -> None:
    """Raise UnsupportedStoreError if ``what`` ("PLACE: a store") is of a newer format, ValueError if of none."""
    if number > newest():
        raise UnsupportedStoreError(
            f"{what} of format {number}; this version reads up to {newest()}", hint="install a newer pirene"
        )
    if number < 1:
        raise ValueError(f"format {number}: expected 1 to {newest()}")


def upgraded(document: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """The document of a commit as the newest format has it. Errors as of `require_known`, KeyError, TypeError."""
    number = document["format"]
    require_known(number, what)
    for step in STEPS[number - 1 :]:
        document = step(document)
    return document
