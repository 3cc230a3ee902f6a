"""The folder of the user's cache that is for one store: for what can be made again at any time."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(store_id: str) -> Path:
    """``$XDG_CACHE_HOME/pirene/STORE``, else ``~/.cache/pirene/STORE``; it need not exist. Raises OSError: no home.

    Source: the XDG Base Directory Specification 0.8; a relative XDG_CACHE_HOME is no valid one and is passed over.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not caches.is_absolute():
        try:
            caches = Path.home() / ".cache"
        except RuntimeError as error:
            raise OSError(f"no folder for a cache: XDG_CACHE_HOME is not set, and {error}") from None
    return caches / "pirene" / store_id
