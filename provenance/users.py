"""Who speaks, and whom a file belongs to: names where the system knows them, else numbers, as in many containers."""

from __future__ import annotations

import getpass
import os
import pwd
from functools import cache
from pathlib import Path

from provenance.storable import storable


def current_user() -> str:
    """The user of this process: as LOGNAME, USER and the like say, else as the system knows them."""
    try:
        return storable(getpass.getuser())
    except (KeyError, OSError):
        return str(os.getuid())


def owner_of(path: Path) -> str | None:
    """The user that a file belongs to, links followed; None if there is no looking at it."""
    try:
        return name_of(path.stat().st_uid)
    except OSError:
        return None


@cache
def name_of(uid: int) -> str:
    """The name of a user, or the number where the system has none for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
