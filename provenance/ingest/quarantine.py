"""What could not be ingested is kept with its reason, so that nothing which somebody measured is ever just gone.

``quarantine/SHA256.record`` and ``SHA256.metadata`` hold the bytes as they came, ``SHA256.WHAT.NOTE.json`` beside them
why they are there: ``{"from": path or null, "reason": text}``, canonical JSON, where NOTE is the beginning of its own
SHA-256. The same bytes may have come from several places, or for several reasons: each has a note. Nothing here is
ever changed or removed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from provenance.errors import NOT_THERE, DamagedStoreError

if TYPE_CHECKING:
    from provenance.store import Store

FOLDER = "quarantine"

What = Literal["record", "metadata"]
_NOTE_DIGITS = 16
_NOTE = re.compile(rf"{FOLDER}/(([0-9a-f]{{64}})\.(record|metadata))\.[0-9a-f]{{{_NOTE_DIGITS}}}\.json")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One thing that could not be ingested, from one place, for one reason.

    ``what``: an invocation record, or the metadata that a job reported (its record counts). ``sha256`` is that of its
    bytes, lower-case hex; ``place`` where they are kept; ``origin`` the file that they came in (None: from memory).
    """

    what: str
    sha256: str
    place: str
    origin: Path | None
    reason: str
    at: dt.datetime


def quarantine(store: Store, data: bytes, what: What, reason: str, origin: Path | None = None) -> str:
    """Keep ``data`` with the reason why it does not count. Returns its place, for people.

    Raises WriteFailedError: then whoever has the data must keep it, and try again.
    """
    name = f"{FOLDER}/{hashlib.sha256(data).hexdigest()}.{what}"
    note = json.dumps(
        {"from": None if origin is None else str(origin), "reason": reason}, sort_keys=True, separators=(",", ":")
    ).encode()
    store.storage.prepare("", (FOLDER,))
    store.storage.write(name, data)
    store.storage.write(f"{name}.{hashlib.sha256(note).hexdigest()[:_NOTE_DIGITS]}.json", note)
    return store.storage.where(name)


def quarantined(store: Store, below: Path | None = None) -> list[Quarantined]:
    """What is in quarantine, in the order in which it came; with ``below`` only what came from files in that folder.

    Raises DamagedStoreError for a note that is none, ReadFailedError for one that cannot be read.
    """
    found = []
    for stored in store.storage.stored(FOLDER):
        match = _NOTE.fullmatch(stored.name)
        if match is None:
            continue
        origin, reason = _note(store, stored.name)
        if below is None or (origin is not None and origin.is_relative_to(below)):
            place = store.storage.where(f"{FOLDER}/{match[1]}")
            found.append(Quarantined(match[3], match[2], place, origin, reason, stored.modified))
    return sorted(found, key=lambda each: (each.at, each.sha256, each.reason))


def _note(store: Store, name: str) -> tuple[Path | None, str]:
    try:
        note = json.loads(store.storage.read(name))
        origin, reason = note["from"], note["reason"]
        return None if origin is None else Path(origin), str(reason)
    except (*NOT_THERE, ValueError, TypeError, KeyError) as error:
        raise DamagedStoreError(
            f"{store.storage.where(name)}: cannot be read as a note of quarantine: {error}"
        ) from error
