"""Reading the files of records: small ones, by the million, and never more of one than a record can be."""

from __future__ import annotations

import os
from pathlib import Path

MAX_RECORD_BYTES = 128 << 20
"""Room for 150 000 looks at files. What is longer is none of the wrapper's, and memory is not for it to fill."""
_AT_ONCE_BYTES = 1 << 16


def contents(path: Path) -> bytes:
    """The bytes of a file, without what Python does for files that are not small; of what is longer than
    MAX_RECORD_BYTES the beginning, which is longer too. Raises OSError, which names the file.
    """
    parts = []
    left = MAX_RECORD_BYTES + 1
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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
