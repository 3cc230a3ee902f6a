"""Reading the files of records: small ones, by the million."""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES = 128 << 20
"""No record is longer."""
_AT_ONCE_BYTES = 1 << 16


def record_bytes(path: Path) -> bytes:
    """The bytes of a record; of what is longer than a record can be the beginning, which is longer too. Errors as of
    `contents`.
    """
    return contents(path, MOST_BYTES + 1)


def contents(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file, without what Python does for files that are not small; of a longer one the first
    ``most_bytes``. Raises OSError, which names the file.
    """
    parts = []
    left = most_bytes
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe is an empty record
        try:
            while part := os.read(descriptor, min(left, _AT_ONCE_BYTES)):
                parts.append(part)
                left -= len(part)
        finally:
            os.close(descriptor)
    except OSError as error:
        error.filename = error.filename or os.fspath(path)  # of a read that fails the system does not say where
        raise
    return b"".join(parts)
