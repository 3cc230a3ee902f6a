"""What could not be ingested is kept with its reason, so that nothing which somebody measured is ever just gone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenance.store import Store

FOLDER = "quarantine"


def quarantine(store: Store, data: bytes, what: str, reason: str) -> str:
    """Keep ``data`` below ``quarantine/`` as ``SHA256.what``, its reason beside it as ``SHA256.what.reason``.

    The same bytes are kept once, with the newest reason. Returns its place, for people. Raises WriteFailedError.
    """
    name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()}.{what}"
    store.storage.prepare("", (FOLDER,))
    store.storage.write(name, data)
    store.storage.write(f"{name}.reason", f"{reason}\n".encode("utf-8", "backslashreplace"))
    return store.storage.where(name)
