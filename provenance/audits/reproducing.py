"""Commands that do again what a report tells of, ready for a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


def command(storage: Storage, *words: str | None) -> str:
    """`pirene` with these words (None: left out) on this store, quoted for a shell."""
    given = ["pirene", *(word for word in words if word is not None), "--store", str(storage.location)]
    return shlex.join(given)
