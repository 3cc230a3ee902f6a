"""What could not be ingested is kept with its reason, so that nothing which somebody measured is ever just gone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.durable import TEMPORARY, make_folders, rename_into_place, write_temporary

if TYPE_CHECKING:
    from provenance.store import Store

FOLDER = "quarantine"


def quarantine(store: Store, data: bytes, what: str, reason: str) -> Path:
    """Keep ``data`` below ``quarantine/`` as ``SHA256.what``, its reason beside it as ``SHA256.what.reason``.

    The same bytes are kept once, with the newest reason. Returns where. Raises WriteFailedError.
    """
    folder = store.root / FOLDER
    make_folders(store.root, (FOLDER,))
    path = folder / f"{hashlib.sha256(data).hexdigest()}.{what}"
    _write(path, data)
    _write(path.with_name(path.name + ".reason"), f"{reason}\n".encode("utf-8", "backslashreplace"))
    return path


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY}")
    write_temporary(temporary, data)
    rename_into_place(temporary, path)
