"""Files of the user's that are read whole: workflows, catalogs, properties, plans.

They are read again (for an excerpt in a message, into the plan folder), so only a regular file will do. Anything else
is refused before it is read: a named pipe would be waited for, and a device has no end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from integrity.digest import kind_of
from planner.errors import naming

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a named pipe must not block the open


def read_regular(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, whose ``strerror`` also says of what is no regular file what it is."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        if error.errno == errno.ENXIO:  # of a socket, and of a device that is not there, the system says no more
            raise _no_file(path, path.stat().st_mode) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _no_file(path, mode)
    with naming(path), os.fdopen(descriptor, "rb") as file:
        return file.read()


def _no_file(path: Path, mode: int) -> OSError:
    return OSError(errno.EINVAL, f"expected a regular file, found {kind_of(mode)}", os.fspath(path))
