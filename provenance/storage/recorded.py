"""Whether bytes are those that a commit says: the one comparison by which every storage and every reader goes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import DamagedStoreError

if TYPE_CHECKING:
    from provenance.history.commits import Segment
    from provenance.history.foreign import Pulled

DERIVED_HINT = "it was made from others: `pirene store check --repair` makes it again"
_HINT = "restore the file from a backup of the store"


def difference(data: bytes, segment: Segment | Pulled) -> str | None:
    """What was found in place of a segment, or of commits that were pulled, for a person; None: it is that. ``data``
    may end one byte after its size.
    """
    if len(data) > segment.size:
        return f"more than {segment.size} bytes"
    digest = hashlib.sha256(data).hexdigest()
    if len(data) == segment.size and digest == segment.sha256:
        return None
    return f"{len(data)} bytes with sha256 {digest}"


def compare(path: Path, segment: Segment) -> None:
    """Read the local file of a segment, whatever its size in little memory. Raises DamagedStoreError if it is not what
    was committed, OSError.
    """
    size = path.stat().st_size
    if size != segment.size:  # so is that of a named pipe, which opened would be waited for
        raise not_as_recorded(str(path), segment, f"{size} bytes")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != segment.sha256:
        raise not_as_recorded(str(path), segment, f"{size} bytes with sha256 {digest}")


def not_as_recorded(where: str, segment: Segment, found: str) -> DamagedStoreError:
    """The error to raise for a segment in whose place something else was ``found``."""
    return DamagedStoreError(
        f"{where}: expected {segment.size} bytes with sha256 {segment.sha256}, found {found}",
        hint=_HINT if segment.path.startswith("segments/") else DERIVED_HINT,
    )
