"""Commands that do again what a report tells of, ready for a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenance.storage.interface import Storage


def command(storage: Storage, *words: str | None) -> str:
    """`pirene` with these words (None: left out) on this store, quoted for a shell; ``--`` ends its options."""
    given = [word for word in words if word is not None]
    end = given.index("--") if "--" in given else len(given)
    return shlex.join(["pirene", *given[:end], "--store", str(storage.location), *given[end:]])
