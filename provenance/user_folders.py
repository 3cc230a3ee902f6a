"""Folders of the user that are for one store, or for all: in the places of the XDG Base Directory Specification 0.8."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """``$XDG_CACHE_HOME/pirene/NAME``, else ``~/.cache/pirene/NAME``: for what can be made again at any time.

    It need not exist. Raises OSError: the user has no home.
    """
    return _folder("XDG_CACHE_HOME", ".cache", name)


def config_folder() -> Path:
    """``$XDG_CONFIG_HOME/pirene``, else ``~/.config/pirene``: for what the user decides, keys among it.

    It need not exist. Raises OSError: the user has no home.
    """
    return _folder("XDG_CONFIG_HOME", ".config", "")


def state_folder(name: str) -> Path:
    """``$XDG_STATE_HOME/pirene/NAME``, else ``~/.local/state/pirene/NAME``: for what must not be lost.

    It need not exist. Raises OSError: the user has no home.
    """
    return _folder("XDG_STATE_HOME", ".local/state", name)


def _folder(variable: str, usual: str, name: str) -> Path:
    folder = Path(os.environ.get(variable, ""))
    if not folder.is_absolute():  # the specification: a relative one is not valid, and is passed over
        try:
            folder = Path.home() / usual
        except RuntimeError as error:
            raise OSError(f"{variable} is not set, and {error}") from None
    return folder / "pirene" / name
